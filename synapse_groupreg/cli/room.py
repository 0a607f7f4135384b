# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""`groupreg room`: look at groups, set their caps, label them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from synapse_groupreg import texts
from synapse_groupreg.cli.changes import report
from synapse_groupreg.cli.client import path
from synapse_groupreg.cli.journal import say_rest
from synapse_groupreg.cli.measures import show_measures
from synapse_groupreg.cli.options import Cli, Places, act_command, limit_option, places, places_or_null, server_command
from synapse_groupreg.cli.times import now_ms, utc

if TYPE_CHECKING:
    from collections.abc import Mapping

    from synapse_groupreg.cli.client import Answer
    from synapse_groupreg.cli.output import Cell, Output

COLUMNS = ("number", "room", "name", "kind", "members", "cap", "founder")


@click.group()
def room() -> None:
    """Look at groups, set their caps, label them."""


@room.command("list")
@click.option("--search", metavar="TEXT", help="Only the room of this number, or rooms whose name or id holds this.")
@limit_option
@server_command
def list_(cli: Cli, limit: int, search: str | None) -> None:
    """List the groups."""
    list_rooms(cli, limit, search)


def list_rooms(cli: Cli, limit: int, search: str | None) -> None:
    """Print a list of groups."""
    answer = cli.client().listing("rooms", "rooms", limit=limit, search=search)
    if cli.as_json:
        cli.out.data(answer)
        return
    cli.out.table("Groups", COLUMNS, [row(one) for one in answer["rooms"]], empty="None that match.")
    say_rest(cli.out, answer, "rooms")


@room.command()
@click.argument("room")
@server_command
def show(cli: Cli, room: str) -> None:
    """Show one room: its cap, founder, managers and measures.

    ROOM is an id like '!abc:example.org' or an alias like '#garden:example.org', in quotes, or a group's number.
    """
    client = cli.client()
    answer = client.get(path("rooms", client.room_id(room)))
    if cli.as_json:
        cli.out.data(answer)
    else:
        show_room(cli.out, answer)


@room.command()
@click.argument("room")
@click.argument("members", type=places)
@act_command
def cap(cli: Cli, room: str, members: Places, *, dry_run: bool, reason: str | None) -> None:
    """Set how many members a room may have.

    ROOM is an id or an alias, in quotes, or a group's number; MEMBERS how many, or `default` for the server's cap.
    Nobody is removed: a room over its cap admits nobody until below.
    """
    client = cli.client()
    body: dict[str, Any] = {"members": places_or_null(members)}
    if reason:
        body["reason"] = reason
    answer = client.act("PUT", path("rooms", client.room_id(room), "quotas"), body, dry_run=dry_run)
    report(cli.out, answer, act=f"set the cap of {room}", done=f"Set the cap of {room}")


@room.command()
@click.argument("room")
@act_command
def label(cli: Cli, room: str, *, dry_run: bool, reason: str | None) -> None:
    """Name the roles in a group that you founded, for clients to show.

    ROOM is an id or an alias, in quotes. The words are written into the room in your name, so only the founder of a
    group can ask for them; a server admin can't. New groups get them when they are founded.
    """
    client = cli.client()
    body = {"reason": reason} if reason else {}
    answer = client.act("PUT", path("rooms", client.room_id(room), "labels"), body, dry_run=dry_run)
    report(cli.out, answer, act=f"label {room}", done=f"Labelled {room}")


def _by_level(labels: Mapping[str, str]) -> list[tuple[str, str]]:
    """Put the lowest level first: JSON names them by text, in which 100 comes before 50."""
    return sorted(labels.items(), key=lambda label: (len(label[0]), label[0]))


def members_of(room: Mapping[str, Any]) -> Mapping[str, Any]:
    """Give the quota of members of a room."""
    members: Mapping[str, Any] = (room.get("quotas") or {}).get("members") or {}
    return members


def row(room: Mapping[str, Any]) -> list[Cell]:
    """Write one room of a list."""
    members = members_of(room)
    ended = ", deleted" if room.get("deleted") else ", replaced" if room.get("successor") else ""
    return [
        room.get("number"),
        room.get("room_id"),
        room.get("name"),
        f"{room.get('kind')}{ended}",
        members.get("used"),
        members.get("limit"),
        room.get("founder"),
    ]


def named(room: Mapping[str, Any], user_id: object) -> str:
    """Write an account with the name that its person chose: `Alice (@alice:example.org)`."""
    name = (room.get("names") or {}).get(user_id)
    return f"{name} ({user_id})" if name else str(user_id or "")


def _muted(room: Mapping[str, Any], mute: Mapping[str, Any]) -> str:
    why = " ".join((mute["reason"] or "").split())
    return f"{named(room, mute['account'])} until {utc(mute['until_ms'])}" + (f" (“{why}”)" if why else "")


def _size(tier: Mapping[str, Any] | None) -> str:
    return "{tier} ({members})".format(**texts.size_tier("en", **tier)) if tier else "none"


def show_room(out: Output, room: Answer) -> None:
    """Print one room."""
    members = members_of(room)
    own = "set for this room" if members.get("override") is not None else "the server's default"
    limit = members.get("limit")
    out.facts(
        str(room.get("name") or room.get("room_id")),
        {
            "number": room.get("number"),
            "room": room.get("room_id"),
            "kind": room.get("kind"),
            "category": room.get("category"),
            "version": str(room.get("room_version") or ""),
            "founder": named(room, room.get("founder")),
            "managers": ", ".join(named(room, one) for one in room.get("managers") or []),
            "labels": ", ".join(f"{level} {word}" for level, word in _by_level(room.get("labels") or {})) or "none",
            "members": members.get("used"),
            "size tier": _size(room.get("size_tier")),
            "slow mode": f"once in {room['slow_ms'] // 1000} s" if room.get("slow_ms") else "off",
            "cap": f"{limit:,} ({own})" if isinstance(limit, int) else "none",
            "federated": "yes" if room.get("federated") else "no",
            "encrypted": "yes" if room.get("encrypted") else "no",
            "replaces": room.get("predecessor"),
            "replaced by": room.get("successor"),
        },
    )
    muted = [_muted(room, one) for one in room.get("mutes") or []]
    if muted:
        out.facts("Muted by those who look after the group (UTC)", {"accounts": ", ".join(muted)})
    show_measures(out, room.get("measures") or [], now_ms())
