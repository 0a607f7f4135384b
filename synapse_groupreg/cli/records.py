# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""`groupreg records` and `my-records`: search the retention store, and see what is kept about oneself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import click

from synapse_groupreg.cli.client import path
from synapse_groupreg.cli.failures import BadInput
from synapse_groupreg.cli.options import Cli, OneOf, Whole, check_user_id, server_command
from synapse_groupreg.cli.output import plural
from synapse_groupreg.cli.record_rows import (
    CHANGED,
    CSV_HEADING,
    LOOK_COLUMNS,
    RECORD_COLUMNS,
    csv_line,
    look_row,
    record_facts,
    record_row,
)
from synapse_groupreg.cli.times import since, until
from synapse_groupreg.retention.records import Kind, LogName

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from synapse_groupreg.cli.client import Answer

    F = TypeVar("F", bound=Callable[..., Any])

PAGE = 1000
"""Records asked for at once, at most."""
KINDS = OneOf([kind.value for kind in Kind])
LOGS = OneOf([log.value for log in LogName])


@click.group()
def records() -> None:
    """Search what the server recorded. Each search is recorded too, with its reason."""


def extent_options(command: F) -> F:
    """Let a list of records be cut, or asked for in full, and shown in full."""
    text = "Show all that is in each record, and not a line of it."
    command = click.option("--details", is_flag=True, help=text)(command)
    command = click.option("--all", "everything", is_flag=True, help="All records, page by page.")(command)
    limit = Whole(min=1)
    text = "At most this many records."
    return click.option("--limit", type=limit, default=100, show_default=True, help=text)(command)


@records.command()
@click.option("--account", metavar="USER", help="Only what this account did, or what was done to it.")
@click.option("--room", metavar="ROOM", help="Only what happened in this room (id or alias).")
@click.option("--kind", multiple=True, type=KINDS, help="Only this kind; may be repeated.")
@click.option("--type", "types", multiple=True, metavar="TYPE", help="Only this type of event, attempt or act.")
@click.option("--code", multiple=True, metavar="CODE", help="Only refusals with this code, like room-full.")
@click.option("--log", type=LOGS, help="Only what people did (events), or only acts on people and their data (acts).")
@click.option("--from", "from_ms", callback=since, metavar="TIME", help="Not before, like 7d (ago) or 2026-11-01.")
@click.option("--to", "to_ms", callback=until, metavar="TIME", help="Not after; a day counts to its end.")
@click.option("--reason", required=True, metavar="TEXT", help="Why; recorded with the search.")
@click.option(
    "--content", is_flag=True, help="With what events say, where it is kept; shown by --details, --json and --csv."
)
@click.option("--csv", "as_csv", is_flag=True, help="Print a table for a spreadsheet.")
@extent_options
@server_command
def search(
    cli: Cli,
    *,
    account: str | None,
    room: str | None,
    kind: Sequence[str],
    types: Sequence[str],
    code: Sequence[str],
    content: bool,
    as_csv: bool,
    details: bool,
    everything: bool,
    limit: int,
    **query: Any,
) -> None:
    """Find records, newest first: who did what, where, from which address; what was refused; who looked at whom.

    For inspectors and server admins. All conditions that are given have to hold. Times are UTC.

    \b
    Examples:
      groupreg records search --account @anna:example.org --from 7d --reason "case 2026-17"
      groupreg records search --room '#garden:example.org' --code room-full --reason "complaint 12"
      groupreg records search --kind look --kind search --from 2026-11-01 --to 2026-11-30 --reason "monthly review"
      groupreg records search --kind login --from 30d --all --csv --reason "case 2026-17" > logins.csv
    """  # noqa: D301 - \b keeps click from joining the lines
    if as_csv and cli.as_json:
        raise BadInput("Choose one of --json and --csv.")
    client = cli.client()
    query |= {
        "account": account and check_user_id(account),
        "room_id": client.room_id(room) if room else None,
        "kind": list(kind) or None,
        "type": list(types) or None,
        "code": list(code) or None,
        "content": content or None,
    }
    with cli.out.counting("Records") as count:
        pages = paged(
            lambda size, token: client.ask("records/search", **query, **{"from": token, "limit": size}),
            None if everything else limit,
            count,
        )
        if as_csv:
            print_csv(cli, pages)
            return
        answer = together(pages)
    if cli.as_json:
        cli.out.data(answer)
        return
    show_records(cli, "Records", answer["records"], empty="None that match.", details=details)
    if query["content"] and answer["records"] and not any("content" in one for one in answer["records"]):
        cli.out.say("No content is kept of these records: retention.content was not full when they were made.")
    say_rest(cli, answer)


