# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""How a command can fail: one class an exit code. The message is the sentence that a person reads."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING, Any

import click
from typing_extensions import override

from synapse_groupreg.cli.output import clean

if TYPE_CHECKING:
    from collections.abc import Sequence


class Failure(click.ClickException):
    """A command can't do what it was asked to; `details` are further lines, one a problem."""

    def __init__(self, message: str, details: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.details = tuple(details)

    @override
    def show(self, file: IO[Any] | None = None) -> None:
        """Write the sentence and the details to standard error."""
        for line in (f"Error: {self.message}", *self.details):
            click.echo(clean(line), file=file, err=True)


class Refused(Failure):
    """The server refused the request or failed in it."""

    exit_code = 1


class NotFound(Refused):
    """The server knows no such account, room or entry."""


class TooMany(Refused):
    """The server limits how fast requests may come."""

    def __init__(self, message: str, details: Sequence[str] = (), *, wait_s: int = 1) -> None:
        super().__init__(message, details)
        self.wait_s = wait_s


class BadInput(Failure):
    """What was typed, or a file that it names, is not right. Nothing was changed."""

    exit_code = 2


class NotAllowed(Failure):
    """Nobody is logged in, or the role of who is does not permit this."""

    exit_code = 3


class Unreachable(Failure):
    """No answer came from the server."""

    exit_code = 4
