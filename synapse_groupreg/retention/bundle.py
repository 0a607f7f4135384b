# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""A bundle: records with the proof that they stand in a log, as a file that anybody can check (article 13.1).

One line each, in canonical JSON, ended by a newline: the manifest, every record in the order of the log, the proof of
all of them together, and the end, signed by the log's key. docs/bundle.md has the format for who writes a verifier.
"""

from __future__ import annotations

import hashlib
import re
from array import array
from typing import TYPE_CHECKING, Any, Literal

import attrs

from synapse_groupreg.retention.records import b64, canonical
from synapse_groupreg.values import frozen

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from synapse_groupreg.retention.notes import Sign
    from synapse_groupreg.retention.tally import Tallied

VERSION = 1
SIGNED_PREFIX = b"groupreg-bundle-v1\n"
"""What is signed at the end is this and the 32 bytes of the digest: so it can be no signature of anything else."""
FILTERS = frozenset({"room", "account", "kinds", "types", "verdicts", "from_ms", "to_ms"})
"""Conditions that a bundle of mode `filter` can name. All that it has hold for each of its records."""


@frozen
class Subject:
    """Whom a bundle is about: `room`, or `account` (as the one who acts)."""

    kind: Literal["room", "account"]
    name: str


@frozen(kw_only=True)
class Anchor:
    """Where, outside the operator's reach, the bundle's checkpoint is kept too: whoever doubts compares it there."""

    kind: Literal["file", "room"]
    where: str
    """For a person: the event and room, or the file and whose machine."""


@frozen(kw_only=True)
class Manifest:
    """What a bundle says of itself. Exactly what its mode needs of `subject`, `range` and `filter` is given."""

    origin: str
    log: str
    mode: Literal["range", "subject", "filter"]
    subject: Subject | None = None
    range: tuple[int, int] | None = None
    """The first index and the one after the last."""
    filter: Mapping[str, Any] | None = None
    case: str
    basis: str
    """The legal basis."""
    by: str
    """Who exported it."""
    made_ms: int
    identities: bool
    """Whether identities were asked for, or left out as far as they could be."""
    checkpoint: str
    """A signed note."""
    vkey: str
    endorsement: Mapping[str, Any]
    """The log's key, signed by the homeserver's."""
    anchors: Sequence[Anchor] = ()

    def as_json(self) -> dict[str, Any]:
        """The first line's value."""
        mode: Any = {
            "subject": self.subject and attrs.asdict(self.subject),
            "range": self.range and [*self.range],
            "filter": self.filter,
        }
        return {
            "bundle": VERSION,
            "origin": self.origin,
            "log": self.log,
            "mode": self.mode,
            **{key: value for key, value in mode.items() if value is not None},
            "case": self.case,
            "basis": self.basis,
            "by": self.by,
            "made_ms": self.made_ms,
            "identities": self.identities,
            "checkpoint": self.checkpoint,
            "vkey": self.vkey,
            "endorsement": self.endorsement,
            "anchors": [attrs.asdict(anchor) for anchor in self.anchors],
        }


@frozen(kw_only=True)
class BundleRecord:
    """A record with what is disclosed of it."""

    index: int
    header: str
    """The header's text: its bytes are the leaf of the tree."""
    disclosures: Sequence[str] = ()
    content: str | None = None
    """The event's content as canonical JSON; only with a disclosure of `content_sha256`."""
    tallied: Tallied | None = None
    """For a close record, in a bundle about a subject."""


class BundleWriter:
    """Turns a bundle's parts into its lines: `begin`, `record` for each, `end`. Keeps eight bytes a record.

    writer = BundleWriter()
    out.write(writer.begin(manifest))
    for record in records:
        out.write(writer.record(record))
    out.write(writer.end(multiproof(writer.indexes, size, nodes), sign))
    """

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self.indexes = array("Q")
        """Of the records so far: what the proof has to be for."""

    def begin(self, manifest: Manifest) -> bytes:
        """The first line."""
        return self._line(manifest.as_json())

    def record(self, record: BundleRecord) -> bytes:
        """A record's line. Records come in the order of the log: raises ValueError if this one doesn't."""
        if self.indexes and record.index <= self.indexes[-1]:
            raise ValueError(f"record {record.index} stands before record {self.indexes[-1]} in the log")
        self.indexes.append(record.index)
        line: dict[str, Any] = {"i": record.index, "h": record.header}
        if record.disclosures:
            line["d"] = [*record.disclosures]
        if record.content is not None:
            line["c"] = record.content
        if record.tallied is not None:
            line["t"] = record.tallied.as_json()
        return self._line(line)

    def end(self, proof: Sequence[bytes], sign: Sign) -> bytes:
        """The last two lines: the multiproof of all `indexes` at the checkpoint's size, and the log's signature."""
        shown = self._line({"proof": [b64(one) for one in proof]})
        digest = self._hash.digest()
        end = {"end": {"records": len(self.indexes), "sha256": b64(digest)}, "sig": b64(sign(SIGNED_PREFIX + digest))}
        return shown + self._line(end)

    def _line(self, value: Mapping[str, Any]) -> bytes:
        line = canonical(value).encode() + b"\n"
        self._hash.update(line)
        return line


def file_name(case: str, log: str, shard: int) -> str:
    """What a bundle's file is called, without what a file's name should not have."""
    named = re.sub(r"[^A-Za-z0-9._-]+", "-", case).strip("-.")[:80] or "case"
    return f"bundle-{named}-{log}{f'-{shard}' if shard > 1 else ''}.jsonl"
