# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Verifies a bundle: lines in, findings out (article 13.1). Needs no server, no store and no secret.

In this order: the manifest's shape; the log's key, its endorsement and the checkpoint's signature; every record's line,
header and disclosures, and whether they are what the manifest claims; that all records stand in the tree whose root the
checkpoint signs; that the file is whole and was signed by the log's key.
"""

from __future__ import annotations

import hashlib
from array import array
from itertools import starmap
from struct import iter_unpack
from typing import TYPE_CHECKING, Any

from synapse_groupreg.retention.bundle import SIGNED_PREFIX
from synapse_groupreg.retention.chains import SubjectScope
from synapse_groupreg.retention.chunks import Chunk, ReadChunk, Records, Spread, read_chunk, text_of
from synapse_groupreg.retention.findings import Broken, Counts, Coverage, Findings, NoBundle, Report
from synapse_groupreg.retention.provenance import (
    Provenance,
    Trust,
    check_provenance,
    hashes,
    is_number,
    plain_proof,
    read_manifest,
    texts,
)
from synapse_groupreg.retention.scope import FilterScope, RangeScope, Scope
from synapse_groupreg.retention.shown import Shown, check_order
from synapse_groupreg.retention.strict_json import SpellingError, parse, unb64_strict
from synapse_groupreg.retention.tree import HASH_BYTES, TreeError, multiproof_root

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from synapse_groupreg.retention.notes import Verify

_STEP = 1000
"""Lines between two reports of progress."""


def verify_bundle(
    lines: Iterable[bytes],
    verify: Verify,
    trust: Trust | None = None,
    progress: Callable[[int], None] | None = None,
    spread: Spread = map,
) -> Report:
    """Verify the lines of a bundle, each with its newline. `progress` is told how many more bytes were read.

    `spread` reads the records: in this process, or in several. Memory grows by 40 bytes a record, and with the number
    of tokens. Never raises because of what the lines hold.
    """
    return _Verification(verify, trust or Trust(), spread).run(lines, progress or (lambda _: None))


class _Verification:
    """One run."""

    def __init__(self, verify: Verify, trust: Trust, spread: Spread) -> None:
        self._verify = verify
        self._trust = trust
        self._spread = spread
        self._findings = Findings()
        self._hash = hashlib.sha256()
        """Of every line but the last."""
        self._number = 0
        self._manifest: dict[str, Any] = {}
        self._provenance: Provenance | None = None
        self._indexes = array("Q")
        self._leaves = bytearray()
        self._counts = Counts()
        self._coverage: Sequence[Coverage] = ()

    def run(self, lines: Iterable[bytes], progress: Callable[[int], None]) -> Report:
        """Read everything, or as far as it can be read."""
        readable = True
        try:
            self._read(self._whole(lines, progress))
        except NoBundle as error:
            readable = False
            self._findings.stop(1, error)
        except Broken as error:
            self._findings.stop(self._number, error)
        return self._report(readable=readable)

    def _whole(self, lines: Iterable[bytes], progress: Callable[[int], None]) -> Iterator[bytes]:
        """The lines, none of which was cut off."""
        unreported = 0
        for line in lines:
            self._number += 1
            unreported += len(line)
            if not self._number % _STEP:
                progress(unreported)
                unreported = 0
            if line[-1:] != b"\n":
                unreadable = Broken if self._number > 1 else NoBundle
                raise unreadable("the line has no newline at its end: the file was cut off")
            yield line
        progress(unreported)

    def _read(self, lines: Iterator[bytes]) -> None:
        provenance = self._begin(next(lines, None))
        scope = self._scope()
        proof = self._read_records(Records(lines, 2, provenance.checkpoint.size, scope.wanted), scope)
        self._coverage = scope.finish(self._number)
        self._prove(proof, provenance)
        self._hash.update(proof)
        self._end(next(lines, None))
        if next(lines, None) is not None:
            raise Broken("there is something after the end")

    def _begin(self, line: bytes | None) -> Provenance:
        if line is None:
            raise NoBundle("the file is empty")
        try:
            text = text_of(line)
        except Broken as error:
            raise NoBundle(*error.args) from None
        self._hash.update(line)
        self._manifest = read_manifest(text)
        self._provenance = check_provenance(self._manifest, self._trust, self._verify, self._findings)
        return self._provenance

    def _scope(self) -> Scope:
        mode = self._manifest["mode"]
        if mode == "range":
            return RangeScope(self._manifest["range"], self._findings)
        if mode == "subject":
            return SubjectScope(self._manifest["subject"], self._findings)
        return FilterScope(self._manifest["filter"], self._findings)

    def _read_records(self, records: Records, scope: Scope) -> bytes:
        """Every line up to the proof, which it answers."""
        for chunk in self._spread(read_chunk, self._hashed(records)):
            self._look(chunk, scope)
        if records.failed is not None:
            raise records.failed
        if records.proof is None:
            self._number += 1
            raise Broken("the proof is missing: the file was cut off")
        return records.proof

    def _hashed(self, records: Iterable[Chunk]) -> Iterator[Chunk]:
        for chunk in records:
            self._hash.update(chunk.data)
            yield chunk

    def _look(self, chunk: ReadChunk, scope: Scope) -> None:
        """What lines show, in the order of the file."""
        if chunk.indexes and self._indexes:
            read, self._number = self._number, chunk.first
            check_order(chunk.indexes[0], self._indexes[-1] + 1)
            self._number = read
        for finding in chunk.findings:
            self._findings.add(finding.line, finding.text)
        self._indexes += chunk.indexes
        self._leaves += chunk.leaves
        self._counts += chunk.counts
        look = scope.add
        for shown in starmap(Shown, chunk.shown):
            look(shown)
        if chunk.broken is not None:
            self._findings.more |= chunk.more
            self._number, text = chunk.broken
            raise Broken(text)

    def _prove(self, line: bytes, provenance: Provenance) -> None:
        """Check that the records are those of the tree that the checkpoint signs."""
        checkpoint = provenance.checkpoint
        leaves = (leaf for (leaf,) in iter_unpack(f"{HASH_BYTES}s", self._leaves))
        try:
            proof = plain_proof(line) or _proof(line)
            root = multiproof_root(zip(self._indexes, leaves, strict=True), checkpoint.size, proof)
        except (ValueError, TreeError) as error:
            self._findings.add(self._number, f"the proof does not fit the records: {error}")
            return
        if root != checkpoint.root:
            text = (
                "the records do not lead to the root that the checkpoint signs: one of them, or the proof, was changed"
            )
            self._findings.add(self._number, text)

    def _end(self, last: bytes | None) -> None:
        """Check that the file is whole, and signed."""
        if last is None:
            self._number += 1
            raise Broken("the end is missing: the file was cut off")
        line = _parsed(text_of(last), "the end")
        end = line.get("end")
        if line.keys() != {"end", "sig"} or not isinstance(end, dict) or end.keys() != {"records", "sha256"}:
            raise Broken("the end has not the right form")
        if not is_number(end["records"]) or end["records"] != len(self._indexes):
            self._findings.add(
                self._number, f"the end counts other than the {len(self._indexes)} records that are here"
            )
        digest = self._hash.digest()
        if _bytes(end["sha256"]) != digest:
            text = "the SHA-256 of all lines before is not the one that the end says: something in them was changed"
            self._findings.add(self._number, text)
        assert self._provenance is not None
        if not self._verify(self._provenance.key.public, SIGNED_PREFIX + digest, _bytes(line["sig"])):
            self._findings.add(self._number, "the signature of the end is not one of this file by the log's key")

    def _report(self, *, readable: bool) -> Report:
        provenance = self._provenance
        return Report(
            findings=tuple(sorted(self._findings.found, key=lambda finding: finding.line)),
            more=self._findings.more,
            readable=readable,
            manifest=self._manifest,
            size=provenance.checkpoint.size if provenance else 0,
            root=provenance.checkpoint.text.split("\n")[2] if provenance else "",
            records=len(self._indexes),
            kinds=dict(self._counts.kinds.most_common()),
            first_ms=self._counts.first_ms,
            last_ms=self._counts.last_ms,
            disclosures=self._counts.disclosures,
            contents=self._counts.contents,
            coverage=tuple(self._coverage),
            key="given" if self._trust.vkey else "endorsed" if provenance and provenance.endorsed else "claimed",
            endorsement_checked=bool(provenance and provenance.endorsed),
            anchored=bool(self._manifest.get("anchors")),
        )


def _parsed(text: str, what: str) -> dict[str, Any]:
    try:
        line = parse(text)
    except SpellingError as error:
        raise Broken(f"{what} can't be read: {error}") from None
    if not isinstance(line, dict):
        raise Broken(f"{what} is not where it should be")
    return line


def _proof(line: bytes) -> list[bytes]:
    said = _parsed(text_of(line), "the proof")
    if said.keys() != {"proof"} or not texts(said["proof"]):
        raise Broken("the proof is not a list of hashes")
    return hashes(said["proof"])


def _bytes(text: object) -> bytes:
    try:
        return unb64_strict(text) if isinstance(text, str) else b""
    except ValueError:
        return b""
