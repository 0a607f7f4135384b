# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""`groupreg verify`: exit codes, the page that it prints, both ways to check signatures, and the standalone script."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from typing_extensions import override

from synapse_groupreg.cli import verify_bundle as standalone
from synapse_groupreg.cli.verify import about
from synapse_groupreg.retention.bundle import Anchor
from synapse_groupreg.retention.findings import Broken, NoBundle
from synapse_groupreg.retention.lines import LONGEST, lines_of
from tests.programs import program
from tests.retention.sample_log import SampleLog, sample

if TYPE_CHECKING:
    from collections.abc import Callable


LOG = sample()


@pytest.fixture
def bundle(tmp_path: Path) -> Callable[[list[bytes]], Path]:
    def write(lines: list[bytes]) -> Path:
        path = tmp_path / "bundle.jsonl"
        path.write_bytes(b"".join(lines))
        return path

    return write


def test_a_right_bundle_verifies_and_one_page_says_what_that_means(logged_out: Any, bundle: Any) -> None:
    file = bundle(LOG.export_subject("room", "!r0:example.org"))
    result = logged_out("verify", file)
    assert result.exit_code == 0
    for text in (
        "VERIFIED, but nobody vouched for the key  bundle.jsonl",
        "room !r0:example.org",
        "2026-17",
        "article 13.1",
        "@inspector:example.org",
        "6 event, 3 refusal, 2 close, 1 tally",
        "COMPLETE for the period of records 0 to 7: 3 records of room !r0:example.org.",
        "COMPLETE up to record 21 in a period that was open then",
        "Of periods that are not named here the file shows nothing",
        "the key's endorsement was not checked against the homeserver's key",
        "whoever made it may have made the key too",
        "UNANCHORED: no copy of the log's root",
    ):
        assert text in result.stdout
    assert len(result.stdout.splitlines()) < 40


def test_keys_that_are_given_are_what_the_page_relies_on(logged_out: Any, bundle: Any) -> None:
    file = bundle(LOG.export_range(0, 5, anchors=[Anchor(kind="file", where="log.txt at the court")]))
    result = logged_out("verify", file, "--vkey", LOG.vkey, "--server-key", LOG.server_key)
    assert result.exit_code == 0
    assert "The homeserver's key, which you gave, vouches for the log's key." in result.stdout
    assert "COMPLETE: of the log's records from 0 to 4 none is missing." in result.stdout
    assert "ANCHORED, if the same size and root stand in: log.txt at the court (file)." in result.stdout
    assert "UNANCHORED" not in result.stdout
    only_vkey = logged_out("verify", file, "--vkey", LOG.vkey)
    assert "It is signed by the key that you gave." in only_vkey.stdout


def test_a_selection_is_said_to_be_one(logged_out: Any, bundle: Any) -> None:
    result = logged_out("verify", bundle(LOG.export_filter([1, 3], {"kinds": ["event"]})))
    assert result.exit_code == 0
    assert "A SELECTION: each record shown is genuine, but the file does not show whether others" in result.stdout


def test_a_changed_bundle_fails_and_each_failure_is_named(logged_out: Any, bundle: Any) -> None:
    lines = LOG.export_range(0, 5)
    lines[3] = lines[3].replace(b'pos\\":3', b'pos\\":4')
    result = logged_out("verify", bundle(lines))
    assert result.exit_code == 1
    assert "FAILED  bundle.jsonl" in result.stdout
    assert "line 7: the records do not lead to the root" in result.stdout
    assert "line 8: the SHA-256 of all lines before" in result.stdout
    assert "VERIFIED" not in result.stdout
    assert "Error: bundle.jsonl does not verify." in result.stderr


def test_another_key_than_the_given_one_fails(logged_out: Any, bundle: Any) -> None:
    forged = SampleLog(key="eve's")
    result = logged_out("verify", bundle(forged.export_range(0, 1)), "--vkey", LOG.vkey)
    assert result.exit_code == 1
    assert "signed by another key than the one that was given with --vkey" in result.stdout


def test_json_has_everything(logged_out: Any, bundle: Any) -> None:
    answer = json.loads(logged_out("verify", bundle(LOG.export_range(0, 5)), "--json").stdout)
    assert answer["ok"] is True
    assert answer["records"] == 5
    assert answer["manifest"]["case"] == "2026-17"
    assert any(sentence.startswith("UNANCHORED") for sentence in answer["meaning"])
    failed = logged_out("verify", bundle(LOG.export_range(0, 5)[:-1]), "--json")
    assert failed.exit_code == 1
    answer = json.loads(failed.stdout)
    assert (answer["ok"], answer["meaning"]) == (False, [])
    assert answer["findings"] == [{"line": 8, "text": "the end is missing: the file was cut off"}]


