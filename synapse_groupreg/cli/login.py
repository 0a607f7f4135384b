# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""`groupreg login` and `groupreg logout`."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import click

from synapse_groupreg.cli.failures import BadInput, Failure, NotAllowed
from synapse_groupreg.cli.options import Cli, server_command
from synapse_groupreg.cli.session import (
    Session,
    check_url,
    read_secret,
    read_session,
    read_token,
    session_path,
    write_session,
)

if TYPE_CHECKING:
    from synapse_groupreg.cli.client import Client

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


@click.command()
@click.argument("address", metavar="URL")
@click.argument("user")
@click.option(
    "--password-file", type=click.Path(path_type=Path), help="File with the password (- reads standard input)."
)
@server_command
def login(cli: Cli, address: str, user: str, password_file: Path | None) -> None:
    """Log in at a server and remember the session.

    URL is the server's address, like https://matrix.example.org; USER your Matrix id, like @you:example.org. Asks for
    the password. Where there is no password login, give an access token with --token-file FILE.
    """
    from synapse_groupreg.cli.client import Client  # noqa: PLC0415 - `groupreg --help` needs no requests

    url = check_url(address)
    out = cli.out
    if urlsplit(url).scheme == "http" and urlsplit(url).hostname not in LOOPBACK:
        out.note(f"WARNING  {url} is not encrypted: the password and the token can be read on the way. Use https://.")
    token = read_token(cli.token_file).strip() if cli.token_file else ""
    with Client(Session(url, token)) as client:
        session = check_token(client, user) if token else password_login(client, user, ask_password(password_file))
    path = session_path(cli.session, os.environ)
    write_session(path, session)
    with Client(session) as client:
        note = module_missing(client)
    if cli.as_json:
        out.data({"url": session.url, "user_id": session.user_id, "session": str(path)})
    else:
        out.say(f"Logged in at {session.url} as {session.user_id}; the session is in {path}.")
    if note:
        out.note(f"WARNING  {note}")


@click.command()
@server_command
def logout(cli: Cli) -> None:
    """End the session at the server and forget it."""
    path = session_path(cli.session, os.environ)
    session = read_session(path)
    with cli.client() as client:
        if client.session != session:
            message = (
                "Only a session file can be logged out: leave out --url, --token-file, GROUPREG_URL and GROUPREG_TOKEN."
            )
            raise BadInput(message)
        try:
            client.act("POST", "/_matrix/client/v3/logout")
        except NotAllowed:
            # The token is dead already, which is what was asked for.
            cli.out.note("The server had ended this session already.")
    path.unlink(missing_ok=True)
    if cli.as_json:
        cli.out.data({"url": session.url, "user_id": session.user_id, "session": None})
    else:
        cli.out.say(f"Logged out of {session.url}.")


def ask_password(password_file: Path | None) -> str:
    """Get the password from a file or, without echo, from the person."""
    if password_file:
        return read_secret(password_file, "the password")
    if not sys.stdin.isatty():
        message = "There is no terminal to ask for the password: give --password-file FILE (- reads standard input)."
        raise BadInput(message)
    return str(click.prompt("Password", hide_input=True, err=True))


def password_login(client: Client, user: str, password: str) -> Session:
    """Exchange a password for a token of its own."""
    body = {
        "type": "m.login.password",
        "identifier": {"type": "m.id.user", "user": user},
        "password": password,
        "initial_device_display_name": "groupreg",
    }
    try:
        answer = client.act("POST", "/_matrix/client/v3/login", body)
    except NotAllowed as error:
        message = f"The server refused the login: {error.message}"
        raise NotAllowed(message) from None
    return Session(client.session.url, str(answer["access_token"]), str(answer["user_id"]))


def check_token(client: Client, user: str) -> Session:
    """Ask the server whose token this is, and refuse another person's."""
    user_id = str(client.get("/_matrix/client/v3/account/whoami")["user_id"])
    if user.startswith("@") and user != user_id:
        message = f"This token belongs to {user_id}, not to {user}."
        raise BadInput(message)
    return Session(client.session.url, client.session.token, user_id)


def module_missing(client: Client) -> str:
    """Try the module once, so that a wrong address shows here and not at the first command."""
    try:
        client.get("policy")
    except Failure as error:
        return error.message
    return ""
