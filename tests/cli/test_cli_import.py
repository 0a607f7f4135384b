# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""`groupreg account import`: everything is checked first, all or nothing is applied, no value is ever repeated."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest

from synapse_groupreg.cli.csv_rows import read_rows

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from click.testing import Result

SECRETS = ("anna", "geheim", "4711")
GOOD = "user_id,assurance,reference\n@anna:fake.test,real_name,4711\n@bert:fake.test,contact,\n"
DONE = {"dry_run": False, "changed": True, "accounts": 2, "linked": 0, "unchanged": 0}


@pytest.fixture
def csv(tmp_path: Path) -> Callable[[str | bytes], str]:
    def write(content: str | bytes) -> str:
        file = tmp_path / "people.csv"
        file.write_bytes(content.encode() if isinstance(content, str) else content)
        return str(file)

    return write


@pytest.fixture
def imports(server: Any) -> Any:
    """The fake server with a working import."""
    server.replies |= {
        "POST imports": {"id": 7},
        "PUT imports/7/rows": lambda request: {"rows": len(request.body["rows"])},
        "POST imports/7/commit": DONE,
        "DELETE imports/7": {},
    }
    return server


def many(count: int) -> str:
    rows = [f"@u{number}:fake.test,contact" for number in range(count)]
    return "\n".join(["user_id,assurance", *rows])


def test_a_good_file_is_handed_over_and_committed(imports: Any, groupreg: Any, csv: Any) -> None:
    result = groupreg("account", "import", csv(GOOD), "--reason", "New year")
    assert result.exit_code == 0, result.output
    assert "Imported: 2 accounts verified" in result.stdout
    assert imports.sent("POST", "imports")[0].body == {"reason": "New year"}
    assert imports.sent("PUT", "imports/7/rows")[0].body["rows"] == [
        {"line": 2, "user_id": "@anna:fake.test", "assurance": "real_name", "reference": "4711"},
        {"line": 3, "user_id": "@bert:fake.test", "assurance": "contact"},
    ]
    assert not imports.sent("DELETE", "imports/7")


def test_rows_go_in_chunks_of_500(imports: Any, groupreg: Any, csv: Any) -> None:
    assert groupreg("account", "import", csv(many(1201))).exit_code == 0
    assert [len(one.body["rows"]) for one in imports.sent("PUT", "imports/7/rows")] == [500, 500, 201]


@pytest.mark.usefixtures("imports")
def test_a_byte_order_mark_and_windows_line_ends_are_fine(groupreg: Any, csv: Any) -> None:
    assert groupreg("account", "import", csv(b"\xef\xbb\xbf" + GOOD.replace("\n", "\r\n").encode())).exit_code == 0


def test_a_dry_run_commits_nothing_and_leaves_nothing(imports: Any, groupreg: Any, csv: Any) -> None:
    imports.replies["POST imports/7/commit"] = {**DONE, "dry_run": True}
    result = groupreg("account", "import", csv(GOOD), "--dry-run")
    assert result.exit_code == 0
    assert result.stdout.startswith("Dry run, nothing was changed.")
    assert imports.sent("POST", "imports/7/commit")[0].query == {"dry_run": "true"}
    assert imports.sent("DELETE", "imports/7")


def test_a_failure_in_the_middle_withdraws_everything(imports: Any, groupreg: Any, csv: Any) -> None:
    seen: list[int] = []

    def second_fails(request: Any) -> Any:
        seen.append(len(request.body["rows"]))
        return {"rows": 500} if len(seen) == 1 else imports.error(500, "Internal server error")

    imports.replies["PUT imports/7/rows"] = second_fails
    result = groupreg("account", "import", csv(many(1500)))
    assert result.exit_code == 1
    assert "Nothing was applied." in result.stderr
    assert seen == [500, 500]
    assert imports.sent("DELETE", "imports/7")
    assert not imports.sent("POST", "imports/7/commit")


