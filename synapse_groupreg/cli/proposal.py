# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""`groupreg proposal`: acts that wait for a second member of staff."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from synapse_groupreg.cli.changes import report, words
from synapse_groupreg.cli.client import path
from synapse_groupreg.cli.journal import say_rest
from synapse_groupreg.cli.options import Cli, Whole, act_command, limit_option, server_command
from synapse_groupreg.cli.output import plural
from synapse_groupreg.cli.times import utc

if TYPE_CHECKING:
    from synapse_groupreg.cli.output import Cell

ACT_S = 600


@click.group()
def proposal() -> None:
    """Decide on acts that wait for a second member of staff."""


@proposal.command("list")
@click.option("--all", "everything", is_flag=True, help="Also those that were decided or expired.")
@limit_option
@server_command
def list_(cli: Cli, limit: int, *, everything: bool) -> None:
    """List the acts that wait."""
    answer = cli.client().listing("proposals", "proposals", limit=limit, all="true" if everything else None)
    if cli.as_json:
        cli.out.data(answer)
        return
    rows: list[list[Cell]] = [
        [
            str(one["id"]),
            one["state"],
            one["action"],
            one["subject"],
            one["accounts"],
            one["author"],
            utc(one["expires_ms"]),
            one["reason"],
        ]
        for one in answer["proposals"]
    ]
    columns = ("id", "state", "act", "on", "accounts", "author", "expires (UTC)", "reason")
    cli.out.table("Proposals", columns, rows, empty="Nothing waits.")
    say_rest(cli.out, answer, "proposals")


@proposal.command()
@click.argument("number", type=Whole(min=1))
@server_command
def show(cli: Cli, number: int) -> None:
    """Show one proposal, and the first accounts that it would bar.

    NUMBER is the one that groupreg proposal list shows; --json has the act in full.
    """
    answer = cli.client().get(path("proposals", number))
    if cli.as_json:
        cli.out.data(answer)
        return
    payload = answer.get("payload") or {}
    said = {words(name): answer.get(name) for name in ("state", "action", "subject", "author", "reason", "decided_by")}
    further = {words(name): str(payload[name]) for name in ("duty_ended", "grave") if payload.get(name)}
    whom = {"concerns": str(payload["user_id"])} if payload.get("user_id") else {}
    times = {"proposed (UTC)": utc(answer["created_ms"]), "expires (UTC)": utc(answer["expires_ms"])}
    cli.out.facts(f"Proposal {number}", {**said, **further, **whom, **times})
    if not answer["accounts"]:
        return
    cli.out.heading(f"It would bar {plural(answer['accounts'], 'account')} of this server")
    for account in answer["sample"]:
        cli.out.say(f"  {account}")
    if answer["accounts"] > len(answer["sample"]):
        cli.out.say("  ...")


@proposal.command()
@click.argument("number", type=Whole(min=1))
@act_command
def approve(cli: Cli, number: int, *, dry_run: bool, reason: str | None) -> None:
    """Agree to an act that somebody else proposed: it is carried out now, in both names.

    NUMBER is the one that groupreg proposal list shows.
    """
    body = {"reason": reason} if reason else {}
    answer = cli.client().act("POST", path("proposals", number, "approve"), body, dry_run=dry_run, timeout=ACT_S)
    report(cli.out, answer, act=f"approve proposal {number}", done=f"Proposal {number} is carried out")


@proposal.command()
@click.argument("number", type=Whole(min=1))
@act_command
def reject(cli: Cli, number: int, *, dry_run: bool, reason: str | None) -> None:
    """Turn a proposal down, or take your own back.

    NUMBER is the one that groupreg proposal list shows.
    """
    body = {"reason": reason} if reason else {}
    answer = cli.client().act("POST", path("proposals", number, "reject"), body, dry_run=dry_run)
    report(cli.out, answer, act=f"reject proposal {number}", done=f"Proposal {number} is turned down")
