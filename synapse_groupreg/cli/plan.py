# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""`groupreg plan`: what the rules would do on this server, before they are enforced. Read-only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from synapse_groupreg.cli.options import Cli, server_command
from synapse_groupreg.cli.output import plural
from synapse_groupreg.cli.server import CAPS_OF_FEDERATED, show_exempt

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from synapse_groupreg.cli.client import Answer
    from synapse_groupreg.cli.output import Cell, Output

GROUP_LISTS = {
    "founderless_groups": (
        "Groups without a founder",
        "Nobody can be asked for them: their founder is gone or unknown.",
    ),
    "federated_groups": (
        "Groups with other servers",
        f"{CAPS_OF_FEDERATED} That they federate can't be changed later.",
    ),
    "encrypted_groups": (
        "Encrypted groups",
        "Rules that read content can't see it; caps, identity and the blacklist hold.",
    ),
}
"""Key of the answer -> heading, and what it means."""


@click.command()
@server_command
def plan(cli: Cli) -> None:
    """Show what the rules would do here, without doing it.

    Nobody is removed when the rules are enforced: a room over its cap keeps its members and admits nobody until below.
    """
    answer = cli.client().get("plan")
    if cli.as_json:
        cli.out.data(answer)
    else:
        show_plan(cli.out, answer)


def total(answer: Answer, name: str) -> int:
    """Count a list of the answer; the list itself is cut at 100."""
    return int(answer.get(f"{name}_total", len(answer.get(name) or [])))


def summary(answer: Answer) -> list[str]:
    """Say in sentences what would be refused."""
    accounts = answer.get("accounts") or {}
    rooms = plural(total(answer, "rooms_over_cap"), "room")
    people = plural(total(answer, "accounts_over_limit"), "person", "people")
    return [
        f"{rooms} over the cap: the members stay, and nobody is admitted until below.",
        f"{people} over a limit: their groups stay, and they get no more until below.",
        f"{plural(accounts.get('below_post', 0), 'account')} of {accounts.get('total', 0):,} could only read.",
    ]


def show_plan(out: Output, answer: Answer) -> None:
    """Print each section of the plan as a table."""
    out.say("What the rules would do here if they were enforced now. Nothing was changed.")
    for sentence in summary(answer):
        out.say(f"  {sentence}")
    rooms = answer.get("rooms_over_cap") or []
    rows: list[Sequence[Cell]] = [
        tuple(room.get(key) for key in ("room_id", "name", "members", "cap")) for room in rooms
    ]
    section(out, answer, "rooms_over_cap", "Rooms over the cap", columns=("room", "name", "members", "cap"), rows=rows)
    people = answer.get("accounts_over_limit") or []
    rows = [
        (one.get("account") or one.get("person"), one.get("quota"), one.get("used"), one.get("limit")) for one in people
    ]
    section(out, answer, "accounts_over_limit", "Over a limit", columns=("who", "quota", "used", "limit"), rows=rows)
    show_accounts(out, answer.get("accounts") or {})
    for name, (title, meaning) in GROUP_LISTS.items():
        if total(answer, name):
            groups = [group_row(group) for group in answer.get(name) or []]
            section(out, answer, name, title, columns=("room", "name"), rows=groups)
            out.say(meaning)
        else:
            section(out, answer, name, title)
    show_exempt(out, answer.get("exempt") or {})


def section(
    out: Output,
    answer: Answer,
    name: str,
    title: str,
    *,
    columns: Sequence[str] = (),
    rows: Sequence[Sequence[Cell]] = (),
) -> None:
    """Print one list with its total, and say when it was cut."""
    count = total(answer, name)
    out.table(f"{title}: {count:,}" if count else title, columns, rows, empty="None.")
    if count > len(rows):
        out.say(f"... and {count - len(rows):,} more.")


def group_row(group: str | Mapping[str, Any]) -> tuple[Cell, Cell]:
    """Write one group, which the server gives as an id or with its name."""
    return (group, None) if isinstance(group, str) else (group.get("room_id"), group.get("name"))


def show_accounts(out: Output, accounts: Mapping[str, Any]) -> None:
    """Print how many accounts have which assurance."""
    rows = list((accounts.get("by_assurance") or {}).items())
    out.table(f"Accounts: {accounts.get('total', 0):,}", ("assurance", "accounts"), rows, empty="None.")
    if accounts.get("below_post"):
        out.warn(
            f"{plural(accounts['below_post'], 'account')} could not post: verify them with groupreg account import."
        )
