# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What `groupreg` prints: sentences and tables for people, JSON for programs, progress on a terminal only.

Names and reasons come from strangers, so nothing here reads markup, and control characters never reach the terminal.
"""

from __future__ import annotations

import json
import sys
import unicodedata
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TextIO, TypeAlias

import attrs

from synapse_groupreg.values import frozen

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from rich.console import Console

Cell: TypeAlias = str | int | None

PIPED_WIDTH = 4000
"""Wide enough that a row stays one line when a program reads it: rich would cut it at 80 columns."""

LONGEST = 80
"""Characters of a text that a table of many rows shows."""

ZERO_WIDTH_JOINER = "\u200d"
UNSAFE = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Unicode categories that move the cursor, reverse the text or break the line."""


def clean(text: str) -> str:
    """Make a text of unknown origin safe to show on one line."""
    return "".join(
        "\ufffd" if unicodedata.category(char) in UNSAFE and char != ZERO_WIDTH_JOINER else char
        for char in text.replace("\n", " ").replace("\t", " ")
    )


def show(cell: Cell) -> str:
    """Render one cell: numbers with separators, nothing as a dash."""
    if cell is None or cell == "":
        return "-"
    return f"{cell:,}" if isinstance(cell, int) else clean(cell)


def brief(text: str, most: int = LONGEST) -> str:
    """Cut a text for a table, so that one long reason doesn't widen every row."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


def plural(count: int, one: str, many: str | None = None) -> str:
    """Count things in words: `1 room`, `1,200 rooms`."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def console_for(stream: TextIO) -> Console:
    """Make a console that fits a terminal and never cuts what is piped. NO_COLOR is honoured by rich itself."""
    from rich.console import Console  # noqa: PLC0415 - rich takes longer to import than most commands take to run

    if not stream.isatty():
        return Console(file=stream, width=PIPED_WIDTH, highlight=False, markup=False, emoji=False)
    return Console(file=stream, highlight=False, markup=False, emoji=False)


@frozen
class Output:
    """Where the words of one command go."""

    as_json: bool = False
    console: Console = attrs.field(factory=lambda: console_for(sys.stdout))
    errors: Console = attrs.field(factory=lambda: console_for(sys.stderr))

    def data(self, answer: object) -> None:
        """Print an answer of the server as it came."""
        self.console.file.write(json.dumps(answer, ensure_ascii=False, indent=2) + "\n")

    def say(self, sentence: str, *, style: str | None = None) -> None:
        """Print one sentence."""
        self.console.print(clean(sentence), style=style, soft_wrap=True)

    def warn(self, sentence: str) -> None:
        """Print one sentence that somebody should act on, marked."""
        self.console.print(clean(f"WARNING  {sentence}"), style="yellow", soft_wrap=True)

    def note(self, sentence: str) -> None:
        """Print one sentence beside the result, to standard error."""
        self.errors.print(clean(sentence), soft_wrap=True)

    def heading(self, title: str) -> None:
        """Begin a section."""
        self.console.print()
        self.say(title, style="bold")

    def table(self, title: str, columns: Sequence[str], rows: Sequence[Sequence[Cell]], *, empty: str = "") -> None:
        """Print a section with a table, or with the sentence `empty` when there are no rows."""
        self.heading(title)
        if rows:
            self._rows(columns, rows)
        elif empty:
            self.say(empty)

    def facts(self, title: str, facts: Mapping[str, Cell]) -> None:
        """Print a section of names and values."""
        self.heading(title)
        self._rows(None, list(facts.items()))

    def _rows(self, columns: Sequence[str] | None, rows: Sequence[Sequence[Cell]]) -> None:
        from rich.box import SIMPLE_HEAD  # noqa: PLC0415 - see console_for
        from rich.table import Table  # noqa: PLC0415 - see console_for
        from rich.text import Text  # noqa: PLC0415 - see console_for

        lined = columns is not None and self.console.is_terminal
        table = Table(box=SIMPLE_HEAD if lined else None, show_header=columns is not None, pad_edge=False)
        for index, name in enumerate(columns or [""] * len(rows[0])):
            kinds = {type(row[index]) for row in rows} - {type(None)}
            numbers = columns is not None and kinds == {int}
            table.add_column(name, justify="right" if numbers else "left", overflow="fold")
        for row in rows:
            table.add_row(*(Text(show(cell)) for cell in row))
        self.console.print(table)

    @contextmanager
    def progress(self, label: str, total: int | None) -> Iterator[Callable[[int], None]]:
        """Show how far a long command is; yields the function that moves it on. Silent unless on a terminal.

        Without a total, only that it is not stuck.
        """
        from rich import progress as bars  # noqa: PLC0415 - see console_for

        columns = (
            bars.TextColumn("{task.description}"),
            bars.BarColumn(),
            bars.MofNCompleteColumn(),
            bars.TimeRemainingColumn(),
        )
        silent = not self.errors.file.isatty()
        with bars.Progress(*columns, console=self.errors, disable=silent, transient=True) as bar:
            task = bar.add_task(label, total=total)
            yield lambda count: bar.advance(task, count)

    @contextmanager
    def counting(self, label: str) -> Iterator[Callable[[int], None]]:
        """Show how many there are so far, where nobody knows of how many. Silent unless on a terminal."""
        from rich import progress as bars  # noqa: PLC0415 - see console_for

        columns = (bars.SpinnerColumn(), bars.TextColumn("{task.description}: {task.completed:,.0f}"))
        silent = not self.errors.file.isatty()
        with bars.Progress(*columns, console=self.errors, disable=silent, transient=True) as bar:
            task = bar.add_task(label, total=None)
            yield lambda count: bar.advance(task, count)


def only(answer: Mapping[str, Any], *keys: str) -> dict[str, Any]:
    """Pick some keys of an answer, those that are there."""
    return {key: answer[key] for key in keys if key in answer}
