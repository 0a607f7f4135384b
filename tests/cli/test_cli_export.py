# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""`groupreg export`: what is asked of the server, what is written, and that nothing half is left."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from synapse_groupreg.cli.export import counted, new_file
from synapse_groupreg.cli.failures import BadInput
from tests.retention.sample_log import sample

LOG = sample()
LINES = b"".join(LOG.export_subject("room", "!r0:example.org")).decode()
NOTE = LOG.checkpoint()
ROOM = ("export", "room", "!r0:example.org")
WHY = ("--case", "2026/17", "--basis", "article 13.1")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def exporter(server: Any) -> Any:
    """A server that has one bundle."""
    bundles = [{"file": "bundle-2026-17-events.jsonl", "checkpoint": NOTE, "records": 6}]
    server.replies["POST exports"] = {"dry_run": False, "changed": True, "id": "e1", "parts": 1, "bundles": bundles}
    server.replies["GET exports/e1"] = server.raw(200, LINES)
    server.replies["GET policy"] = {"retention": {"content": "hash"}}
    return server


def test_a_bundle_is_written_for_its_owner_and_what_comes_next_is_said(groupreg: Any, exporter: Any) -> None:
    done = groupreg(*ROOM, *WHY)
    assert done.exit_code == 0
    file = Path("bundle-2026-17-events.jsonl")
    assert (file.read_text(encoding="utf-8"), file.stat().st_mode & 0o777) == (LINES, 0o600)
    assert "groupreg verify bundle-2026-17-events.jsonl" in done.output
    assert all(line in done.output for line in NOTE.strip().split("\n"))
    [asked] = exporter.sent("POST", "exports")
    assert asked.body == {
        "mode": "subject", "room_id": "!r0:example.org", "log": "events", "case": "2026/17", "basis": "article 13.1",
        "identities": False, "content": False,
    }  # fmt: skip
    assert groupreg("verify", str(file)).exit_code == 0


@pytest.mark.parametrize(
    ("words", "asked"),
    [
        (("account", "@a:b", "--log", "acts"), {"mode": "subject", "user_id": "@a:b", "log": "acts"}),
        (("account", "@a:b", "--identities", "--reason", "r"), {"identities": True, "reason": "r"}),
        (("range", "--first", "0", "--end", "9"), {"mode": "range", "from": 0, "to": 9}),
        (("range", "--from", "2026-11-01T00:00:00Z"), {"mode": "range", "from_ms": 1_793_491_200_000}),
        (("search", "--account", "@a:b", "--kind", "login"), {"mode": "filter", "user_id": "@a:b", "kinds": ["login"]}),
        (("search", "--code", "room-full"), {"verdicts": ["refused:room-full", "dry:room-full"]}),
        (("search", "--type", "m.room.member", "--content", "--reason", "r"), {"types": ["m.room.member"]}),
    ],
)
def test_every_way_to_ask(groupreg: Any, exporter: Any, words: tuple[str, ...], asked: dict[str, object]) -> None:
    done = groupreg("export", *words, *WHY, "--out", "out.jsonl")
    assert done.exit_code == 0, done.output
    [sent] = exporter.sent("POST", "exports")
    assert sent.body | asked == sent.body
    assert None not in sent.body.values()


def test_where_no_contents_are_kept_that_is_said(groupreg: Any, exporter: Any) -> None:
    wish = ("--content", "--reason", "r")
    assert "retention.content is hash: the file has contents only" in groupreg(*ROOM, *WHY, *wish).stderr
    exporter.replies["GET policy"] = {"retention": {"content": "full"}}
    assert groupreg(*ROOM, *WHY, *wish, "--out", "2.jsonl").stderr == ""
    assert groupreg(*ROOM, *WHY, "--out", "3.jsonl").stderr == ""


def test_nothing_is_overwritten(groupreg: Any, exporter: Any) -> None:
    for out in (("--out", "mine.jsonl"), ()):
        Path(out[1] if out else "bundle-2026-17-events.jsonl").write_text("mine")
        done = groupreg(*ROOM, *WHY, *out)
        assert (done.exit_code, "is there already" in done.output) == (2, True)
    assert exporter.sent("POST", "exports") == [], "it was not even asked for"


def test_a_file_that_appears_meanwhile_is_not_overwritten_either(folder: Path) -> None:
    file = folder / "mine.jsonl"
    file.write_text("mine")
    with pytest.raises(BadInput, match="is there already"), new_file(file):
        pass
    assert file.read_text() == "mine"


def test_a_download_that_breaks_off_leaves_nothing(groupreg: Any, exporter: Any, folder: Path) -> None:
    exporter.replies["GET exports/e1"] = exporter.raw(200, LINES[:500], {"Content-Length": "9999"})
    done = groupreg(*ROOM, *WHY, "--out", "out.jsonl")
    assert (done.exit_code, "broke off in the middle" in done.output) == (1, True)
    assert not (folder / "out.jsonl").exists()


def test_a_download_that_is_refused_leaves_nothing(groupreg: Any, exporter: Any, folder: Path) -> None:
    exporter.replies["GET exports/e1"] = exporter.error(409, "Records of this export were removed.", "X")
    done = groupreg(*ROOM, *WHY, "--out", "out.jsonl")
    assert (done.exit_code, "were removed" in done.output) == (1, True)
    assert not (folder / "out.jsonl").exists()


def test_several_shards_are_several_files(groupreg: Any, exporter: Any) -> None:
    bundles = [{"file": f"bundle-2026-17-events{n}.jsonl", "checkpoint": NOTE, "records": None} for n in ("", "-2")]
    exporter.replies["POST exports"] |= {"parts": 2, "bundles": bundles}
    assert groupreg(*ROOM, *WHY, "--out", "out.jsonl").exit_code == 0
    assert Path("out.jsonl").exists()
    assert Path("out-2.jsonl").exists()
    assert [one.query for one in exporter.sent("GET", "exports/e1")] == [{"part": "1"}, {"part": "2"}]


def test_names_are_shown_only_with_a_reason(groupreg: Any, exporter: Any) -> None:
    for wish in ("--identities", "--content"):
        done = groupreg(*ROOM, *WHY, wish)
        assert (done.exit_code, "--reason" in done.output) == (2, True)
    assert exporter.requests == []


def test_case_and_basis_are_asked_for(groupreg: Any, exporter: Any) -> None:
    for words in (WHY[:2], WHY[2:]):
        assert groupreg(*ROOM, *words).exit_code == 2
    assert exporter.requests == []


def test_trying_writes_nothing(groupreg: Any, exporter: Any, folder: Path) -> None:
    exporter.replies["POST exports"] = {"dry_run": True, "changed": True, "before": None, "after": {}}
    done = groupreg(*ROOM, *WHY, "--dry-run")
    assert (done.exit_code, "Nothing was exported" in done.output) == (0, True)
    assert list(folder.glob("*.jsonl")) == []


@pytest.mark.parametrize("size", [1, 2, 3, 7, 4096])
def test_records_are_counted_however_the_pieces_fall(size: int) -> None:
    data = LINES.encode()
    moves: list[int] = []
    chunks = [data[at : at + size] for at in range(0, len(data), size)]
    assert b"".join(counted(chunks, moves.append)) == data
    assert sum(moves) == len(data.splitlines()) - 3