def test_an_interrupt_withdraws_everything(
    imports: Any, groupreg: Any, csv: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("synapse_groupreg.cli.account_import.hand_over", interrupted)
    result = groupreg("account", "import", csv(GOOD))
    assert result.exit_code == 1
    assert "Interrupted. Nothing was applied." in result.stderr
    assert imports.sent("DELETE", "imports/7")


def test_ctrl_c_in_a_real_process_withdraws_everything(imports: Any, groupreg: Any, csv: Any) -> None:
    assert groupreg  # logs in by the environment, which the process inherits
    started, over = threading.Event(), threading.Event()

    def hangs(_: Any) -> Any:
        started.set()
        over.wait(30)
        return {"rows": 2}

    imports.replies["PUT imports/7/rows"] = hangs
    # As in a terminal: a job in the background of a script has the signal ignored.
    terminal = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
    code = f"{terminal}; from synapse_groupreg.cli import main; main()"
    command = [sys.executable, "-c", code, "account", "import", csv(GOOD)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert started.wait(30)
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=30)
    over.set()
    assert process.returncode == 1
    assert "Interrupted. Nothing was applied." in stderr
    assert imports.sent("DELETE", "imports/7")
    assert not imports.sent("POST", "imports/7/commit")


def test_rows_that_the_server_finds_wrong_are_bad_input(imports: Any, groupreg: Any, csv: Any) -> None:
    field = {"field": "line 2, user_id", "problem": "must be an account of this server"}
    imports.replies["PUT imports/7/rows"] = imports.error(400, "Wrong rows", **{"org.groupreg.fields": [field]})
    result = groupreg("account", "import", csv(GOOD))
    assert result.exit_code == 2
    assert "line 2, user_id: must be an account of this server" in result.stderr
    assert imports.sent("DELETE", "imports/7")


def test_a_commit_without_an_answer_leaves_no_false_promise(imports: Any, groupreg: Any, csv: Any) -> None:
    imports.replies["POST imports/7/commit"] = imports.raw(504, "<html>")
    imports.replies["DELETE imports/7"] = imports.error(409, "The import is committed")
    result = groupreg("account", "import", csv(GOOD))
    assert result.exit_code == 4
    assert "not certain" in result.stderr


def test_every_problem_is_reported_and_nothing_is_sent(imports: Any, groupreg: Any, csv: Any) -> None:
    content = (
        "user_id,assurance,reference\n"
        "@anna:fake.test,geheim,4711\n"
        "anna,real_name,4711\n"
        "\n"
        "@bert:fake.test,contact\n"
        "@cem:fake.test,contact,1\n"
        ",contact,2\n"
        "@cem:fake.test,contact,3\n"
    )
    result = groupreg("account", "import", csv(content))
    assert result.exit_code == 2
    assert result.stderr.splitlines()[1:] == [
        "people.csv:2:assurance: must be one of none, contact, real_name, in_person",
        "people.csv:3:user_id: must be a full Matrix id, like @anna:example.org",
        "people.csv:5: must have 3 values, like the header; it has 2",
        "people.csv:7:user_id: must not be empty",
        "people.csv:8:user_id: must be there once: line 6 has the same account",
    ]
    assert not imports.requests


@pytest.mark.parametrize(
    ("content", "where", "advice"),
    [
        (b"", "1", "header"),
        (b"\n\n", "1", "header"),
        (b"user_id,assurance\n", "2", "header only"),
        (b"user_id\n@a:b", "1:assurance", "is missing"),
        (b"user_id;assurance\n@a:b;contact", "1", "by commas"),
        (b"user_id,assurance,assurance\n@a:b,contact,contact", "1:assurance", "once"),
        (b"user_id,assurance,name\n@a:b,contact,geheim", "1:column 3", "must be one of"),
        (b"@anna:b,contact,4711\n", "1:column 1", "must be one of"),
        (b"user_id,assurance\n@a:b,contact\n\xe4\xf6,contact", "3", "UTF-8"),
        (b'user_id,assurance\n@a:b,"con"tact', "2", "quotes"),
        (b"user_id,assurance,reference\n@a:b,contact," + b"4711" * 200, "2:reference", "at most 500"),
        (b"user_id,assurance\n@" + b"a" * 260 + b":b,contact", "2:user_id", "full Matrix id"),
        (b"user_id,assurance\n@a b:c,contact", "2:user_id", "full Matrix id"),
    ],
)
def test_wrong_files(content: bytes, where: str, advice: str) -> None:
    _, problems = read_rows(content)
    assert any(problem.path == where and advice in problem.text for problem in problems), problems
    text = " ".join(map(str, problems)).replace("@anna:example.org", "")
    assert not [secret for secret in SECRETS if secret in text]


def test_line_numbers_survive_line_breaks_inside_quotes() -> None:
    rows, problems = read_rows(b'user_id,assurance,reference\n@a:b,contact,"one\ntwo"\n@c:d,contact,3\n')
    assert not problems
    assert [row.line for row in rows] == [2, 4]


@pytest.mark.parametrize("secret", SECRETS)
def test_errors_never_show_values_of_the_file(imports: Any, groupreg: Any, csv: Any, secret: str) -> None:
    content = "user_id,assurance,reference\nanna,geheim,4711\nanna,geheim,4711\n"
    assert secret not in groupreg("account", "import", csv(content)).output.replace("@anna:example.org", "")
    imports.replies["PUT imports/7/rows"] = imports.error(500, "Internal server error")
    assert secret not in groupreg("account", "import", csv(GOOD)).output


def test_a_missing_file_is_bad_input(groupreg: Callable[..., Result]) -> None:
    result = groupreg("account", "import", "no-such.csv")
    assert result.exit_code == 2
    assert "Can't read no-such.csv" in result.stderr
