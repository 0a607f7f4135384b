# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The records' lines of a bundle in chunks, each of which can be read by itself: by whatever process is free.

Nearly all of a verifier's time goes into single lines. What is said of many of them together (order, chains, tallies,
the tree) is for who puts the chunks' results in their order again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice

import attrs

from synapse_groupreg.retention.findings import Broken, Finding, Findings
from synapse_groupreg.retention.shown import RecordReader, Shown

LINES = 500
"""Of one chunk: enough to be worth handing over, and few enough that many can wait."""


@attrs.frozen
class Chunk:
    """Lines of records."""

    first: int
    """The number of the first line, from 1."""
    texts: list[str]
    size: int
    """How many records the checkpoint covers."""
    wanted: frozenset[str]
    """Fields whose disclosed values are asked for."""


@attrs.frozen
class ReadChunk:
    """What the lines of a chunk show."""

    shown: list[Shown]
    findings: list[Finding]
    more: bool
    """Whether there were more findings than are told of."""
    broken: tuple[int, str] | None
    """The line that made reading on impossible, and why."""
    disclosures: int
    contents: int


Spread = Callable[[Callable[[Chunk], ReadChunk], Iterable[Chunk]], Iterable[ReadChunk]]
"""As `map`: the results in the order of the chunks; but perhaps by many processes, and some ahead of time."""


def read_chunk(chunk: Chunk) -> ReadChunk:
    """Read the lines, as far as they can be read."""
    findings = Findings()
    reader = RecordReader(findings, chunk.size, chunk.wanted)
    shown: list[Shown] = []
    broken = None
    for number, text in enumerate(chunk.texts, chunk.first):
        try:
            shown.append(reader.read(number, text))
        except Broken as error:
            broken = (number, str(error))
            break
    return ReadChunk(shown, findings.found, findings.more, broken, reader.disclosures, reader.contents)


class Records:
    """The texts of a bundle's lines up to the proof, in chunks. What ends them is kept for afterwards."""

    def __init__(self, texts: Iterator[str], first: int, size: int, wanted: Iterable[str]) -> None:
        self._texts = texts
        self._first = first
        self._size = size
        self._wanted = frozenset(wanted)
        self.proof: str | None = None
        """The line that the records end with."""
        self.failed: Broken | None = None
        """Why no more lines could be had: to be raised when those before it were looked at."""

    def __iter__(self) -> Iterator[Chunk]:
        lines = self._lines()
        first = self._first
        while texts := [*islice(lines, LINES)]:
            yield Chunk(first, texts, self._size, self._wanted)
            first += len(texts)

    def _lines(self) -> Iterator[str]:
        try:
            for text in self._texts:
                if text.startswith('{"proof":'):
                    self.proof = text
                    return
                yield text
        except Broken as error:
            self.failed = error
