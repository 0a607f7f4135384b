# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The file that `groupreg account import` takes, checked before a byte is sent.

INVARIANT: a problem names line and column and what would be right; it never repeats a value, because the file holds
people's identities and the output may end in a log.
"""

from __future__ import annotations

import csv
import io
import re
from typing import TYPE_CHECKING

import attrs

from synapse_groupreg.errors import Problem
from synapse_groupreg.policy.assurance import parse_assurance
from synapse_groupreg.values import frozen

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

REQUIRED = ("user_id", "assurance")
COLUMNS = (*REQUIRED, "reference")
USER_ID = re.compile(r"@[!-9;-~]+:[A-Za-z0-9.\-\[\]:]+")
"""What Synapse accepts for a local account: historical ids may hold any printable ASCII but the colon."""

MAX_USER_ID = 255
MAX_REFERENCE = 500


@frozen
class Row:
    """One account of the file."""

    line: int
    user_id: str = attrs.field(repr=False)
    assurance: str = attrs.field(repr=False)
    reference: str = attrs.field(default="", repr=False)

    def as_json(self) -> dict[str, str | int]:
        """Write the row for the server, without an empty reference."""
        body: dict[str, str | int] = {"line": self.line, "user_id": self.user_id, "assurance": self.assurance}
        return {**body, "reference": self.reference} if self.reference else body


def read_rows(data: bytes) -> tuple[list[Row], list[Problem]]:
    """Read the whole file: its rows, and every problem in it."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        return [], [Problem(f"{line}", "must be UTF-8: save the file as CSV UTF-8")]
    records, problems = _records(text)
    if not records:
        return [], problems or [Problem("1", f"must be a header that names the columns {', '.join(COLUMNS)}")]
    (_, header), *body = records
    header = [name.strip() for name in header]
    if wrong := list(_header_problems(header)):
        return [], [*wrong, *problems]
    if not body:
        return [], problems or [Problem("2", "must be an account: the file has a header only")]
    rows, found = _rows(header, body)
    problems = [*problems, *found, *_duplicates(rows)]
    return rows, sorted(problems, key=lambda problem: int(problem.path.split(":")[0]))


def _records(text: str) -> tuple[list[tuple[int, list[str]]], list[Problem]]:
    """Split into records, each with the line on which it begins; blank lines are no records."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    records: list[tuple[int, list[str]]] = []
    line = 1
    try:
        for fields in reader:
            if any(field.strip() for field in fields):
                records.append((line, fields))
            line = reader.line_num + 1
    except csv.Error:
        return records, [Problem(f"{line}", 'must be CSV: quotes in pairs, a quote inside a quoted value doubled ("")')]
    return records, []


def _header_problems(header: Sequence[str]) -> Iterator[Problem]:
    known = ", ".join(COLUMNS)
    if len(header) == 1 and re.search(r"[;\t]", header[0]):
        yield Problem("1", f"must separate the columns {known} by commas")
        return
    for name in REQUIRED:
        if name not in header:
            yield Problem(f"1:{name}", f"is missing: the first line must name the columns {known}")
    for number, name in enumerate(header, 1):
        # The name is not repeated: a file without a header has a person in this place.
        if name not in COLUMNS:
            yield Problem(f"1:column {number}", f"must be one of {known}")
        elif name in header[: number - 1]:
            yield Problem(f"1:{name}", "must be there once")


def _rows(header: Sequence[str], body: Sequence[tuple[int, list[str]]]) -> tuple[list[Row], list[Problem]]:
    rows: list[Row] = []
    problems: list[Problem] = []
    for line, fields in body:
        if len(fields) != len(header):
            problems.append(
                Problem(f"{line}", f"must have {len(header)} values, like the header; it has {len(fields)}")
            )
            continue
        row = Row(line=line, **{name: field.strip() for name, field in zip(header, fields, strict=True)})
        problems += _row_problems(row)
        rows.append(row)
    return rows, problems


def _row_problems(row: Row) -> Iterator[Problem]:
    if not row.user_id:
        yield Problem(f"{row.line}:user_id", "must not be empty")
    elif not USER_ID.fullmatch(row.user_id) or len(row.user_id) > MAX_USER_ID:
        yield Problem(f"{row.line}:user_id", "must be a full Matrix id, like @anna:example.org")
    try:
        parse_assurance(row.assurance)
    except ValueError as error:
        yield Problem(f"{row.line}:assurance", str(error))
    if len(row.reference) > MAX_REFERENCE:
        yield Problem(f"{row.line}:reference", f"must have at most {MAX_REFERENCE} characters")


def _duplicates(rows: Sequence[Row]) -> Iterator[Problem]:
    first: dict[str, int] = {}
    for row in rows:
        line = first.setdefault(row.user_id, row.line)
        if row.user_id and line != row.line:
            yield Problem(f"{row.line}:user_id", f"must be there once: line {line} has the same account")
