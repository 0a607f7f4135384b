# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The front page of `groupreg`: every command, in the order of its help, and where it lives.

A command's file is imported when the command is asked for, so that `groupreg status` doesn't pay for `groupreg up`.
"""

from __future__ import annotations

import importlib
from difflib import get_close_matches
from typing import TYPE_CHECKING

import click
from typing_extensions import override

from synapse_groupreg.cli.options import Cli, connection_options, json_option

if TYPE_CHECKING:
    from collections.abc import Mapping

SECTIONS: Mapping[str, Mapping[str, str]] = {
    "Start": {
        "up": "up:up",
        "down": "up:down",
        "check-config": "check_config:check_config",
        "login": "login:login",
        "logout": "login:logout",
    },
    "Look": {
        "status": "server:status",
        "plan": "plan:plan",
        "policy": "server:policy",
        "acts": "journal:acts",
        "refusals": "journal:refusals",
        "notices": "journal:notices",
        "records": "records:records",
        "my-records": "records:my_records",
        "export": "export:export",
        "verify": "verify:verify",
        "fsck": "fsck:fsck",
    },
    "Act": {
        "mode": "mode:mode",
        "account": "account:account",
        "room": "room:room",
        "group": "group:group",
        "measure": "measure:measure",
        "appeal": "appeal:appeal",
        "packet": "packet:packet",
        "emergency": "emergency:emergency",
        "blacklist": "blacklist:blacklist",
        "proposal": "proposal:proposal",
        "staff": "staff:staff",
        "retention": "retention:retention",
    },
}
"""Heading -> command -> `file:attribute` below this package."""

PLACES = {name: place for commands in SECTIONS.values() for name, place in commands.items()}


class LazyGroup(click.Group):
    """A group that imports a command's file when the command is asked for, and shows its commands by section."""

    @override
    def list_commands(self, ctx: click.Context) -> list[str]:
        """Name every command, in the order of the front page."""
        return list(PLACES)

    @override
    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the command, or answer None when there is no such name."""
        if cmd_name not in PLACES:
            return None
        file, _, attribute = PLACES[cmd_name].partition(":")
        found = getattr(importlib.import_module(f"synapse_groupreg.cli.{file}"), attribute)
        if not isinstance(found, click.Command):
            message = f"{PLACES[cmd_name]} is no command"
            raise TypeError(message)
        return found

    @override
    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command, or name the one that is nearest to what was written."""
        near = get_close_matches(args[0], PLACES, 1)
        if args[0] not in PLACES and near:
            ctx.fail(f"No such command '{args[0]}'. Did you mean '{near[0]}'?")
        return super().resolve_command(ctx, args)

    @override
    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write one list a section, with the first sentence of each command's help."""
        width = max(map(len, PLACES))
        for heading, names in SECTIONS.items():
            rows = [(name.ljust(width), self._first_sentence(ctx, name)) for name in names]
            with formatter.section(heading):
                formatter.write_dl(rows)

    def _first_sentence(self, ctx: click.Context, name: str) -> str:
        command = self.get_command(ctx, name)
        return command.get_short_help_str(limit=90) if command else ""


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="synapse-groupreg", prog_name="groupreg")
@connection_options(hidden=False)
@json_option
@click.pass_context
def main(ctx: click.Context) -> None:
    """Look after the groups of a Matrix server that runs synapse_groupreg.

    Log in once with: groupreg login https://matrix.example.org @you:example.org

    The options below may stand before or after the command. Without them groupreg takes GROUPREG_URL and
    GROUPREG_TOKEN, else the file named by GROUPREG_SESSION, else the one that `groupreg login` wrote.

    \b
    Exit codes:
      0  done
      1  the server refused or failed, or the command was interrupted
      2  wrong usage or bad input, nothing was changed
      3  not logged in, or your role does not permit it
      4  the server can't be reached
    """  # noqa: D301 - \b keeps click from joining the lines
    ctx.ensure_object(Cli)
