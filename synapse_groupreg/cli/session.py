# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Who is logged in where: the server's address and a token, from a file, options or the environment."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import attrs
import click

from synapse_groupreg.cli.failures import BadInput, NotAllowed
from synapse_groupreg.values import frozen

if TYPE_CHECKING:
    from collections.abc import Mapping

HOW_TO_LOG_IN = "Log in with: groupreg login https://matrix.example.org @you:example.org"


@frozen
class Session:
    """A login at one server. `token` is a secret and never printed."""

    url: str
    token: str = attrs.field(repr=False)
    user_id: str | None = None


def check_url(url: str) -> str:
    """Tidy a server's address, or say what would be right."""
    try:
        parts = urlsplit(url)
        right = parts.scheme in {"http", "https"} and parts.hostname and not (parts.username or parts.query)
    except ValueError:
        right = False
    if not right:
        message = "The server's address must be like https://matrix.example.org (with http:// or https://)."
        raise BadInput(message)
    return url.rstrip("/")


def default_path() -> Path:
    """Where `groupreg login` writes when no other place is named."""
    return Path(click.get_app_dir("groupreg")) / "session.json"


def session_path(chosen: Path | None, env: Mapping[str, str]) -> Path:
    """Choose the session file: the option, else GROUPREG_SESSION, else the default."""
    named = env.get("GROUPREG_SESSION")
    return chosen or (Path(named) if named else default_path())


def read_token(path: Path) -> str:
    """Read an access token that stands alone in a file (`-`: standard input)."""
    return read_secret(path, "the token")


def read_secret(path: Path, what: str) -> str:
    """Read a secret that stands alone in a file (`-`: standard input), without the line end."""
    try:
        held: str = sys.stdin.read() if str(path) == "-" else path.read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        message = f"Can't read {what} from {path}: give a readable text file, or - for standard input."
        raise BadInput(message) from None
    secret = held.strip("\r\n")
    if not secret:
        message = f"{path} is empty: it must hold {what}."
        raise BadInput(message)
    return secret


def find_session(*, url: str | None, token_file: Path | None, chosen: Path | None, env: Mapping[str, str]) -> Session:
    """Find who is logged in: options before the environment, a pair of address and token before a file.

    The token of a session file is never sent to an address from elsewhere.
    """
    if url or token_file or (not chosen and (env.get("GROUPREG_URL") or env.get("GROUPREG_TOKEN"))):
        return _pair(url or env.get("GROUPREG_URL"), token_file, env.get("GROUPREG_TOKEN"))
    return read_session(session_path(chosen, env))


def _pair(url: str | None, token_file: Path | None, token: str | None) -> Session:
    if not url:
        message = "A token needs its server: give --url https://matrix.example.org or set GROUPREG_URL."
        raise BadInput(message)
    if token_file:
        token = read_token(token_file).strip()
    if not token:
        message = "An address needs its token: give --token-file FILE or set GROUPREG_TOKEN."
        raise NotAllowed(message)
    return Session(check_url(url), token)


def read_session(path: Path) -> Session:
    """Read a session file, or say how to make one."""
    try:
        text = path.read_text("utf-8")
    except FileNotFoundError:
        message = f"You are not logged in. {HOW_TO_LOG_IN}"
        raise NotAllowed(message) from None
    except (OSError, UnicodeDecodeError):
        message = f"The session file {path} can't be read. {HOW_TO_LOG_IN}"
        raise NotAllowed(message) from None
    try:
        held = json.loads(text)
        return Session(check_url(str(held["url"])), str(held["token"]), held.get("user_id"))
    except (ValueError, KeyError, TypeError, AttributeError, BadInput):
        message = f"The session file {path} is not one that groupreg wrote. {HOW_TO_LOG_IN}"
        raise NotAllowed(message) from None


def write_session(path: Path, session: Session) -> None:
    """Write a session file that only its owner can read, whole or not at all."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # mkstemp makes the file 0600 before a single byte of the token is in it.
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=".session-")
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(attrs.asdict(session), file)
        Path(name).replace(path)
    except OSError:
        message = f"Can't write the session to {path}: name a writable file with --session FILE."
        raise BadInput(message) from None
