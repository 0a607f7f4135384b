# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Logging in, and which login a command takes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from synapse_groupreg.cli.failures import BadInput, NotAllowed
from synapse_groupreg.cli.session import Session, check_url, find_session, write_session

if TYPE_CHECKING:
    from collections.abc import Callable

    from click.testing import Result

POLICY = {"mode": "dry", "quotas": {"members_per_room": 500}}


def test_without_a_login_the_error_says_how_to_log_in(logged_out: Callable[..., Result]) -> None:
    result = logged_out("status")
    assert result.exit_code == 3
    assert "Log in with: groupreg login https://" in result.stderr
    assert result.stdout == ""


def password_reply(request: Any) -> Any:
    assert request.body["identifier"] == {"type": "m.id.user", "user": "@admin:fake.test"}
    assert request.body["password"] == "correct horse"
    return {"access_token": "the-token", "user_id": "@admin:fake.test"}


def test_login_writes_a_session_that_only_its_owner_reads(
    server: Any, logged_out: Callable[..., Result], tmp_path: Path
) -> None:
    server.replies = {"POST /_matrix/client/v3/login": password_reply, "GET policy": POLICY}
    file = tmp_path / "deep" / "session.json"
    args = ("login", server.url, "@admin:fake.test", "--password-file", "-", "--session", str(file))
    result = logged_out(*args, stdin="correct horse\n")
    assert result.exit_code == 0, result.output
    assert "Logged in" in result.stdout
    assert "the-token" not in result.output
    assert file.stat().st_mode & 0o777 == 0o600
    assert json.loads(file.read_text())["user_id"] == "@admin:fake.test"
    assert logged_out("--session", str(file), "policy").exit_code == 0


def test_login_goes_to_the_default_place_and_logout_forgets_it(server: Any, logged_out: Callable[..., Result]) -> None:
    server.replies = {
        "POST /_matrix/client/v3/login": password_reply,
        "POST /_matrix/client/v3/logout": {},
        "GET policy": POLICY,
    }
    assert (
        logged_out("login", server.url, "@admin:fake.test", "--password-file", "-", stdin="correct horse").exit_code
        == 0
    )
    assert logged_out("policy").exit_code == 0
    assert logged_out("logout").exit_code == 0
    assert server.sent("POST", "/_matrix/client/v3/logout")
    assert logged_out("policy").exit_code == 3


def test_a_refused_password_is_not_permitted_and_writes_nothing(
    server: Any, logged_out: Callable[..., Result], tmp_path: Path
) -> None:
    server.replies = {"POST /_matrix/client/v3/login": server.error(403, "Invalid username or password")}
    file = tmp_path / "session.json"
    args = ("login", server.url, "@a:fake.test", "--password-file", "-", "--session", str(file))
    result = logged_out(*args, stdin="wrong")
    assert result.exit_code == 3
    assert "Invalid username or password." in result.stderr
    assert not file.exists()


def test_login_with_a_token_checks_whose_it_is(server: Any, logged_out: Callable[..., Result], tmp_path: Path) -> None:
    server.replies = {"GET /_matrix/client/v3/account/whoami": {"user_id": "@admin:fake.test"}, "GET policy": POLICY}
    token = tmp_path / "token"
    token.write_text("the-token\n")
    assert logged_out("login", server.url, "@other:fake.test", "--token-file", str(token)).exit_code == 2
    assert logged_out("login", server.url, "@admin:fake.test", "--token-file", str(token)).exit_code == 0


def test_login_says_when_the_server_has_no_module(server: Any, logged_out: Callable[..., Result]) -> None:
    server.replies = {"POST /_matrix/client/v3/login": password_reply}
    result = logged_out("login", server.url, "@admin:fake.test", "--password-file", "-", stdin="correct horse")
    assert result.exit_code == 0
    assert "has no synapse_groupreg" in result.stderr


def test_without_a_terminal_login_says_how_to_give_the_password(server: Any, logged_out: Callable[..., Result]) -> None:
    result = logged_out("login", server.url, "@admin:fake.test")
    assert result.exit_code == 2
    assert "--password-file" in result.stderr


def test_address_and_token_from_the_environment(
    server: Any, logged_out: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    server.replies = {"GET policy": POLICY}
    monkeypatch.setenv("GROUPREG_URL", server.url)
    monkeypatch.setenv("GROUPREG_TOKEN", "the-token")
    assert logged_out("policy").exit_code == 0


def test_the_token_of_a_session_is_never_sent_to_another_address(tmp_path: Path) -> None:
    file = tmp_path / "session.json"
    write_session(file, Session("https://a.test", "secret"))
    with pytest.raises(NotAllowed):
        find_session(url="https://evil.test", token_file=None, chosen=file, env={"GROUPREG_SESSION": str(file)})


def test_a_named_session_wins_over_the_environment(tmp_path: Path) -> None:
    file = tmp_path / "session.json"
    write_session(file, Session("https://a.test", "secret", "@me:a.test"))
    env = {"GROUPREG_URL": "https://b.test", "GROUPREG_TOKEN": "other"}
    assert find_session(url=None, token_file=None, chosen=file, env=env).url == "https://a.test"


@pytest.mark.parametrize("content", ["", "{}", "[]", "null", '{"url": 3, "token": "x"}', "\xff"])
def test_a_broken_session_file_says_how_to_log_in(content: str, tmp_path: Path) -> None:
    file = tmp_path / "session.json"
    file.write_bytes(content.encode("latin-1"))
    with pytest.raises(NotAllowed, match="groupreg login"):
        find_session(url=None, token_file=None, chosen=file, env={})


@pytest.mark.parametrize("url", ["matrix.org", "ftp://a.test", "https://", "https://me:pw@a.test", "http://[::1"])
def test_a_wrong_address_says_what_would_be_right(url: str) -> None:
    with pytest.raises(BadInput, match="must be like https://"):
        check_url(url)


def test_a_session_does_not_print_its_token() -> None:
    assert "secret" not in repr(Session("https://a.test", "secret"))
