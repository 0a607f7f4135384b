# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""`groupreg retention`: what is kept, for how long, and the keys of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from synapse_groupreg.cli.changes import report, waits
from synapse_groupreg.cli.client import path
from synapse_groupreg.cli.journal import say_rest
from synapse_groupreg.cli.options import Cli, OneOf, Whole, check_user_id, limit_option, server_command
from synapse_groupreg.cli.output import plural
from synapse_groupreg.cli.times import EXAMPLES, moment, now_ms, since, until, utc

if TYPE_CHECKING:
    from synapse_groupreg.cli.client import Answer
    from synapse_groupreg.cli.output import Cell

LOGS = OneOf(["events", "acts"])
MIB = 1 << 20
SAID = ("id", "author", "made_ms", "lifted_ms", "lifted_by")
SAID_OF_ERASURE = ("id", "author", "asked_ms", "reason", "names", "records", "next_ms", "done_ms", "missing")


reason_option = click.option("--reason", metavar="TEXT", required=True, help="Why; kept in the act journal.")
dry_run_option = click.option("--dry-run", is_flag=True, help="Only say what would change.")


@click.group()
def retention() -> None:
    """Keep records longer, remove or erase them, and renew the keys of the retention store."""


@retention.group()
def hold() -> None:
    """Keep records of a time beyond the end of their keeping, for a court or an authority."""


@hold.command("list")
@click.option("--all", "everything", is_flag=True, help="Also holds that are over.")
@limit_option
@server_command
def list_(cli: Cli, limit: int, *, everything: bool) -> None:
    """List the holds in force."""
    answer = cli.client().listing("retention/holds", "holds", limit=limit, all="true" if everything else None)
    if cli.as_json:
        cli.out.data(answer)
        return
    rows: list[list[Cell]] = [
        [
            str(one["id"]),
            one["log"],
            utc(one["from_ms"]),
            utc(one["to_ms"]),
            utc(one["lifted_ms"] or one["until_ms"]),
            one["basis"],
            one["reason"],
            one["author"],
        ]
        for one in answer["holds"]
    ]
    columns = ("id", "log", "records from", "to (UTC)", "ends (UTC)", "basis", "reason", "author")
    cli.out.table("Legal holds", columns, rows, empty="None.")
    say_rest(cli.out, answer, "holds")


@hold.command()
@click.option(
    "--log", type=LOGS, default="events", show_default=True, help="What people did, or what was done to them."
)
@click.option(
    "--from", "from_ms", callback=since, metavar="WHEN", required=True, help="Records from then, like 2026-05-01 …"
)
@click.option("--to", "to_ms", callback=until, metavar="WHEN", required=True, help="… to then, that day included.")
@click.option("--until", "until_ms", type=moment, metavar="WHEN", required=True, help=f"Until when, {EXAMPLES}.")
@click.option("--basis", metavar="TEXT", required=True, help="The legal basis.")
@reason_option
@dry_run_option
@server_command
def add(cli: Cli, *, dry_run: bool, **fields: Any) -> None:
    """Keep the months that have records of that time, for at most three years."""
    answer = cli.client().act("POST", "retention/holds", fields, dry_run=dry_run)
    number = "" if dry_run else f" {answer['id']}"
    report(cli.out, answer, act="put a hold", done=f"Put hold{number}", said=SAID)


@hold.command()
@click.argument("number", type=Whole(min=1))
@click.option("--until", "until_ms", type=moment, metavar="WHEN", required=True, help=f"Until when, {EXAMPLES}.")
@reason_option
@dry_run_option
@server_command
def extend(cli: Cli, number: int, until_ms: int, reason: str, *, dry_run: bool) -> None:
    """Let the hold NUMBER end later, at most three years from now. To end it earlier, lift it."""
    body = {"until_ms": until_ms, "reason": reason}
    answer = cli.client().act("PUT", path("retention", "holds", number), body, dry_run=dry_run)
    report(cli.out, answer, act=f"extend hold {number}", done=f"Extended hold {number}", said=SAID)


@hold.command()
@click.argument("number", type=Whole(min=1))
@reason_option
@dry_run_option
@server_command
def lift(cli: Cli, number: int, reason: str, *, dry_run: bool) -> None:
    """Lift the hold NUMBER: what it kept goes when it is due."""
    answer = cli.client().act("DELETE", path("retention", "holds", number), {"reason": reason}, dry_run=dry_run)
    report(
        cli.out,
        answer,
        act=f"lift hold {number}",
        done=f"Lifted hold {number}; what it kept goes when it is due",
        said=SAID,
    )


@retention.command()
@click.option("--now", "at_once", is_flag=True, help="Remove what is due, and don't wait for the daily round.")
@click.option("--dry-run", is_flag=True, help="Say what would go, and what keeps the rest.")
@click.option("--reason", metavar="TEXT", help="Why; needed with --now, and kept in the act journal.")
@server_command
def purge(cli: Cli, *, at_once: bool, dry_run: bool, reason: str | None) -> None:
    """Remove months that were kept long enough. By itself that happens a month a day, as soon as one is due."""
    client = cli.client()
    if dry_run or not at_once:
        answer = client.get("retention/periods")
        if cli.as_json:
            cli.out.data(answer)
        else:
            show_periods(cli, answer)
            cli.out.say(nothing_removed(answer))
        return
    if not reason:
        raise click.UsageError("Nothing was removed: --now needs --reason, as it is recorded why.")
    answer = client.act("POST", "retention/purge", {"reason": reason})
    report(cli.out, answer, act="remove what is due", done="The recorder removes what is due")


