# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""`groupreg appeal`: appeal against a measure, and decide on appeals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from synapse_groupreg.cli.changes import report as say
from synapse_groupreg.cli.client import path
from synapse_groupreg.cli.journal import say_rest
from synapse_groupreg.cli.measures import say_effects
from synapse_groupreg.cli.options import Cli, OneOf, Whole, check_user_id, limit_option, server_command
from synapse_groupreg.cli.times import EXAMPLES, moment, utc

if TYPE_CHECKING:
    from collections.abc import Mapping

    from synapse_groupreg.cli.output import Cell

OUTCOMES = ("upheld", "changed", "lifted")
COLUMNS = ("id", "measure", "by", "made (UTC)", "state", "decided (UTC)", "decided by", "why")
SAID = ("id", "measure_id", "author", "made_ms", "answer", "decided_by", "decided_ms")
"""What of an appeal the reader typed, or reads in the sentence."""


@click.group()
def appeal() -> None:
    """Appeal against a measure, or decide on appeals."""


@appeal.command("list")
@click.option("--all", "everything", is_flag=True, help="Also those that are decided.")
@click.option("--measure", type=Whole(min=1), metavar="NUMBER", help="Only those against this measure.")
@click.option("--account", metavar="USER", help="All appeals of this account; it is recorded who looks at another's.")
@limit_option
@server_command
def list_(cli: Cli, limit: int, measure: int | None, account: str | None, *, everything: bool) -> None:
    """List the appeals that wait, the newest first. With --account your own, whoever you are."""
    client = cli.client()
    if account is not None:
        answer = client.listing(path("accounts", check_user_id(account), "appeals"), "appeals", limit=limit)
    else:
        wanted = {"all": "true" if everything else None, "measure": None if measure is None else str(measure)}
        answer = client.listing("appeals", "appeals", limit=limit, **wanted)
    if cli.as_json:
        cli.out.data(answer)
        return
    cli.out.table("Appeals", COLUMNS, [row(one) for one in answer["appeals"]], empty="Nothing waits.")
    say_rest(cli.out, answer, "appeals")


@appeal.command()
@click.argument("number", type=Whole(min=1))
@click.option("--reason", metavar="TEXT", help="Why you look; kept in the record of your look.")
@server_command
def show(cli: Cli, number: int, reason: str | None) -> None:
    """Show one appeal with what its author wrote; that you looked is recorded.

    NUMBER is the one that groupreg appeal list shows.
    """
    answer = cli.client().get(path("appeals", number), reason=reason)
    if cli.as_json:
        cli.out.data(answer)
        return
    shown = {
        name.removesuffix("_ms").replace("_id", "").replace("_", " "): utc(held) if name.endswith("_ms") else held
        for name, held in answer.items()
        if name not in ("id", "text")
    }
    cli.out.facts(f"Appeal {number}", shown)
    cli.out.heading("What its author wrote")
    cli.out.say(answer["text"] or "It was erased.")


@appeal.command()
@click.argument("measure", type=Whole(min=1))
@click.option("--text", metavar="TEXT", required=True, help="What speaks against it; or, to a warning, your answer.")
@click.option("--dry-run", is_flag=True, help="Only say what would change.")
@server_command
def make(cli: Cli, measure: int, text: str, *, dry_run: bool) -> None:
    """Appeal against a measure on yourself or on a group that you founded or manage.

    MEASURE is the case number that the refusal or the notice shows. In a chat: !group appeal MEASURE TEXT
    """
    answer = cli.client().act("POST", "appeals", {"measure_id": measure, "text": text}, dry_run=dry_run)
    number = f" (appeal {answer['id']})" if answer.get("id") and not dry_run else ""
    done = f"Appealed against measure {measure}{number}"
    say(cli.out, answer, act=f"appeal against measure {measure}", done=done, said=(*SAID, "state"))


@appeal.command()
@click.argument("number", type=Whole(min=1))
@click.argument("outcome", type=OneOf(OUTCOMES))
@click.option("--scope", type=OneOf(["groups"]), help="For changed: bar from groups only, no more as a whole.")
@click.option("--until", "until_ms", type=moment, metavar="WHEN", help=f"For changed: an earlier end, {EXAMPLES}.")
@click.option("--deadline", "deadline_ms", type=moment, metavar="WHEN", help="For changed: a warning's later deadline.")
@click.option("--reason", metavar="TEXT", required=True, help="Why; who appealed reads it.")
@click.option("--dry-run", is_flag=True, help="Only say what would change, and whom it touches.")
@server_command
def decide(cli: Cli, number: int, outcome: str, *, dry_run: bool, **fields: Any) -> None:
    """Decide an appeal: the measure stays, is made milder, or is lifted, at once.

    NUMBER is the one that groupreg appeal list shows, OUTCOME upheld, changed or lifted. Whoever imposed the measure
    doesn't decide.
    """
    body = {"outcome": outcome, **{name: held for name, held in fields.items() if held is not None}}
    answer = cli.client().act("POST", path("appeals", number, "decision"), body, dry_run=dry_run)
    act, done = f"decide appeal {number}: {outcome}", f"Decided appeal {number}: {outcome}"
    say(cli.out, answer, act=act, done=done, said=(*SAID, "state"))
    say_effects(cli.out, answer)


def row(one: Mapping[str, Any]) -> list[Cell]:
    """Write one appeal."""
    return [
        str(one["id"]),
        str(one["measure_id"]),
        one["author"],
        utc(one["made_ms"]),
        one["state"],
        utc(one.get("decided_ms")),
        one.get("decided_by"),
        one.get("answer"),
    ]
