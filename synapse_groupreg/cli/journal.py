# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""`groupreg acts`, `refusals` and `notices`: what staff did, what was refused, and who was told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from synapse_groupreg.cli.changes import differences, without
from synapse_groupreg.cli.options import Cli, OneOf, limit_option, server_command
from synapse_groupreg.cli.output import brief
from synapse_groupreg.cli.times import utc

if TYPE_CHECKING:
    from collections.abc import Mapping

    from synapse_groupreg.cli.client import Answer
    from synapse_groupreg.cli.output import Cell, Output

ACT_COLUMNS = ("when (UTC)", "author", "action", "subject", "change", "reason")
NOTICE_COLUMNS = ("when (UTC)", "account", "about", "room", "state", "sent (UTC)", "tries", "problem")
NOTICE_STATES = ("waiting", "sending", "sent", "dropped", "failed")
REFUSAL_COLUMNS = ("when (UTC)", "account", "code", "attempt", "room", "times", "mode")


@click.command()
@click.option("--author", metavar="USER", help="Only acts of this member of staff.")
@click.option("--subject", metavar="ID", help="Only acts on this account, room or server.")
@click.option("--action", metavar="NAME", help="Only acts of this kind.")
@limit_option
@server_command
def acts(cli: Cli, limit: int, author: str | None, subject: str | None, action: str | None) -> None:
    """List what staff did, newest first: who, what, on whom, why. Long texts are cut; --json has them whole."""
    answer = cli.client().listing("acts", "acts", limit=limit, author=author, subject=subject, action=action)
    if cli.as_json:
        cli.out.data(answer)
        return
    rows = [act_row(act) for act in answer["acts"]]
    cli.out.table("Acts", ACT_COLUMNS, rows, empty="None that match.")
    say_rest(cli.out, answer, "acts")


@click.command()
@click.option("--account", metavar="USER", help="Only refusals of this account.")
@click.option("--code", metavar="CODE", help="Only refusals with this code, like room-full.")
@click.option("--room", metavar="ROOM", help="Only refusals in this room (id or alias).")
@limit_option
@server_command
def refusals(cli: Cli, limit: int, account: str | None, code: str | None, room: str | None) -> None:
    """List what was refused, or in dry mode would have been, newest first."""
    client = cli.client()
    room_id = client.room_id(room) if room else None
    answer = client.listing("refusals", "refusals", limit=limit, account=account, code=code, room_id=room_id)
    if cli.as_json:
        cli.out.data(answer)
        return
    rows = [refusal_row(refusal) for refusal in answer["refusals"]]
    cli.out.table("Refusals, summed up by minute", REFUSAL_COLUMNS, rows, empty="None that match.")
    say_rest(cli.out, answer, "refusals")


@click.command()
@click.option("--account", metavar="USER", help="Only notices to this account.")
@click.option("--state", type=OneOf(NOTICE_STATES), help="Only notices that are this far.")
@limit_option
@server_command
def notices(cli: Cli, limit: int, account: str | None, state: str | None) -> None:
    """List the messages that explain refusals, newest first: what was sent, what waits, what failed."""
    answer = cli.client().listing("notices", "notices", limit=limit, account=account, state=state)
    if cli.as_json:
        cli.out.data(answer)
        return
    rows = [notice_row(notice) for notice in answer["notices"]]
    cli.out.table("Notices", NOTICE_COLUMNS, rows, empty="None that match.")
    say_rest(cli.out, answer, "notices")


def notice_row(notice: Mapping[str, Any]) -> list[Cell]:
    """Write one notice."""
    return [
        utc(notice.get("created_ms")),
        notice.get("account"),
        notice.get("code"),
        notice.get("room_id"),
        notice.get("state"),
        utc(notice.get("sent_ms")),
        notice.get("tries"),
        notice.get("problem"),
    ]


def act_row(act: Mapping[str, Any]) -> list[Cell]:
    """Write one act; its reason stands in the last column and not in the change, too."""
    before, after, reason = as_object(act.get("before")), as_object(act.get("after")), act.get("reason")
    told = ("reason",) if after.get("reason") == reason else ()
    change = "; ".join(differences(without(before, told), without(after, told)))
    who_and_what = [act.get("author"), act.get("action"), act.get("subject")]
    return [utc(act.get("ts_ms")), *who_and_what, brief(change), brief(reason or "")]


def as_object(held: object) -> dict[str, Any]:
    """Give `before` and `after` one shape; an act may hold a bare value."""
    if isinstance(held, dict):
        return held
    return {} if held is None else {"value": held}


def refusal_row(refusal: Mapping[str, Any]) -> list[Cell]:
    """Write one minute of refusals."""
    return [
        utc(refusal.get("last_ms") or refusal.get("minute_ms")),
        refusal.get("account"),
        refusal.get("code"),
        refusal.get("attempt"),
        refusal.get("room_id"),
        refusal.get("count"),
        "dry" if refusal.get("dry") else "refused",
    ]


def say_rest(out: Output, answer: Answer, name: str) -> None:
    """Say when a list was cut, and how to see the rest."""
    shown = len(answer[name])
    if answer["total"] > shown:
        out.say(f"{shown:,} of {answer['total']:,}; see all with --limit 0.")
