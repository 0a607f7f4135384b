# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""`groupreg measure`: warn, suspend, close, revoke, and lift it again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from synapse_groupreg.cli.changes import report as say
from synapse_groupreg.cli.changes import words
from synapse_groupreg.cli.client import is_number, path
from synapse_groupreg.cli.journal import say_rest
from synapse_groupreg.cli.measures import LIFTED, SAID, say_effects, show_measures, warn_of_agreement
from synapse_groupreg.cli.options import Cli, OneOf, Whole, act_command, limit_option, server_command
from synapse_groupreg.cli.times import EXAMPLES, moment, now_ms, utc

if TYPE_CHECKING:
    from collections.abc import Callable

KINDS = (
    "warning",
    "posting-suspended",
    "joining-suspended",
    "management-suspended",
    "founding-revoked",
    "closed",
    "blacklisted",
)
STATES = ("not-due", "due", "handed-in", "not-reported")
NAMES = {"report_ms": "report noted", "accepted": "agreement accepted"}
"""What a value is called that would else be called like another."""


@click.group()
def measure() -> None:
    """Warn, suspend, close, revoke, and lift it again."""


def when(name: str, field: str, text: str) -> Callable[[Any], Any]:
    """Add an option that takes a time."""
    return click.option(name, field, type=moment, metavar="WHEN", help=text)


@measure.command()
@click.argument("kind", type=OneOf(KINDS))
@click.argument("subject")
@click.option("--basis", metavar="TEXT", required=True, help="The article, or the clause and version of the agreement.")
@click.option("--in", "room", metavar="ROOM", help="The one group in which posting or management is suspended.")
@when("--until", "until_ms", f"When it ends, {EXAMPLES}.")
@when("--deadline", "deadline_ms", "Of a warning: until when something is to be put right, like --until.")
@when("--review", "review_ms", "When staff is to look again, like --until.")
@click.option("--note", metavar="TEXT", help="What only staff read.")
@click.option("--grave", metavar="TEXT", help="Why a step of the usual order is skipped; takes --review.")
@click.option("--key", metavar="TEXT", help="A text of your own: asking again with the same one is the same act.")
@click.option("--reason", metavar="TEXT", required=True, help="Why; the people concerned read it.")
@click.option("--dry-run", is_flag=True, help="Only say what would change, and whom it touches.")
@server_command
def impose(cli: Cli, kind: str, subject: str, room: str | None, *, dry_run: bool, **fields: Any) -> None:
    """Impose a measure on an account (and its person) or a group.

    KIND is warning, posting-suspended, joining-suspended, management-suspended, founding-revoked, closed or
    blacklisted; SUBJECT is '@user:example.org', '!room:example.org', '#alias:example.org' (put it in quotes), or the
    number of a group. The same kind on the same subject again changes the open measure.
    """
    client = cli.client()
    is_group = subject.startswith("#") or is_number(subject)
    named = {"entity": client.room_id(subject) if is_group else subject, "kind": kind}
    if room is not None:
        named["room"] = client.room_id(room)
    body = {**named, **{name: held for name, held in fields.items() if held is not None}}
    answer = client.act("POST", "measures", body, dry_run=dry_run)
    number = f" (measure {answer['id']})" if answer.get("id") is not None else ""
    say(cli.out, answer, act=f"impose {kind} on {subject}", done=f"Imposed {kind} on {subject}{number}", said=SAID)
    say_effects(cli.out, answer)
    warn_of_agreement(cli.out, answer)


@measure.command()
@click.argument("number", type=Whole(min=1))
@act_command
def lift(cli: Cli, number: int, *, dry_run: bool, reason: str | None) -> None:
    """Lift a measure: everything that it cut is as before.

    NUMBER is the one that groupreg measure list shows. Who was removed from a closed group stays out of it.
    """
    answer = cli.client().act("DELETE", path("measures", number), {"reason": reason} if reason else {}, dry_run=dry_run)
    subject = (answer.get("after") or {}).get("subject")
    say(
        cli.out,
        answer,
        act=f"lift measure {number} ({subject})",
        done=f"Lifted measure {number} ({subject})",
        said=(*SAID, *LIFTED),
    )
    say_effects(cli.out, answer)


@measure.command("list")
@click.option("--all", "everything", is_flag=True, help="Also measures that ended or were lifted.")
@click.option("--subject", metavar="ENTITY", help="Only measures on this account, room, server or glob.")
@click.option("--kind", type=OneOf((*KINDS, "emergency")), help="Only measures of this kind.")
@click.option("--due", is_flag=True, help="Only those that wait for you: a deadline, a review date, or a report.")
@limit_option
@server_command
def list_(cli: Cli, limit: int, subject: str | None, kind: str | None, *, everything: bool, due: bool) -> None:
    """List the measures in force, the newest first."""
    every, waiting = ("true" if one else None for one in (everything, due))
    wanted = {"all": every, "subject": subject, "kind": kind, "due": waiting}
    answer = cli.client().listing("measures", "measures", limit=limit, **wanted)
    if cli.as_json:
        cli.out.data(answer)
        return
    show_measures(cli.out, answer["measures"], now_ms())
    for one in answer["measures"]:
        if one.get("next_step"):
            cli.out.say(
                f"The deadline of warning {one['id']} passed on {utc(one['deadline_ms'])} UTC; the next step would be"
                f" {one['next_step']}: groupreg measure impose {one['next_step']} '{one['subject']}'"
            )
    say_rest(cli.out, answer, "measures")


@measure.command()
@click.argument("number", type=Whole(min=1))
@server_command
def show(cli: Cli, number: int) -> None:
    """Show one measure, with the note for staff.

    NUMBER is the one that groupreg measure list shows.
    """
    answer = cli.client().get(path("measures", number))
    if cli.as_json:
        cli.out.data(answer)
        return
    cli.out.facts(
        f"Measure {number}",
        {
            NAMES.get(name) or words(name): utc(held) if name.endswith("_ms") else _shown(held)
            for name, held in answer.items()
            if name != "id"
        },
    )


def _shown(held: Any) -> Any:
    return ", ".join(held) or "no version" if isinstance(held, list) else held


@measure.command()
@click.argument("number", type=Whole(min=1))
@click.argument("state", type=OneOf(STATES))
@click.option("--text", metavar="TEXT", help="The receipt of a report that was handed in, or why there is none.")
@act_command
def report(cli: Cli, number: int, state: str, text: str | None, *, dry_run: bool, reason: str | None) -> None:
    """Note how far the report of a measure to the authority is; nothing is sent by this.

    NUMBER is the one that groupreg measure list shows; STATE is not-due, due, handed-in (takes the receipt as --text)
    or not-reported (takes why).
    """
    held = {"state": state, "text": text, "reason": reason}
    body = {name: value for name, value in held.items() if value is not None}
    answer = cli.client().act("PUT", path("measures", number, "report"), body, dry_run=dry_run)
    what = f"{state} for measure {number}"
    say(cli.out, answer, act=f"note {what}", done=f"Noted {what}", said=SAID)