def nothing_removed(answer: Answer) -> str:
    """Say that this was a look only, and what would remove."""
    due = sum(one["due"] for one in answer["periods"])
    if not due:
        return "Nothing was removed: no month is due."
    month = plural(due, "month is", "months are")
    return f'Nothing was removed. {month} due; to remove at once: groupreg retention purge --now --reason "…"'


def show_periods(cli: Cli, answer: Answer) -> None:
    """Print each month with what keeps it."""
    now = now_ms()
    rows: list[list[Cell]] = [
        [
            one["log"],
            one["month"],
            one["records"],
            f"{one['bytes'] / MIB:,.1f} MiB",
            utc(one["newest_ms"]),
            _stands(one, now),
        ]
        for one in answer["periods"]
    ]
    columns = ("log", "month", "records", "size", "newest (UTC)", "goes")
    cli.out.table("Months in the retention store", columns, rows, empty="Nothing was recorded yet.")


def _stands(one: Answer, now: int) -> str:
    if one["held_by"]:
        return f"not before hold {', '.join(map(str, one['held_by']))} ends"
    if one["due"]:
        return "now"
    if one["goes_ms"] is None or one["goes_ms"] < now:
        return "after those before it"
    return f"after {utc(one['goes_ms'])} UTC"


@retention.command()
@click.argument("user_id")
@reason_option
@click.option("--duty-ended", metavar="TEXT", help="Why no duty keeps them though keep is not over; a second agrees.")
@dry_run_option
@server_command
def erase(cli: Cli, user_id: str, reason: str, duty_ended: str | None, *, dry_run: bool) -> None:
    """Erase what the records say of the account USER_ID: its name, addresses, devices, and what it said.

    While the duty to keep a month's records runs, or a legal hold, that month waits: see groupreg retention erasures.
    """
    body = {"user_id": check_user_id(user_id), "reason": reason, **({"duty_ended": duty_ended} if duty_ended else {})}
    answer = cli.client().act("POST", "retention/erasures", body, dry_run=dry_run)
    if dry_run and not cli.as_json:
        show_outlook(cli, answer)
        return
    done = "The recorder erases what no duty keeps; groupreg retention erasures says when the rest is erased"
    report(cli.out, answer, act="erase these records", done=done, said=SAID_OF_ERASURE)


def show_outlook(cli: Cli, answer: Answer) -> None:
    """Say what an erasure would take now, and what waits."""
    months = answer.get("months") or []
    rows: list[list[Cell]] = [
        [
            one["log"],
            one["month"],
            one["records"],
            "at once" if one["until_ms"] is None else f"after {utc(one['until_ms'])} UTC",
            {None: "", "keep": "the duty to keep runs"}.get(one["kept_by"], one["kept_by"]),
        ]
        for one in months
    ]
    cli.out.say("Dry run, nothing was changed.")
    title = f"Months with records of {answer['user_id']}"
    cli.out.table(title, ("log", "month", "records at least", "would be erased", "kept by"), rows, empty="None.")
    if not months:
        cli.out.warn(f"No record is of {answer['user_id']}: is it written right?")
    now = [one for one in months if one["until_ms"] is None]
    records = plural(sum(one["records"] for one in now), "record")
    later = plural(len(months) - len(now), "month")
    cli.out.say(
        f"At once: {records} of {plural(len(now), 'month')}; later: {later}. Texts that name the account are erased,"
        " too."
    )
    waits(cli.out, answer)


@retention.command()
@limit_option
@server_command
def erasures(cli: Cli, limit: int) -> None:
    """List erasures: what was erased, and when the rest follows."""
    answer = cli.client().listing("retention/erasures", "erasures", limit=limit)
    if cli.as_json:
        cli.out.data(answer)
        return
    rows: list[list[Cell]] = [
        [
            str(one["id"]),
            one["account"] or "erased",
            utc(one["asked_ms"]),
            one["records"],
            "done" if one["done_ms"] else utc(one["next_ms"]) or "soon",
            ", ".join(one.get("missing") or []) or None,
            one["reason"],
        ]
        for one in answer["erasures"]
    ]
    columns = ("id", "account", "asked (UTC)", "records erased", "the rest (UTC)", "waits for", "reason")
    cli.out.table("Erasures", columns, rows, empty="None.")
    say_rest(cli.out, answer, "erasures")


@retention.command("rotate-keys")
@click.option("--signing", is_flag=True, help="Also the key that signs checkpoints and bundles.")
@reason_option
@dry_run_option
@server_command
def rotate_keys(cli: Cli, reason: str, *, signing: bool, dry_run: bool) -> None:
    """Renew the keys. No record is touched; backups of the store then need a backup of the keys of their time."""
    answer = cli.client().act("POST", "retention/keys", {"signing": signing, "reason": reason}, dry_run=dry_run)
    report(cli.out, answer, act="renew the keys", done="The recorder renews the keys")


@retention.command()
@click.option("--log", type=LOGS, required=True, help="The log whose end was lost.")
@reason_option
@dry_run_option
@server_command
def epoch(cli: Cli, log: str, reason: str, *, dry_run: bool) -> None:
    """Go on after records were lost that were signed: in a new shard, which begins by naming the loss.

    Put the newest copy of the store back first, if there is one. What Synapse still has is recorded again.
    """
    answer = cli.client().act("POST", "retention/epoch", {"log": log, "reason": reason}, dry_run=dry_run)
    report(
        cli.out, answer, act=f"go on with the log {log} in a new shard", done=f"The log {log} goes on in a new shard"
    )
