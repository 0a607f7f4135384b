# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""`groupreg packet`: two files that say the same, and nothing that is sent anywhere but to the server."""

from __future__ import annotations

import hashlib
import json
import re
from typing import TYPE_CHECKING, Any

import attrs
import pytest

from synapse_groupreg import texts
from synapse_groupreg.cli.packet_text import markdown
from synapse_groupreg.policy.appeals import Outcome
from synapse_groupreg.policy.measures import Measure, MeasureKind, Scope
from tests.cli.test_cli_commands import changed

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from click.testing import Result

ANNA, T = "@anna:fake.test", 1_900_000_000_000
SHORT = {"id": 4, "author": "@admin:fake.test", "made_ms": T, "state": "drafted", "text": None, "measures": [12]}
PACKET = {
    **SHORT,
    "server": "fake.test",
    "measures": [
        {
            "measure": {"id": 12, "kind": "warning", "subject": "!r:fake.test", "reason": "Spam", "start_ms": T},
            "group": {
                "room_id": "!r:fake.test",
                "number": "123456786",
                "name": "a|b\n# c",
                "members": 3,
                "founder": ANNA,
            },
            "appeals": [{"id": 3, "author": ANNA, "made_ms": T, "state": "open", "text": "<b>No</b>"}],
        }
    ],
    "records": [
        {
            "log": "acts",
            "origin": "o",
            "shard": 0,
            "size": 9,
            "root": "r00t",
            "key": "k",
            "commands": ["groupreg export"],
        }
    ],
    "attachments": [{"name": "b.grb", "size": 1, "sha256": "0" * 64}],
}


@pytest.fixture(autouse=True)
def replies(server: Any) -> None:
    server.replies |= {
        "GET packets": {"packets": [SHORT], "total": 1},
        "GET packets/4": PACKET,
        "GET policy": {"default_language": "ko"},
        "POST packets": changed(None, SHORT, id=4),
        "PUT packets/4/state": changed({"state": "drafted"}, {"state": "handed-in"}, id=4),
    }


def test_it_is_written_as_two_files(server: Any, groupreg: Callable[..., Result], tmp_path: Path) -> None:
    file = tmp_path / "b.grb"
    file.write_bytes(b"bundle")
    out = tmp_path / "out"
    done = groupreg("packet", "make", "12", "13", "--attach", str(file), "--out", str(out), "--reason", "quarter")
    assert "Made packet 4 about measures 12, 13; it was sent nowhere." in done.stdout
    (sent,) = server.sent("POST", "packets")
    digest = hashlib.sha256(b"bundle").hexdigest()
    attachments = [{"name": "b.grb", "size": 6, "sha256": digest}]
    assert sent.body == {"measures": [12, 13], "attachments": attachments, "reason": "quarter"}
    assert json.loads((out / "packet-4.json").read_text()) == PACKET
    assert (out / "packet-4.md").read_text() == markdown(PACKET, "ko")  # the server's
    assert (out / "packet-4.md").stat().st_mode & 0o077 == 0
    again = groupreg("packet", "show", "4", "--out", str(out))
    assert again.exit_code != 0
    assert "is there already" in again.output


def test_trying_writes_nothing(server: Any, groupreg: Callable[..., Result], tmp_path: Path) -> None:
    tried = groupreg("packet", "make", "12", "--out", str(tmp_path / "no"), "--dry-run")
    assert tried.stdout.startswith("Dry run, nothing was changed.")
    assert not (tmp_path / "no").exists()
    assert server.sent("GET", "packets/4") == []


@pytest.mark.parametrize("folder", ["file/x", "/proc/nope"])
def test_a_folder_that_cannot_be_written_is_told_before_anything_is_made(
    server: Any, groupreg: Callable[..., Result], tmp_path: Path, folder: str
) -> None:
    (tmp_path / "file").touch()
    refused = groupreg("packet", "make", "12", "--out", str(tmp_path / folder))
    assert (refused.exit_code, "Name another folder by --out." in refused.stderr) == (2, True)
    assert server.sent("POST", "packets") == []


def test_who_finds_it_made_but_not_written_is_not_led_to_make_it_again(
    groupreg: Callable[..., Result], tmp_path: Path
) -> None:
    (tmp_path / "packet-4.json").touch()
    half = groupreg("packet", "make", "12", "--out", str(tmp_path))
    assert (half.exit_code, "Packet 4 was made" in half.stderr) == (1, True)
    assert "groupreg packet show 4 --out FOLDER" in half.stderr


