# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""`groupreg emergency`: stop posting, joining or founding for everybody but staff, at once."""

from __future__ import annotations

from typing import Any

import click

from synapse_groupreg.cli.changes import report, waits
from synapse_groupreg.cli.options import Cli, OneOf, server_command
from synapse_groupreg.cli.times import EXAMPLES, moment, utc

SWITCHES = OneOf(["posting", "joining", "founding"])


@click.group()
def emergency() -> None:
    """Stop posting, joining or founding for everybody but staff, at once."""


@emergency.command()
@click.argument("switches", type=SWITCHES, nargs=-1, required=True)
@click.option("--until", "until_ms", type=moment, metavar="WHEN", required=True, help=f"When it ends, {EXAMPLES}.")
@click.option("--room", metavar="ROOM", help="Only in this room.")
@click.option("--reason", metavar="TEXT", required=True, help="Why; everybody reads it who is refused something.")
@click.option("--dry-run", is_flag=True, help="Only say what would change.")
@server_command
def on(cli: Cli, switches: tuple[str, ...], room: str | None, reason: str, *, until_ms: int, dry_run: bool) -> None:
    """Stop something, on the whole server or in one room; again, to change its end.

    SWITCHES are posting, joining, founding: one or several.
    """
    body = {"on": True, "until_ms": until_ms, "reason": reason}
    _switch(cli, switches, room, body, dry_run=dry_run)


@emergency.command()
@click.argument("switches", type=SWITCHES, nargs=-1, required=True)
@click.option("--room", metavar="ROOM", help="Only in this room.")
@click.option("--reason", metavar="TEXT", help="Why; kept in the act journal.")
@click.option("--dry-run", is_flag=True, help="Only say what would change.")
@server_command
def off(cli: Cli, switches: tuple[str, ...], room: str | None, reason: str | None, *, dry_run: bool) -> None:
    """Let it go on.

    SWITCHES are posting, joining, founding: one or several.
    """
    _switch(cli, switches, room, {"on": False, **({"reason": reason} if reason else {})}, dry_run=dry_run)


@emergency.command()
@server_command
def show(cli: Cli) -> None:
    """Show what is stopped now."""
    answer = cli.client().get("emergency")
    if cli.as_json:
        cli.out.data(answer)
        return
    rows = [
        [one["subject"], one["room"] or "the whole server", utc(one["until_ms"]), one["author"], one["reason"]]
        for one in answer["emergency"]
    ]
    columns = ("stopped", "where", "until (UTC)", "author", "reason")
    cli.out.table("Emergency", columns, rows, empty="Nothing is stopped.")


def _switch(cli: Cli, switches: tuple[str, ...], room: str | None, body: dict[str, Any], *, dry_run: bool) -> None:
    client = cli.client()
    if room is not None:
        body["room"] = client.room_id(room) if room.startswith("#") else room
    answer = client.act("PUT", "emergency", {**body, "switches": list(switches)}, dry_run=dry_run)
    what, where = " and ".join(switches), room or "the whole server"
    verb, done = ("stop", "Stopped") if body["on"] else ("let go on", "Goes on")
    if cli.as_json or waits(cli.out, answer):
        report(cli.out, answer, act="", done="")
    elif not answer["changed"]:
        cli.out.say(f"Nothing to change: the server already has it so ({verb} {what} in {where}).")
    elif answer["dry_run"]:
        cli.out.say(f"Dry run, nothing was changed. This would {verb}: {what} in {where}.")
    else:
        cli.out.say(f"{done}: {what} in {where}.")