@pytest.mark.parametrize("content", [b"", b"hello\n", b"{}\n", b'{"bundle":1\n', b"\xff\n", b"[]\n", b"\0" * 100])
def test_a_file_that_is_no_bundle_is_bad_input(logged_out: Any, bundle: Any, content: bytes) -> None:
    result = logged_out("verify", bundle([content]))
    assert result.exit_code == 2
    assert "bundle.jsonl is no bundle: " in result.stderr


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is no bundle: the file is empty."),
        (b'{"bundle":1}\r\n', "is no bundle: lines end in CR LF: the file was changed on the way"),
        (b" " * (1 << 24), "is no bundle: a line is longer than 16,777,216 bytes"),
    ],
)
def test_what_is_wrong_with_a_file_that_is_no_bundle_is_said(
    logged_out: Any, bundle: Any, content: bytes, said: str
) -> None:
    result = logged_out("verify", bundle([content]))
    assert (result.exit_code, result.stdout) == (2, "")
    assert said in result.stderr


class Endless(io.RawIOBase):
    """A line that never ends, as a hostile file may have; it counts what is taken of it."""

    taken = 0

    @override
    def readable(self) -> bool:
        return True

    @override
    def readinto(self, buffer: Any) -> int:
        buffer[:] = b"x" * len(buffer)
        self.taken += len(buffer)
        return len(buffer)


def test_no_line_takes_more_memory_than_the_file_before_it_warrants() -> None:
    file = Endless()
    with pytest.raises(NoBundle, match="longer than"):
        list(lines_of(io.BufferedReader(file)))
    assert file.taken < 2 * LONGEST
    before = b"y" * 99 + b"\n"
    monstrous = io.BytesIO(before * 3 + b"x" * LONGEST)
    lines = lines_of(monstrous)
    assert [next(lines) for _ in range(3)] == [before] * 3
    with pytest.raises(Broken, match="longer than"):
        next(lines)


def test_a_selection_is_told_in_words() -> None:
    conditions = {"account": "@a:b", "kinds": ["login", "logout"], "from_ms": 1_793_800_000_000}
    told = about({"mode": "filter", "filter": conditions})
    assert told == "a selection: account @a:b, kinds login or logout, from 2026-11-04 13:46 UTC"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "Say which file"),
        (["no-such.jsonl"], "Can't read no-such.jsonl"),
        (["x", "--vkey", "nonsense"], "--vkey can't be used: a verifier key has the form name+id+key."),
        (["x", "--server-key", "nonsense"], "--server-key must be like"),
        (["x", "--server-key", "ed25519:a=AAAA"], "--server-key must be like"),
        (["x", "--server-key", "rsa:a=" + "A" * 43], "--server-key must be like"),
        (["x", "--nonsense"], "No such option"),
    ],
)
def test_wrong_usage(logged_out: Any, arguments: list[str], said: str) -> None:
    result = logged_out("verify", *arguments)
    assert result.exit_code == 2
    assert said in result.stderr


@pytest.fixture
def openssl() -> str:
    return program("openssl")


needs_openssl = pytest.mark.usefixtures("openssl")


@needs_openssl
def test_the_openssl_program_comes_to_the_same(logged_out: Any, bundle: Any) -> None:
    lines = LOG.export_range(0, 3)
    right = logged_out("verify", bundle(lines), "--openssl", "--server-key", LOG.server_key)
    assert right.exit_code == 0, right.output
    changed = [lines[0].replace(b"2026-17", b"2026-71"), *lines[1:]]
    assert logged_out("verify", bundle(changed), "--openssl").exit_code == 1