@records.command()
@click.argument("user")
@click.option("--reason", required=True, metavar="TEXT", help="Why; recorded, and the account can see that you looked.")
@extent_options
@server_command
def about(cli: Cli, user: str, *, reason: str, details: bool, everything: bool, limit: int) -> None:
    """Show what is kept of what an account did, and who looked at data about it, as its owner sees it.

    USER is a full Matrix id, like @anna:example.org.
    """
    client = cli.client()
    said = {"user_id": check_user_id(user), "reason": reason}
    show_about(
        cli,
        user,
        lambda size, token: client.ask("records/about", **said, **{"from": token, "limit": size}),
        None if everything else limit,
        details=details,
    )


@click.command()
@extent_options
@server_command
def my_records(cli: Cli, *, details: bool, everything: bool, limit: int) -> None:
    """Show what this server keeps of what you did, and who looked at data about you. Looking here is not recorded.

    \b
    Log in as yourself first: groupreg login https://matrix.example.org @you:example.org
    """  # noqa: D301 - \b keeps click from joining the lines
    client = cli.client()
    user = client.session.user_id or str(client.get("/_matrix/client/v3/account/whoami")["user_id"])
    show_about(
        cli,
        user,
        lambda size, token: client.get(path("accounts", user, "records"), **{"from": token, "limit": size}),
        None if everything else limit,
        details=details,
    )


def show_records(cli: Cli, title: str, found: Sequence[Mapping[str, Any]], *, empty: str, details: bool) -> None:
    """Print records: a line each, or all that is in them."""
    if details and found:
        for one in found:
            cli.out.facts(f"{one.get('log')} {one.get('index')}", record_facts(one))
    else:
        cli.out.table(title, RECORD_COLUMNS, list(map(record_row, found)), empty=empty)
    changed = sum(bool(one.get("changed")) for one in found)
    if changed:
        cli.out.warn(f"{plural(changed, 'record')} {CHANGED}.")


def show_about(
    cli: Cli, user: str, ask: Callable[[int, str | None], Answer], limit: int | None, *, details: bool
) -> None:
    """Print what is kept of an account."""
    with cli.out.counting("Records") as count:
        answer = together(paged(ask, limit, count))
    if cli.as_json:
        cli.out.data(answer)
        return
    cli.out.table("Who looked", LOOK_COLUMNS, list(map(look_row, answer["looks"])), empty="Nobody.")
    show_records(cli, f"What {user} did", answer["records"], empty="Nothing.", details=details)
    say_rest(cli, answer)


def paged(
    ask: Callable[[int, str | None], Answer], limit: int | None, count: Callable[[int], None]
) -> Iterator[Answer]:
    """Page after page, up to so many records; `ask` gets the size of a page and where it begins."""
    token, left = None, limit
    while left is None or left > 0:
        page = ask(PAGE if left is None else min(left, PAGE), token)
        count(len(page["records"]))
        yield page
        token = page.get("next_token")
        if token is None:
            return
        # At least one, whatever the server says: or we might ask for ever.
        longest = max(1, *(len(rows) for rows in page.values() if isinstance(rows, list)))
        left = None if left is None else left - longest


def together(pages: Iterator[Answer]) -> Answer:
    """One answer from several pages: the lists joined, and where it goes on."""
    answer: Answer = {}
    for page in pages:
        joint = {name: [*answer.get(name, []), *rows] for name, rows in page.items() if isinstance(rows, list)}
        answer = {**page, **joint}
    return answer


def print_csv(cli: Cli, pages: Iterator[Answer]) -> None:
    """Print the pages as they come."""
    cli.out.console.file.write(CSV_HEADING)
    for page in pages:
        cli.out.console.file.writelines(map(csv_line, page["records"]))


def say_rest(cli: Cli, answer: Answer) -> None:
    """Say when there is more."""
    if "next_token" in answer:
        cli.out.say("There are more; see them with --limit N or --all.")
