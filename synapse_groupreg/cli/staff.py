# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""`groupreg staff`: who may do what. Only server admins change it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from synapse_groupreg.cli.changes import report
from synapse_groupreg.cli.client import path
from synapse_groupreg.cli.options import Cli, OneOf, act_command, check_user_id, server_command

if TYPE_CHECKING:
    from synapse_groupreg.cli.client import Client

ROLES = ("operator", "reviewer", "identity_officer", "inspector")
ROLE = OneOf(ROLES)


@click.group()
def staff() -> None:
    """Say who may do what (server admins may do everything).

    Roles: operator, reviewer, identity_officer, inspector.
    """


@staff.command("list")
@server_command
def list_(cli: Cli) -> None:
    """List the staff and their roles."""
    answer = cli.client().listing("staff", "staff")
    if cli.as_json:
        cli.out.data({"staff": answer["staff"]})
        return
    rows = [(one.get("user_id"), ", ".join(one.get("roles") or [])) for one in answer["staff"]]
    empty = "Nobody yet, so only server admins act. Grant a role with: groupreg staff grant @anna:example.org operator"
    cli.out.table("Staff", ("account", "roles"), rows, empty=empty)


@staff.command()
@click.argument("user")
@server_command
def show(cli: Cli, user: str) -> None:
    """Show the roles of one account.

    USER is a full Matrix id, like @anna:example.org.
    """
    answer = cli.client().get(path("staff", check_user_id(user)))
    if cli.as_json:
        cli.out.data(answer)
    else:
        cli.out.say(f"{user}: {', '.join(answer.get('roles') or []) or 'no role'}.")


@staff.command("set")
@click.argument("user")
@click.argument("roles", type=ROLE, nargs=-1)
@click.option("--none", "nothing", is_flag=True, help="Take every role away.")
@act_command
def set_(cli: Cli, user: str, roles: tuple[str, ...], *, nothing: bool, dry_run: bool, reason: str | None) -> None:
    """Give an account exactly these roles.

    USER is a full Matrix id; ROLES one or more of operator, reviewer, identity_officer, inspector.
    """
    if bool(roles) == nothing:
        message = "Name the roles that the account is to have, or --none to take all away."
        raise click.UsageError(message)
    put_roles(cli, cli.client(), user, list(roles), dry_run=dry_run, reason=reason)


@staff.command()
@click.argument("user")
@click.argument("roles", type=ROLE, nargs=-1, required=True)
@act_command
def grant(cli: Cli, user: str, roles: tuple[str, ...], *, dry_run: bool, reason: str | None) -> None:
    """Add roles to those that an account has.

    USER is a full Matrix id; ROLES one or more of operator, reviewer, identity_officer, inspector.
    """
    client = cli.client()
    wanted = {*roles_of(client, user), *roles}
    put_roles(cli, client, user, [role for role in ROLES if role in wanted], dry_run=dry_run, reason=reason)


@staff.command()
@click.argument("user")
@click.argument("roles", type=ROLE, nargs=-1, required=True)
@act_command
def revoke(cli: Cli, user: str, roles: tuple[str, ...], *, dry_run: bool, reason: str | None) -> None:
    """Take roles away from an account.

    USER is a full Matrix id; ROLES one or more of operator, reviewer, identity_officer, inspector.
    """
    client = cli.client()
    kept = [role for role in roles_of(client, user) if role not in roles]
    put_roles(cli, client, user, kept, dry_run=dry_run, reason=reason)


def roles_of(client: Client, user: str) -> list[str]:
    """Ask which roles an account has."""
    return [str(role) for role in client.get(path("staff", check_user_id(user))).get("roles") or []]


def put_roles(cli: Cli, client: Client, user: str, roles: list[str], *, dry_run: bool, reason: str | None) -> None:
    """Set the roles and say what changed."""
    body: dict[str, Any] = {"roles": roles}
    if reason:
        body["reason"] = reason
    answer = client.act("PUT", path("staff", check_user_id(user)), body, dry_run=dry_run)
    report(cli.out, answer, act=f"change the roles of {user}", done=f"Changed the roles of {user}")