def test_without_the_openssl_program_that_is_said(
    logged_out: Any, bundle: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    result = logged_out("verify", bundle(LOG.export_range(0, 3)), "--openssl")
    assert result.exit_code == 2
    assert "There is no openssl program here" in result.stderr


@needs_openssl
@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda lines: lines, 0),
        (lambda lines: [lines[0].replace(b"2026-17", b"2026-71"), *lines[1:]], 1),
        (lambda lines: lines[:-1], 1),
        (lambda _: [b"hello\n"], 2),
    ],
)
def test_the_script_runs_alone(logged_out: Any, bundle: Any, tmp_path: Path, change: Any, code: int) -> None:
    script = tmp_path / "verify_bundle.py"
    script.write_text(logged_out("verify", "--standalone-script").stdout, "utf-8")
    lines = change(LOG.export_subject("account", "@p1:example.org"))
    # Isolated: nothing but the standard library can be imported.
    command = [sys.executable, "-I", "-S", script, bundle(lines), "--vkey", LOG.vkey, "--server-key", LOG.server_key]
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == code, done
    assert done.stdout.startswith("VERIFIED" if code == 0 else "FAILED  line ")
    assert done.stderr == ""


def run_script(*arguments: object, **environment: str) -> tuple[int, str]:
    command = [sys.executable, "-I", standalone.__file__, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, **environment})
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("program", [None, "#!/bin/sh\necho 'Unrecognized flag -rawin' >&2; exit 1\n"])
def test_a_bundle_that_could_not_be_checked_is_not_called_wrong(
    logged_out: Any, bundle: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str | None
) -> None:
    """Without openssl, or with one that lacks what we need of it, like that of some systems."""
    if program is not None:
        tmp_path.joinpath("openssl").write_text(program, "utf-8")
        tmp_path.joinpath("openssl").chmod(0o755)
    file = bundle(LOG.export_range(0, 3))
    code, said = run_script(file, PATH=str(tmp_path))
    assert (code, said.startswith("NOT CHECKED"), "FAILED" in said) == (2, True, False), said
    monkeypatch.setenv("PATH", str(tmp_path))
    assert logged_out("verify", file, "--openssl").exit_code == 2


@pytest.mark.parametrize("key", ["foo", "ed25519:a_b", "ed25519:a_b=AAAA", f"a_b={'A' * 43}"])
def test_a_key_that_is_none_does_not_make_a_bundle_wrong(bundle: Any, key: str) -> None:
    code, said = run_script(bundle(LOG.export_range(0, 3)), "--server-key", key)
    assert (code, "--server-key must be like ed25519:" in said) == (2, True), said


def test_the_script_is_not_stopped_by_a_range_without_end() -> None:
    with pytest.raises(ValueError, match="missing"):
        standalone.check_range([0, 2**52], [])


@needs_openssl
def test_the_script_says_that_a_file_was_changed_as_a_text(bundle: Any) -> None:
    file = bundle([line.replace(b"\n", b"\r\n") for line in LOG.export_range(0, 5)])
    command = [sys.executable, "-I", standalone.__file__, str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, "it ends in CR LF" in done.stdout) == (2, True), done.stdout


@needs_openssl
def test_the_script_reads_no_endless_line_either(bundle: Any) -> None:
    right = LOG.export_range(0, 5)
    file = bundle([*right[:-1], b"x" * (1 << 24), b"x" * 9, right[-1]])
    command = [sys.executable, "-I", standalone.__file__, str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "it is too long" in done.stdout


@needs_openssl
def test_the_manual_check_of_the_documentation_works(bundle: Any, tmp_path: Path) -> None:
    bundle(LOG.export_subject("room", "!r0:example.org"))
    manual = (Path(__file__).parents[2] / "docs" / "bundle.md").read_text("utf-8").split("## By hand")[1]
    commands = "\n".join(re.findall(r"```sh\n(.*?)```", manual, re.DOTALL))
    done = subprocess.run([program("bash"), "-c", commands], capture_output=True, text=True, check=False, cwd=tmp_path)
    verified, again, digest, disclosed = done.stdout.splitlines()
    assert verified == again == "Signature Verified Successfully"
    header = json.loads(done.stderr.splitlines()[-1])
    assert json.loads(disclosed)[1] in [field for field, said in header["_sd"].items() if said == digest]


def test_the_script_imports_nothing_of_ours() -> None:
    assert "synapse_groupreg" not in Path(standalone.__file__).read_text("utf-8").split('"""')[2]


def test_verifying_needs_neither_a_login_nor_the_network_nor_synapse(bundle: Any) -> None:
    file = bundle(LOG.export_range(0, 3))
    code = (
        "import sys\nfrom synapse_groupreg.cli import main\n"
        f"try: main(['verify', {str(file)!r}, '--vkey', {LOG.vkey!r}])\nexcept SystemExit as end: print(end.code)\n"
        "print({'synapse', 'twisted', 'requests', 'pydantic'} & {name.split('.')[0] for name in sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-2:] == ["0", "set()"]
