# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""`groupreg blacklist`: bar accounts, rooms and servers, and lift it again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from synapse_groupreg.cli.changes import report
from synapse_groupreg.cli.client import path
from synapse_groupreg.cli.failures import NotFound
from synapse_groupreg.cli.journal import say_rest
from synapse_groupreg.cli.measures import LIFTED, SAID, say_effects, show_measures, warn_of_agreement
from synapse_groupreg.cli.options import Cli, OneOf, act_command, limit_option, server_command
from synapse_groupreg.cli.policy_lists import export, follow, followed, import_, unfollow
from synapse_groupreg.cli.times import EXAMPLES, moment, now_ms

if TYPE_CHECKING:
    from synapse_groupreg.cli.client import Client


@click.group()
def blacklist() -> None:
    """Bar accounts, rooms and servers, and lift it again."""


for command in (import_, export, follow, unfollow, followed):
    blacklist.add_command(command)


@blacklist.command("list")
@click.option("--all", "everything", is_flag=True, help="Also entries that ended or were lifted.")
@click.option("--subject", metavar="ENTITY", help="Only entries on this account, room, server or glob.")
@limit_option
@server_command
def list_(cli: Cli, limit: int, subject: str | None, *, everything: bool) -> None:
    """List the entries in force."""
    every = "true" if everything else None
    answer = cli.client().listing("blacklist", "blacklist", limit=limit, all=every, subject=subject)
    if cli.as_json:
        cli.out.data(answer)
        return
    show_measures(cli.out, answer["blacklist"], now_ms(), title="Blacklist", empty="Empty.")
    say_rest(cli.out, answer, "blacklist")


@blacklist.command()
@click.argument("entity")
@click.option("--basis", metavar="TEXT", required=True, help="The rule that it rests on, like 'article 11.3'.")
@click.option(
    "--scope",
    type=OneOf(["groups", "account"]),
    help="What an account loses: the functions of groups, or also its login.  [default: the server's rule]",
)
@click.option("--until", "until_ms", type=moment, metavar="WHEN", help=f"When it ends, {EXAMPLES}.")
@click.option("--review", "review_ms", type=moment, metavar="WHEN", help="When staff is to look again, like --until.")
@click.option("--reason", metavar="TEXT", required=True, help="Why; the person reads it, and the act journal keeps it.")
@click.option("--dry-run", is_flag=True, help="Only say what would change.")
@server_command
def add(cli: Cli, entity: str, *, dry_run: bool, **fields: Any) -> None:
    """Bar an account, a room or a server.

    ENTITY is '@user:example.org', '@spam*:example.org', '!room:example.org', 'example.org' or '*.example.org'; put it
    in quotes. Adding the same entity again changes its open entry.
    """
    client = cli.client()
    if entity.startswith("#"):
        entity = client.room_id(entity)
    body = {"entity": entity, **{name: held for name, held in fields.items() if held is not None}}
    answer = client.act("POST", "blacklist", body, dry_run=dry_run)
    number = f" (entry {answer['id']})" if answer.get("id") is not None else ""
    # The kind is worth a word: without its @ and server, an account looks like a server.
    kind = (answer.get("after") or {}).get("subject_kind")
    what = f"the {kind} {entity}" if kind else entity
    report(cli.out, answer, act=f"blacklist {what}", done=f"Blacklisted {what}{number}", said=SAID)
    say_effects(cli.out, answer)
    warn_of_agreement(cli.out, answer)


@blacklist.command()
@click.argument("entry")
@act_command
def lift(cli: Cli, entry: str, *, dry_run: bool, reason: str | None) -> None:
    """Lift an entry: everything that it barred is allowed again.

    ENTRY is the number that `groupreg blacklist list` shows, or the account, room or server itself.
    """
    client = cli.client()
    number = entry if entry.isdigit() else find_entry(client, entry)
    body = {"reason": reason} if reason else {}
    answer = client.act("DELETE", path("blacklist", number), body, dry_run=dry_run)
    subject = (answer.get("after") or {}).get("subject")
    what = f"entry {number} ({subject})" if subject else f"entry {number}"
    report(cli.out, answer, act=f"lift {what}", done=f"Lifted {what}", said=(*SAID, *LIFTED))


def find_entry(client: Client, entity: str) -> int:
    """Find the open entry of an account, room, server or glob."""
    for measure in client.listing("blacklist", "blacklist", subject=entity)["blacklist"]:
        return int(measure["id"])
    message = f"{entity} has no entry in force: see the numbers with groupreg blacklist list."
    raise NotFound(message)
