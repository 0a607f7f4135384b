# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""`groupreg group`: groups by their numbers, and what those who look after one do in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from synapse_groupreg.cli.changes import report
from synapse_groupreg.cli.client import path
from synapse_groupreg.cli.failures import Refused
from synapse_groupreg.cli.options import Cli, act_command, check_user_id, limit_option, server_command
from synapse_groupreg.cli.room import list_rooms, show_room
from synapse_groupreg.cli.times import EXAMPLES, moment
from synapse_groupreg.policy import durations
from synapse_groupreg.policy.slow import LONGEST_S

if TYPE_CHECKING:
    from synapse_groupreg.cli.client import Answer, Client

SAID = ("room", "reason", "author")
OFFERED = ("offered_to", "founder")
NONE = "-"


def seconds_or_off(text: str) -> int:
    """Read a number of seconds; 0 for `off`."""
    found = durations.seconds(text)
    if found is None or found > LONGEST_S:
        message = f"must be from 1 to {LONGEST_S} seconds, like 30, 30s or 1m, or `{durations.OFF}`."
        raise click.BadParameter(message)
    return found


@click.group()
def group() -> None:
    """Look groups up by their numbers, and look after one that you founded or manage."""


@group.command("list")
@click.option("--search", metavar="TEXT", help="Only the group of this number, or groups whose name or id holds this.")
@limit_option
@server_command
def list_(cli: Cli, limit: int, search: str | None) -> None:
    """List the groups with their numbers."""
    list_rooms(cli, limit, search)


@group.command()
@click.argument("group")
@server_command
def show(cli: Cli, group: str) -> None:
    """Show one group: its number, cap, founder, managers and measures.

    GROUP is its number, like 123456786, or its id or an alias, in quotes.
    """
    answer = _look_up(cli.client(), group)
    if cli.as_json:
        cli.out.data(answer)
    else:
        show_room(cli.out, answer)


@group.command()
@click.argument("group")
@server_command
def number(cli: Cli, group: str) -> None:
    """Print the number of a group and nothing else.

    GROUP is its id or an alias, in quotes, or the number in any way in which people write it.
    """
    found = _look_up(cli.client(), group)["number"]
    if found is None:
        raise Refused(f"{group} has no number: direct chats, spaces and groups of other servers have none.")
    if cli.as_json:
        cli.out.data({"number": found})
    else:
        cli.out.say(found)


@group.command()
@click.argument("group")
@click.argument("person")
@click.option("--until", "until_ms", type=moment, metavar="WHEN", help=f"When it ends, {EXAMPLES}; else in an hour.")
@act_command
def mute(cli: Cli, group: str, person: str, until_ms: int | None, *, dry_run: bool, reason: str | None) -> None:
    """Let a member post nothing in a group for a while.

    GROUP is its number, or its id or an alias, in quotes; PERSON an account, who is told the reason. Only the founder
    and the managers of the group can do it, and not to each other; it ends by itself. In a chat: !group mute
    """
    client = cli.client()
    given = {"until_ms": until_ms, "reason": reason}
    body: dict[str, Any] = {name: held for name, held in given.items() if held is not None}
    named = _by_id(client, group) or group
    answer = client.act("PUT", path("rooms", named, "mutes", check_user_id(person)), body, dry_run=dry_run)
    report(cli.out, answer, act=f"mute {person} in {group}", done=f"Muted {person} in {group}", said=SAID)
    _say_dry(cli, answer)


@group.command()
@click.argument("group")
@click.argument("person")
@act_command
def unmute(cli: Cli, group: str, person: str, *, dry_run: bool, reason: str | None) -> None:
    """Let somebody post again before their mute ends.

    GROUP is its number, or its id or an alias, in quotes; PERSON an account. What the staff imposed only the staff
    can lift.
    """
    client = cli.client()
    named, body = _by_id(client, group) or group, _why(reason)
    answer = client.act("DELETE", path("rooms", named, "mutes", check_user_id(person)), body, dry_run=dry_run)
    said = (*SAID, "until_ms")
    report(cli.out, answer, act=f"unmute {person} in {group}", done=f"Unmuted {person} in {group}", said=said)


