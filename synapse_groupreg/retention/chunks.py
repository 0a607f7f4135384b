# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The records' lines of a bundle in chunks, each of which can be read by itself: by whatever process is free.

Nearly all of a verifier's time goes into single lines. What is said of many of them together (order, chains, tallies,
the tree) is for who puts the chunks' results in their order again; so little else as possible is handed back.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any

from synapse_groupreg.retention.findings import Broken, Counts, Finding, Findings
from synapse_groupreg.retention.shown import RecordReader, Wanted
from synapse_groupreg.values import frozen

LINES = 500
"""Of one chunk: enough to be worth handing over, and few enough that many can wait."""


@frozen
class Chunk:
    """Lines of records."""

    first: int
    """The number of the first line, from 1."""
    data: bytes
    """The lines, each with its newline."""
    size: int
    """How many records the checkpoint covers."""
    wanted: Wanted


@frozen
class ReadChunk:
    """What the lines of a chunk show."""

    first: int
    indexes: array[int]
    leaves: bytes
    """The leaves' hashes, one after another."""
    shown: list[tuple[Any, ...]]
    """Of each record the values of a `Shown`: plain tuples are sent in half the time."""
    counts: Counts
    findings: list[Finding]
    more: bool
    """Whether there were more findings than are told of."""
    broken: tuple[int, str] | None
    """The line that made reading on impossible, and why."""


Spread = Callable[[Callable[[Chunk], ReadChunk], Iterable[Chunk]], Iterable[ReadChunk]]
"""As `map`: the results in the order of the chunks; but perhaps by many processes, and some ahead of time."""


def read_chunk(chunk: Chunk) -> ReadChunk:
    """Read the lines, as far as they can be read."""
    findings = Findings()
    reader = RecordReader(findings, chunk.size, chunk.wanted)
    shown = []
    number = chunk.first
    broken = None
    try:
        for text in _texts(chunk.data):
            shown.append(reader.read(number, text))
            number += 1
    except Broken as error:
        broken = (number, str(error))
    leaves, counts = bytes(reader.leaves), reader.counts
    return ReadChunk(chunk.first, reader.indexes, leaves, shown, counts, findings.found, findings.more, broken)


def text_of(line: bytes) -> str:
    """The text of a line. Raises Broken."""
    try:
        return line.removesuffix(b"\n").decode()
    except UnicodeDecodeError:
        raise Broken("the line is not UTF-8") from None


def _texts(data: bytes) -> Iterable[str]:
    """The text of each line. Raises Broken at the first that is none."""
    try:
        return data.decode().split("\n")[:-1]
    except UnicodeDecodeError:
        return map(text_of, data.split(b"\n"))


class Records:
    """A bundle's lines up to the proof, in chunks. What ends them is kept for afterwards."""

    def __init__(self, lines: Iterator[bytes], first: int, size: int, wanted: Wanted) -> None:
        self._lines = lines
        self._first = first
        self._size = size
        self._wanted = wanted
        self.proof: bytes | None = None
        """The line that the records end with."""
        self.failed: Broken | None = None
        """Why no more lines could be had: to be raised when those before it were looked at."""

    def __iter__(self) -> Iterator[Chunk]:
        lines = self._until_proof()
        first = self._first
        while some := [*islice(lines, LINES)]:
            yield Chunk(first, b"".join(some), self._size, self._wanted)
            first += len(some)

    def _until_proof(self) -> Iterator[bytes]:
        try:
            for line in self._lines:
                if line.startswith(b'{"proof":'):
                    self.proof = line
                    return
                yield line
        except Broken as error:
            self.failed = error
