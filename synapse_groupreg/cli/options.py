# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What all commands share: the options, and the object that turns them into a client and an output."""

from __future__ import annotations

import os
import sys
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypeVar

import attrs
import click
from typing_extensions import override

from synapse_groupreg.cli.failures import BadInput
from synapse_groupreg.cli.output import Output
from synapse_groupreg.cli.session import Session, find_session

if TYPE_CHECKING:
    from collections.abc import Callable

    from synapse_groupreg.cli.client import Client

F = TypeVar("F", bound="Callable[..., Any]")
Places: TypeAlias = int | Literal["default"]


@attrs.define
class Cli:
    """The shared options of one call of `groupreg`."""

    as_json: bool = False
    session: Path | None = None
    url: str | None = None
    token_file: Path | None = None

    @property
    def out(self) -> Output:
        """Where to print."""
        return Output(self.as_json)

    @property
    def interactive(self) -> bool:
        """Whether a person sits at both ends."""
        return sys.stdin.isatty() and sys.stdout.isatty()

    def login(self) -> Session:
        """Find who is logged in, or fail with how to log in."""
        return find_session(url=self.url, token_file=self.token_file, chosen=self.session, env=os.environ)

    def client(self) -> Client:
        """Make a client that is closed when the command ends."""
        from synapse_groupreg.cli.client import Client  # noqa: PLC0415 - `groupreg --help` needs no requests

        return click.get_current_context().with_resource(Client(self.login()))


pass_cli = click.make_pass_decorator(Cli, ensure=True)


def _keep(ctx: click.Context, param: click.Parameter, value: object) -> None:
    # A command's options come after the group's: only what was really given may overwrite.
    if value:
        setattr(ctx.ensure_object(Cli), str(param.name), value)


def json_option(command: F) -> F:
    """Let a command print JSON."""
    text = "Print the server's answer as JSON."
    option = click.option("--json", "as_json", is_flag=True, expose_value=False, callback=_keep, help=text)
    return option(command)


def connection_options(*, hidden: bool) -> Callable[[F], F]:
    """Say which server and who: shown on the front page, accepted after each command too."""

    def add(command: F) -> F:
        path = click.Path(path_type=Path)
        shared: dict[str, Any] = {"expose_value": False, "callback": _keep, "hidden": hidden}
        command = click.option(
            "--token-file", type=path, help="File with an access token for --url (- reads standard input).", **shared
        )(command)
        command = click.option("--url", metavar="URL", help="The server's address [env: GROUPREG_URL].", **shared)(
            command
        )
        return click.option(
            "--session", type=path, help="File that `groupreg login` wrote [env: GROUPREG_SESSION].", **shared
        )(command)

    return add


def server_command(command: F) -> F:
    """Give a command that talks to the server the shared options and the `Cli`."""
    return connection_options(hidden=True)(json_option(pass_cli(command)))  # type: ignore[return-value]  # click's decorators change the signature


def act_command(command: F) -> F:
    """Give a command that changes something also `--dry-run` and `--reason`."""
    command = click.option("--dry-run", is_flag=True, help="Only say what would change.")(command)
    command = click.option("--reason", metavar="TEXT", help="Why; kept in the act journal.")(command)
    return server_command(command)


class Whole(click.IntRange):
    """A whole number within bounds; click calls that an integer range where somebody wrote something else."""

    name = "whole number"


def limit_option(command: F) -> F:
    """Let a list be cut, or asked for in full."""
    text = "At most this many rows; 0: all."
    return click.option("--limit", type=Whole(min=0), default=100, show_default=True, help=text)(command)


class OneOf(click.Choice):  # type: ignore[type-arg]  # click before 8.2 has no argument there
    """One of some words; a mistyped one gets the nearest."""

    @override
    def get_metavar(self, param: click.Parameter, *context: Any, **by_name: Any) -> str | None:
        """Call an argument by its name: its words stand in the help of the command."""
        return None if isinstance(param, click.Argument) else super().get_metavar(param, *context, **by_name)

    @override
    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Take the word, or say which ones there are."""
        words = [str(choice) for choice in self.choices]
        if str(value) not in words:
            near = get_close_matches(str(value), words, 1)
            hint = f" Did you mean '{near[0]}'?" if near else ""
            self.fail(f"'{value}' is not one of {', '.join(words)}.{hint}", param, ctx)
        return super().convert(value, param, ctx)


def places(text: str) -> Places:
    """Read a number of places, or `default` to drop the override."""
    if text == "default":
        return "default"
    if not (text.isascii() and text.isdigit()):
        message = "must be a whole number, or `default` to follow the server's rules again."
        raise click.BadParameter(message)
    return int(text)


def places_or_null(number: Places) -> int | None:
    """Translate a number of places for the server, which calls the default null."""
    return None if number == "default" else number


def check_user_id(user_id: str) -> str:
    """Accept a Matrix user id, or say what one looks like."""
    if not user_id.startswith("@") or ":" not in user_id:
        message = "An account is named by its full Matrix id, like @anna:example.org."
        raise BadInput(message)
    return user_id
