# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What `groupreg up` prints: where the server is, who is on it, and three things to try."""

from __future__ import annotations

import shlex
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import attrs

from synapse_groupreg.cli.trial import samples
from synapse_groupreg.cli.trial.folder import SERVER_NAME
from synapse_groupreg.values import frozen

if TYPE_CHECKING:
    from synapse_groupreg.cli.output import Output
    from synapse_groupreg.cli.trial.folder import Trial
    from synapse_groupreg.rig.layout import Layout


@frozen
class Attempt:
    """One thing to try: something is refused, staff changes something, the same thing is allowed."""

    title: str
    in_client: str
    act: str
    """The same with curl."""
    change: str
    """What staff does about it."""
    before: str | None = None
    """What staff does first."""


def data(trial: Trial) -> dict[str, Any]:
    """Everything for a program."""
    return {
        "url": trial.url,
        "folder": str(trial.folder),
        "session": str(trial.session),
        "options": str(trial.options),
        "database": "sqlite" if trial.postgres_port is None else "postgres",
        "processes": {
            name: {"port": port, "serves_clients": name in trial.addresses} for name, port in trial.processes.items()
        },
        "accounts": [
            {"user_id": samples.user_id(name), "password": trial.passwords[name], "assurance": assurance}
            for name, assurance in {samples.ADMIN: None, **samples.ASSURANCE}.items()
        ],
        "groups": {f"#{alias}:{SERVER_NAME}": room_id for alias, room_id in trial.rooms.items()},
        "try": [attrs.asdict(attempt) for attempt in attempts(trial)],
    }


def show(out: Output, trial: Trial) -> None:
    """Everything for a person."""
    out.say(f"The server runs at {trial.url}, its files are in {_short(trial.folder)}.")
    if trial.layout is not None:
        rows = [(name, f"http://127.0.0.1:{port}", _part(trial.layout, name)) for name, port in trial.processes.items()]
        out.table("Processes", ("process", "address", "what it does"), rows)
    names = (samples.ADMIN, *samples.ASSURANCE)
    rows = [(samples.user_id(name), trial.passwords[name], _standing(name)) for name in names]
    out.table("Accounts", ("account", "password", "made as"), rows)
    out.heading("In a Matrix client")
    out.say(f"Choose {trial.url} as the homeserver and log in with an account and its password from above.")
    out.say("nheko asks for the homeserver once it has the account.")
    for number, attempt in enumerate(attempts(trial), 1):
        out.heading(f"Try {number}: {attempt.title}")
        if attempt.before:
            out.say("What staff does first:")
            out.say(f"  {attempt.before}")
        out.say(attempt.in_client)
        out.say(f"  {attempt.act}")
        out.say("What staff does about it; then the same is allowed:")
        out.say(f"  {attempt.change}")
    if trial.layout is not None:
        out.say(f"Each process judges alike: try the same at {_others(trial)} in place of {trial.url}.")
    out.heading("Further")
    out.say(f"  {_groupreg(trial)} status")
    out.say(f"  {_groupreg(trial)} acts")
    out.say(f"  {_program()} down --data {shlex.quote(_short(trial.folder))}")
    out.say(f"The module's options for this server go into {_short(trial.options)}; they hold from the next start.")


def attempts(trial: Trial) -> tuple[Attempt, ...]:
    """The three things to try."""
    full, notices = f"#{samples.FULL}:{SERVER_NAME}", f"#{samples.NOTICES}:{SERVER_NAME}"
    join = f"join/{quote(full)}"
    send = f"rooms/{quote(trial.rooms[samples.NOTICES])}/send/m.room.message"
    message = '{"msgtype": "m.text", "body": "Good morning"}'
    groupreg = _groupreg(trial)
    return (
        Attempt(
            "a full group",
            f"Log in as dave and join {full}: its three places are taken.",
            _curl(trial, "dave", join, "{}"),
            f"{groupreg} room cap {shlex.quote(full)} 4",
        ),
        Attempt(
            "an account that nobody has verified",
            f"Log in as erin and write in {notices}: she may read, not post; a direct room says why.",
            _curl(trial, "erin", send, message),
            f"{groupreg} account verify {samples.user_id('erin')} real_name",
        ),
        Attempt(
            "the blacklist",
            f"Log in as alice and write in {notices}: whom the staff has barred may not; a direct room says why.",
            _curl(trial, "alice", send, message),
            f"{groupreg} blacklist lift {samples.user_id('alice')}",
            before=f"{groupreg} blacklist add {samples.user_id('alice')} --reason Advertising --basis 'article 11'",
        ),
    )


def _part(layout: Layout, name: str) -> str:
    if name in layout.persisters:
        return "writes events; for the other processes only"
    if name in layout.background:
        return "does the background tasks and the module's upkeep"
    return "serves clients" if name in layout.clients else "serves clients, and what workers may not"


def _others(trial: Trial) -> str:
    return " or ".join(url for url in trial.addresses.values() if url != trial.url)


def _standing(name: str) -> str:
    if name == samples.ADMIN:
        return "server admin"
    return "not verified" if samples.ASSURANCE[name] == "none" else "verified by real name"


def _curl(trial: Trial, name: str, where: str, body: str) -> str:
    token = shlex.quote(f"@{_short(trial.folder / 'auth' / name)}")
    url = shlex.quote(f"{trial.url}/_matrix/client/v3/{where}")
    return f"curl -s -w '\\n' -X POST -H {token} {url} -d {shlex.quote(body)}"


def _groupreg(trial: Trial) -> str:
    return f"{_program()} --session {shlex.quote(_short(trial.session))}"


def _program() -> str:
    """How the reader's shell finds this program."""
    here = Path(sys.argv[0])
    found = shutil.which(here.name)
    return here.name if found and Path(found).samefile(here) else shlex.quote(_short(here))


def _short(path: Path) -> str:
    """A path as the reader would type it from here."""
    whole = path.absolute()
    return str(whole.relative_to(Path.cwd())) if whole.is_relative_to(Path.cwd()) else str(whole)
