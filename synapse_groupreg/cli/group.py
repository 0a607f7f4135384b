# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""`groupreg group`: groups by their numbers."""

from __future__ import annotations

import click

from synapse_groupreg.cli.client import path
from synapse_groupreg.cli.options import Cli, limit_option, server_command
from synapse_groupreg.cli.room import list_rooms, show_room


@click.group()
def group() -> None:
    """Look groups up by their numbers."""


@group.command("list")
@click.option("--search", metavar="TEXT", help="Only the group of this number, or groups whose name or id holds this.")
@limit_option
@server_command
def list_(cli: Cli, limit: int, search: str | None) -> None:
    """List the groups with their numbers."""
    list_rooms(cli, limit, search)


@group.command()
@click.argument("group")
@server_command
def show(cli: Cli, group: str) -> None:
    """Show one group: its number, cap, founder, managers and measures.

    GROUP is its number, like 123456786, or its id or an alias, in quotes.
    """
    client = cli.client()
    named = group.startswith("!") or (group.startswith("#") and ":" in group)
    answer = client.get(path("rooms", client.room_id(group))) if named else client.get(path("groups", group))
    if cli.as_json:
        cli.out.data(answer)
    else:
        show_room(cli.out, answer)
