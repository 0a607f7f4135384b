# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The people and groups of a trial: enough to run into each rule once."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from synapse_groupreg.cli.client import Client, path
from synapse_groupreg.cli.failures import NotAllowed, NotFound
from synapse_groupreg.cli.session import Session
from synapse_groupreg.cli.trial.folder import SERVER_NAME, write_secret
from synapse_groupreg.rig.accounts import register
from synapse_groupreg.values import frozen

if TYPE_CHECKING:
    from collections.abc import Callable

    from synapse_groupreg.cli.trial.folder import Trial

ADMIN = "admin"
ASSURANCE = {
    **dict.fromkeys(("alice", "bob", "carol", "dave"), "real_name"),
    **dict.fromkeys(("erin", "frank"), "none"),
}
"""Name of the account -> how well its person is known."""
FULL, NOTICES = "reading-circle", "notice-board"
"""Local parts of the groups' aliases."""

_CLIENT = "/_matrix/client/v3/"


@frozen(kw_only=True)
class Group:
    """One sample group."""

    alias: str
    name: str
    topic: str
    founder: str
    members: tuple[str, ...]
    cap: int | None = None


GROUPS = (
    Group(
        alias=FULL,
        name="Reading circle",
        topic="Three places, all taken",
        founder="alice",
        members=("bob", "carol"),
        cap=3,
    ),
    Group(
        alias=NOTICES,
        name="Notice board",
        topic="Everybody reads, the verified post",
        founder="bob",
        members=("alice", "dave", "erin"),
    ),
)


def user_id(name: str) -> str:
    """The full id of a sample account."""
    return f"@{name}:{SERVER_NAME}"


def make(trial: Trial, advance: Callable[[int], None]) -> None:
    """Make what is missing; interrupted, the next call goes on. Made once, the samples are left alone."""
    for name in (ADMIN, *ASSURANCE):
        _log_in(trial, name)
        advance(1)
    if not trial.complete:
        _verify(trial)
        for group in GROUPS:
            _found(trial, group)
            advance(1)
        trial.complete = True
        trial.save()


def count(trial: Trial) -> int:
    """How often `make` will advance."""
    return 1 + len(ASSURANCE) + (0 if trial.complete else len(GROUPS))


def _client(trial: Trial, name: str) -> Client:
    return Client(Session(trial.url, trial.tokens.get(name, ""), user_id(name)))


def _log_in(trial: Trial, name: str) -> None:
    """See that there is an account `name`, and a token that is accepted."""
    if name in trial.tokens and _accepted(trial, name):
        return
    known = name in trial.passwords
    # Noted before it is used, so that no account is ever made with a password that got lost.
    password = trial.passwords.setdefault(name, secrets.token_hex(6))
    trial.save()
    token = _token(trial, name) if known else None
    if token is None and trial.complete:
        return  # Deactivated or barred since, or with another password: somebody tried that out.
    trial.tokens[name] = token or register(trial.url, trial.registration_secret, name, password, admin=name == ADMIN)
    trial.save()
    # In the form that curl reads with -H @FILE.
    folder = trial.folder / "auth"
    folder.mkdir(mode=0o700, exist_ok=True)
    write_secret(folder / name, f"Authorization: Bearer {trial.tokens[name]}\n")


def _accepted(trial: Trial, name: str) -> bool:
    with _client(trial, name) as client:
        try:
            client.get(f"{_CLIENT}account/whoami")
        except NotAllowed:
            return False
    return True


def _token(trial: Trial, name: str) -> str | None:
    """A new token of an account; None when there is no such account."""
    body = {
        "type": "m.login.password",
        "identifier": {"type": "m.id.user", "user": name},
        "password": trial.passwords[name],
    }
    with Client(Session(trial.url, "")) as client:
        try:
            return str(client.request("POST", f"{_CLIENT}login", body=body)["access_token"])
        except NotAllowed:
            return None


def _verify(trial: Trial) -> None:
    with _client(trial, ADMIN) as client:
        for name, assurance in ASSURANCE.items():
            if assurance != "none":
                body = {"assurance": assurance, "provider": "operator"}
                client.act("PUT", path("accounts", user_id(name), "identity"), body)


def _found(trial: Trial, group: Group) -> None:
    with _client(trial, group.founder) as founder:
        try:
            room_id = founder.room_id(f"#{group.alias}:{SERVER_NAME}")
        except NotFound:
            body = {
                "preset": "public_chat",
                "visibility": "public",
                "room_alias_name": group.alias,
                "name": group.name,
                "topic": group.topic,
            }
            room_id = str(founder.request("POST", f"{_CLIENT}createRoom", body=body)["room_id"])
    for name in group.members:
        with _client(trial, name) as member:
            member.request("POST", f"{_CLIENT}join/{path(room_id)}")
    if group.cap is not None:
        with _client(trial, ADMIN) as admin:
            admin.act("PUT", path("rooms", room_id, "quotas"), {"members": group.cap})
    trial.rooms[group.alias] = room_id
    trial.save()