@group.command()
@click.argument("group")
@click.argument("person")
@act_command
def transfer(cli: Cli, group: str, person: str, *, dry_run: bool, reason: str | None) -> None:
    """Offer to hand a group over that you founded.

    GROUP is its number, or its id or an alias, in quotes; PERSON one of its managers, who is told, and becomes its
    founder by accepting. Power levels stay. In a chat: !group transfer
    """
    client = cli.client()
    named, body = _by_id(client, group) or group, {"user_id": check_user_id(person), **_why(reason)}
    answer = client.act("PUT", path("rooms", named, "founder"), body, dry_run=dry_run)
    report(cli.out, answer, act=f"offer {group} to {person}", done=f"Offered {group} to {person}", said=OFFERED)


@group.command()
@click.argument("group")
@act_command
def accept(cli: Cli, group: str, *, dry_run: bool, reason: str | None) -> None:
    """Become the founder of a group that was offered to you.

    GROUP is its number, or its id or an alias, in quotes. It takes one of your places for founding groups.
    """
    client = cli.client()
    where = _by_id(client, group) or group
    answer = client.act("POST", path("rooms", where, "founder", "accept"), _why(reason), dry_run=dry_run)
    report(cli.out, answer, act=f"take over {group}", done=f"Took over {group}", said=OFFERED[:1])


@group.command()
@click.argument("group")
@act_command
def decline(cli: Cli, group: str, *, dry_run: bool, reason: str | None) -> None:
    """Turn down a group that was offered to you, or take your own offer back.

    GROUP is its number, or its id or an alias, in quotes.
    """
    client = cli.client()
    where = _by_id(client, group) or group
    answer = client.act("POST", path("rooms", where, "founder", "decline"), _why(reason), dry_run=dry_run)
    report(cli.out, answer, act=f"end the offer of {group}", done=f"Ended the offer of {group}", said=OFFERED)


@group.command()
@click.argument("group")
@click.argument("category")
@act_command
def category(cli: Cli, group: str, category: str, *, dry_run: bool, reason: str | None) -> None:
    """Say what a group is about that you founded.

    GROUP is its number, or its id or an alias, in quotes; CATEGORY one of those that the server offers, or - for none.
    `groupreg group show` tells it.
    """
    client = cli.client()
    named = _by_id(client, group) or group
    body: dict[str, Any] = {"category": None if category == NONE else category, **_why(reason)}
    answer = client.act("PUT", path("rooms", named, "category"), body, dry_run=dry_run)
    report(cli.out, answer, act=f"set the category of {group}", done=f"Set the category of {group}")


@group.command()
@click.argument("group")
@click.argument("seconds", type=seconds_or_off)
@act_command
def slow(cli: Cli, group: str, seconds: int, *, dry_run: bool, reason: str | None) -> None:
    """Let each member of a group post once in so many seconds; its founder and managers are free.

    GROUP is its number, or its id or an alias, in quotes; SECONDS a number from 1 to 3600, also as 30s or 1m, or `off`.
    """
    client = cli.client()
    named, body = _by_id(client, group) or group, {"seconds": seconds or None, **_why(reason)}
    answer = client.act("PUT", path("rooms", named, "slow"), body, dry_run=dry_run)
    report(cli.out, answer, act=f"set the slow mode of {group}", done=f"Set the slow mode of {group}")
    _say_dry(cli, answer)


def _say_dry(cli: Cli, answer: Answer) -> None:
    if answer.get("dry") and not cli.as_json:
        cli.out.say("The server only tries its rules out, so this refuses nothing yet.")


def _why(reason: str | None) -> dict[str, str]:
    return {"reason": reason} if reason else {}


def _look_up(client: Client, group: str) -> Answer:
    by_id = _by_id(client, group)
    return client.get(path("groups", group)) if by_id is None else client.get(path("rooms", by_id))


def _by_id(client: Client, group: str) -> str | None:
    """Find the id of a group that is named by it or by an alias; None where it is named by its number."""
    named = not group.strip() or group.startswith("!") or (group.startswith("#") and ":" in group)
    return client.room_id(group) if named else None
