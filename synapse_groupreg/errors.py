# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What can be wrong with a request or a configuration. A refusal is no error: see `policy`.

Each class has a stable `code`; its docstring is the default message. Each surface maps the class to its own
language once (HTTP statuses in `web/site.py`, exit codes in `cli/`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from typing_extensions import override

from synapse_groupreg.values import frozen

if TYPE_CHECKING:
    from collections.abc import Sequence


class GroupRegError(Exception):
    """Something went wrong."""

    code: ClassVar[str] = "error"

    def __init__(self, message: str | None = None) -> None:
        self.message: str = message or (self.__doc__ or "").strip().splitlines()[0]
        super().__init__(self.message)


@frozen
class Problem:
    """One thing that is wrong in an input: where, and what would be right."""

    path: str
    text: str

    @override
    def __str__(self) -> str:
        return f"{self.path}: {self.text}" if self.path else self.text


class WithProblems(GroupRegError):
    """The input is not valid."""

    def __init__(self, problems: Sequence[Problem], message: str | None = None) -> None:
        self.problems: tuple[Problem, ...] = tuple(problems)
        super().__init__(message or "; ".join(str(problem) for problem in self.problems))


class Invalid(WithProblems):
    """The request is not valid."""

    code = "invalid"


class BadConfig(WithProblems):
    """The configuration of synapse_groupreg is not valid."""

    code = "bad-config"


class NotFound(GroupRegError):
    """There is no such thing here."""

    code = "not-found"


class NotPermitted(GroupRegError):
    """Your role does not permit this."""

    code = "not-permitted"


class Conflict(GroupRegError):
    """The request contradicts what is there already."""

    code = "conflict"


class Unavailable(GroupRegError):
    """The retention store can't be used at the moment."""

    code = "store-unavailable"


class CannotStart(GroupRegError):
    """synapse_groupreg can't start."""

    code = "cannot-start"


class SchemaTooNew(CannotStart):
    """The database was written by a newer synapse_groupreg: install that version or a newer one."""

    code = "schema-too-new"