def test_a_measure_named_twice_is_in_it_once(server: Any, groupreg: Callable[..., Result], tmp_path: Path) -> None:
    assert "about measures 12, 13;" in groupreg("packet", "make", "12", "13", "12", "--out", str(tmp_path)).stdout
    assert server.sent("POST", "packets")[0].body == {"measures": [12, 13]}


def test_what_people_wrote_is_no_markup() -> None:
    said = markdown(PACKET, "en")
    assert "- name: a\\|b \\# c\n" in said
    assert "- text: \\<b\\>No\\</b\\>\n" in said
    for fact in ("123456786", "r00t", "2030-03-17", "    groupreg export", "b.grb", "Appeal 3: open"):
        assert fact in said


@pytest.mark.parametrize(("accepted", "said"), [([], "None."), (["2026-01", "2026-07"], "2026-01, 2026-07")])
def test_the_accepted_versions_of_the_agreement_are_said(accepted: list[str], said: str) -> None:
    [one] = PACKET["measures"]
    packet = {**PACKET, "measures": [{**one, "measure": {**one["measure"], "accepted": accepted}}]}
    assert f"- accepted versions of the agreement: {said}\n" in markdown(packet, "en")
    assert "accepted versions" not in markdown(PACKET, "en")


def test_lists_and_states(server: Any, groupreg: Callable[..., Result]) -> None:
    assert "drafted" in groupreg("packet", "list").stdout
    assert "조치 12" in groupreg("packet", "show", "4").stdout
    assert json.loads(groupreg("packet", "show", "4", "--json").stdout) == PACKET
    said = groupreg("packet", "state", "4", "handed-in", "--text", "by post").stdout
    assert said == "Noted handed-in for packet 4: state drafted -> handed-in.\n"
    (sent,) = server.sent("PUT", "packets/4/state")
    assert sent.body == {"state": "handed-in", "text": "by post"}


@pytest.mark.parametrize("language", texts.LANGUAGES)
def test_it_is_written_in_the_language_asked_for(
    groupreg: Callable[..., Result], tmp_path: Path, language: str
) -> None:
    groupreg("packet", "make", "12", "--out", str(tmp_path), "--language", language)
    said = (tmp_path / "packet-4.md").read_text()
    assert said == markdown(PACKET, language) == groupreg("packet", "show", "4", "--language", language).stdout
    assert json.loads((tmp_path / "packet-4.json").read_text()) == PACKET
    expected = {
        "en": (
            "# Report packet 4 of fake.test",
            "## Measure 12: warning on !r:fake.test",
            "- founder: @anna:fake.test",
        ),
        "zh-CN": ("# fake.test 的报告材料 4", "## 措施 12：对 !r:fake.test 警示", "- 建立者：@anna:fake.test"),
        "ko": ("# fake.test의 보고 자료 4", "## 조치 12: !r:fake.test에 대한 경고", "- 개설자: @anna:fake.test"),
    }
    assert [line for line in expected[language] if line not in said.splitlines()] == []


@pytest.mark.parametrize("language", texts.LANGUAGES)
def test_everything_that_a_packet_may_say_has_words(language: str) -> None:
    [reported] = PACKET["measures"]
    names = [field.name for field in attrs.fields(Measure)]
    times = {name: T for name in names if name.endswith("_ms")}
    for kind in MeasureKind:
        for scope in Scope:
            measure = {**dict.fromkeys(names, "said"), **times, "id": 1, "kind": kind.value, "scope": scope.value}
            states = ("open", *map(str, Outcome))
            appeals = [
                {**dict.fromkeys(("author", "text", "answer", "decided_by"), "said"), "made_ms": T, "decided_ms": T}
                | {"id": 2, "state": state, "erased_ms": erased}
                for state in states
                for erased in (None, T)
            ]
            one = {**reported, "measure": measure, "appeals": appeals}
            for filled in ({}, {"records": [], "attachments": []}):
                said = markdown({**PACKET, "measures": [one], **filled}, language)
                assert said.count(f"- {texts.text('packet.field.erased', language)}") == len(states)
                if language != "en":
                    ours = re.sub(r"UTC|SHA-256|said|groupreg export|acts|b\.grb|r00t|fake\.test|@\w+", "", said)
                    assert not re.search(r"[a-z]{3,}", ours), ours
