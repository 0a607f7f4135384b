# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The lines of a bundle, of which none can take more memory than the file before it warrants."""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO

from synapse_groupreg.retention.findings import Broken, NoBundle

if TYPE_CHECKING:
    from collections.abc import Iterator

LONGEST = 1 << 24
"""Of a line with a record, in bytes: the content of an event is far shorter."""
PROOF_FACTOR = 8
"""The proof takes a few dozen bytes for each hash, and no more than a few dozen hashes for each record before it."""


def lines_of(file: BinaryIO) -> Iterator[bytes]:
    """Line by line. Raises NoBundle, Broken."""
    before = 0
    while line := file.readline(most := max(LONGEST, PROOF_FACTOR * before)):
        unreadable = Broken if before else NoBundle
        if len(line) == most and not line.endswith(b"\n"):
            raise unreadable(f"a line is longer than {most:,} bytes, which none of a bundle is")
        if line.endswith(b"\r\n"):
            text = "lines end in CR LF: the file was changed on the way, as a text; get it again byte by byte"
            raise unreadable(text)
        yield line
        before += len(line)
