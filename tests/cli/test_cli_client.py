# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Every way in which a request can fail is one sentence and one exit code."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from click.testing import Result

FIELDS = {"org.groupreg.fields": [{"field": "rooms_founded", "problem": "must be at least 0"}]}


@pytest.mark.parametrize(
    ("status", "errcode", "more", "exit_code", "text"),
    [
        (400, "M_INVALID_PARAM", FIELDS, 2, "rooms_founded: must be at least 0"),
        (403, "M_FORBIDDEN", {}, 3, "You need the role operator."),
        (404, "M_NOT_FOUND", {}, 1, "You need the role operator."),
        (404, "M_UNRECOGNIZED", {}, 1, "has no synapse_groupreg"),
        (409, "M_UNKNOWN", {}, 1, "You need the role operator."),
        (429, "M_LIMIT_EXCEEDED", {"retry_after_ms": 4100}, 1, "wait 5 s"),
        (500, "M_UNKNOWN", {}, 1, "The server's log says why"),
    ],
)
def test_matrix_errors(
    server: Any,
    groupreg: Callable[..., Result],
    *,
    status: int,
    errcode: str,
    more: dict[str, Any],
    exit_code: int,
    text: str,
) -> None:
    server.replies["GET status"] = server.error(status, "You need the role operator", errcode, **more)
    result = groupreg("status")
    assert result.exit_code == exit_code
    assert text in result.stderr
    assert result.stdout == ""


def test_an_address_at_the_end_stays_one(server: Any, groupreg: Callable[..., Result]) -> None:
    said = "You are barred. Help and appeal: https://fake.test/rules#account-blacklisted"
    server.replies["GET status"] = server.error(403, said)
    assert groupreg("status").stderr == f"Error: {said}\n"


@pytest.mark.parametrize(
    ("status", "body", "exit_code", "text"),
    [
        (502, "<html>Bad gateway", 4, "Synapse doesn't run behind"),
        (404, "<html>Not found", 1, "has no synapse_groupreg"),
        (200, "<html>Welcome", 1, "has no synapse_groupreg"),
        (200, "[]", 1, "has no synapse_groupreg"),
    ],
)
def test_answers_of_something_else(
    server: Any, groupreg: Callable[..., Result], *, status: int, body: str, exit_code: int, text: str
) -> None:
    server.replies["GET status"] = server.raw(status, body)
    result = groupreg("status")
    assert (result.exit_code, text in result.stderr) == (exit_code, True)


def test_a_dead_token_says_how_to_log_in_again(
    server: Any, logged_out: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GROUPREG_URL", server.url)
    monkeypatch.setenv("GROUPREG_TOKEN", "old")
    result = logged_out("status")
    assert result.exit_code == 3
    assert f"groupreg login {server.url}" in result.stderr
    assert "old" not in result.stderr


def test_an_unreachable_server(logged_out: Callable[..., Result], tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    token = tmp_path / "token"
    token.write_text("t")
    result = logged_out("status", "--url", f"http://127.0.0.1:{port}", "--token-file", str(token))
    assert result.exit_code == 4
    assert "check that the server runs" in result.stderr


def test_a_token_that_cannot_be_sent_is_bad_input(
    server: Any, logged_out: Callable[..., Result], tmp_path: Path
) -> None:
    token = tmp_path / "token"
    token.write_text("密")
    assert logged_out("status", "--url", server.url, "--token-file", str(token)).exit_code == 2


def test_redirects_are_not_followed_so_no_act_turns_into_a_read(server: Any, groupreg: Callable[..., Result]) -> None:
    server.replies["PUT mode"] = server.raw(301, {}, {"Location": f"{server.url}/_synapse/client/groupreg/v1/policy"})
    result = groupreg("mode", "dry")
    assert result.exit_code == 2
    assert "redirect" in result.stderr
    assert not server.sent("GET", "policy")


def test_a_netrc_login_never_replaces_the_token(
    server: Any, groupreg: Callable[..., Result], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password something\n")
    monkeypatch.setenv("NETRC", str(netrc))
    server.replies["GET policy"] = {"mode": "dry"}
    assert groupreg("policy").exit_code == 0
    assert server.requests[0].token == "the-token"


def test_ids_are_quoted_in_the_path(server: Any, groupreg: Callable[..., Result]) -> None:
    server.replies["GET accounts/@a/b?c:fake.test"] = {"user_id": "@a/b?c:fake.test"}
    assert groupreg("account", "show", "@a/b?c:fake.test").exit_code == 0


def test_lists_follow_next_token_until_the_end(server: Any, groupreg: Callable[..., Result]) -> None:
    names = [f"!{number}:fake.test" for number in range(5)]

    def page(request: Any) -> Any:
        start = int(request.query.get("from", 0))
        answer: dict[str, Any] = {"rooms": [{"room_id": name} for name in names[start : start + 2]], "total": 5}
        return {**answer, "next_token": str(start + 2)} if start + 2 < len(names) else answer

    server.replies["GET rooms"] = page
    text = groupreg("room", "list", "--limit", "0").stdout
    assert all(name in text for name in names)
    assert "3 of 5; see all with --limit 0." in groupreg("room", "list", "--limit", "3").stdout
    assert server.requests[-1].query["limit"] == "3"


def test_a_problem_that_the_sentence_holds_is_said_once(server: Any, groupreg: Callable[..., Result]) -> None:
    server.replies["GET status"] = server.error(400, "rooms_founded: must be at least 0", "M_INVALID_PARAM", **FIELDS)
    assert groupreg("status").stderr == "Error: rooms_founded: must be at least 0.\n"
