# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""`groupreg account`: look at accounts, verify them, set their limits."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from synapse_groupreg.cli.account_import import import_
from synapse_groupreg.cli.changes import report, words
from synapse_groupreg.cli.client import path
from synapse_groupreg.cli.failures import BadInput
from synapse_groupreg.cli.measures import show_measures
from synapse_groupreg.cli.options import (
    Cli,
    OneOf,
    Places,
    act_command,
    check_user_id,
    places,
    places_or_null,
    server_command,
)
from synapse_groupreg.cli.session import read_secret
from synapse_groupreg.cli.times import now_ms, utc

if TYPE_CHECKING:
    from collections.abc import Mapping

    from synapse_groupreg.cli.client import Answer
    from synapse_groupreg.cli.output import Cell, Output


@click.group()
def account() -> None:
    """Look at accounts, verify them, set their limits."""


account.add_command(import_)


@account.command()
@click.argument("user", required=False)
@click.option("--reason", metavar="TEXT", help="Why you look; recorded with the look, unless it is your own account.")
@server_command
def show(cli: Cli, user: str | None, reason: str | None) -> None:
    """Show one account: assurance, places, measures, roles.

    USER is a full Matrix id, like @anna:example.org; without it, the account that is logged in.
    """
    client = cli.client()
    user = user or client.session.user_id
    if not user:
        message = "Name the account, like: groupreg account show @anna:example.org"
        raise BadInput(message)
    answer = client.get(path("accounts", check_user_id(user)), reason=reason)
    if cli.as_json:
        cli.out.data(answer)
    else:
        show_account(cli.out, answer)


@account.command()
@click.argument("user")
@click.argument("assurance", type=OneOf(["contact", "real_name", "in_person"]))
@click.option("--provider", default="operator", show_default=True, help="Who checked the identity.")
@click.option("--reference", metavar="TEXT", help="Your own number of the person; visible in the shell's history.")
@click.option(
    "--reference-file", type=click.Path(path_type=Path), help="File with the reference (- reads standard input)."
)
@act_command
def verify(
    cli: Cli,
    user: str,
    assurance: str,
    *,
    reference: str | None,
    reference_file: Path | None,
    dry_run: bool,
    **fields: Any,
) -> None:
    """Record that an account's identity was checked.

    USER is a full Matrix id; ASSURANCE how well it was checked: contact, real_name or in_person. The server
    keeps a reference only as a keyed digest; accounts with the same reference count as one person.
    """
    if reference and reference_file:
        message = "Give --reference or --reference-file, not both."
        raise click.UsageError(message)
    if reference_file:
        reference = read_secret(reference_file, "the reference").strip()
    fields = {"assurance": assurance, "reference": reference, **fields}
    body = {name: held for name, held in fields.items() if held is not None}
    answer = cli.client().act("PUT", path("accounts", check_user_id(user), "identity"), body, dry_run=dry_run)
    report(cli.out, answer, act=f"verify {user}", done=f"Verified {user}")


@account.command()
@click.argument("user")
@act_command
def unverify(cli: Cli, user: str, *, dry_run: bool, reason: str | None) -> None:
    """Take an account's verified identity away.

    USER is a full Matrix id, like @anna:example.org.
    """
    body = {"reason": reason} if reason else {}
    answer = cli.client().act("DELETE", path("accounts", check_user_id(user), "identity"), body, dry_run=dry_run)
    report(cli.out, answer, act=f"take the identity of {user} away", done=f"Took the identity of {user} away")


@account.command()
@click.argument("user")
@click.option(
    "--founded", "rooms_founded", type=places, metavar="N|default", help="Groups that the person may have founded."
)
@click.option(
    "--joined", "rooms_joined", type=places, metavar="N|default", help="Groups that the person may be a member of."
)
@act_command
def limit(
    cli: Cli,
    user: str,
    *,
    rooms_founded: Places | None,
    rooms_joined: Places | None,
    dry_run: bool,
    reason: str | None,
) -> None:
    """Set how many groups a person may found and join.

    USER is a full Matrix id; the limit holds for all accounts of its person. `default` follows the server's rules
    again.
    """
    given = {"rooms_founded": rooms_founded, "rooms_joined": rooms_joined}
    body: dict[str, Any] = {name: places_or_null(number) for name, number in given.items() if number is not None}
    if not body:
        message = "Give --founded, --joined or both."
        raise click.UsageError(message)
    if reason:
        body["reason"] = reason
    answer = cli.client().act("PUT", path("accounts", check_user_id(user), "quotas"), body, dry_run=dry_run)
    report(cli.out, answer, act=f"set the limits of {user}", done=f"Set the limits of {user}")


def quota_row(name: str, quota: Mapping[str, Any]) -> list[Cell]:
    """Write one quota: used, limit, and whether it is the account's own."""
    own = "set for this person" if quota.get("override") is not None else "the server's default"
    return [words(name), quota.get("used"), quota.get("limit"), own]


def show_account(out: Output, account: Answer) -> None:
    """Print one account."""
    out.facts(
        str(account.get("user_id")),
        {
            "assurance": account.get("assurance"),
            "staff roles": ", ".join(account.get("roles") or []),
            "exempt": "yes" if account.get("exempt") else "no",
            "other accounts of the person": ", ".join(account.get("linked_accounts") or []),
        },
    )
    identities = account.get("identities") or []
    rows: list[list[Cell]] = [
        [one.get("provider"), one.get("assurance"), utc(one.get("since_ms"))] for one in identities
    ]
    out.table("Identities", ("provider", "assurance", "since (UTC)"), rows, empty="None.")
    quotas = account.get("quotas") or {}
    out.table("Places", ("quota", "used", "limit", "from"), [quota_row(*one) for one in quotas.items()], empty="None.")
    show_measures(out, account.get("measures") or [], now_ms())
