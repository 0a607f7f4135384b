# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the verification of a bundle comes to: what it found wrong, what it shows, and what it leaves open."""

from __future__ import annotations

from collections import Counter
from typing import Any, Literal, Self

import attrs
from typing_extensions import override

from synapse_groupreg.values import frozen

MOST = 20
"""After so many failures a bundle is not read on."""


class Broken(Exception):
    """The bundle can't be read beyond this line: what follows has no meaning."""


class NoBundle(Broken):
    """The file is something else than a bundle."""


@frozen
class Finding:
    """Something that is wrong, and where. Line 1 is the manifest."""

    line: int
    text: str

    @override
    def __str__(self) -> str:
        return f"line {self.line}: {self.text}"


@attrs.define
class Findings:
    """The failures so far."""

    found: list[Finding] = attrs.field(factory=list)
    more: bool = False
    """Whether there were more than MOST."""

    def add(self, line: int, text: str) -> None:
        """Note a failure. Raises Broken when there are enough."""
        if len(self.found) >= MOST:
            self.more = True
            raise Broken
        self.found.append(Finding(line, text))

    def stop(self, line: int, error: Broken) -> None:
        """Note what made reading on impossible."""
        if not self.more:
            self.found.append(Finding(line, str(error)))


@attrs.define
class Counts:
    """What some records hold, in numbers."""

    kinds: Counter[str] = attrs.field(factory=Counter)
    first_ms: int | None = None
    last_ms: int | None = None
    disclosures: int = 0
    contents: int = 0

    def add(self, kind: str, at_ms: int) -> None:
        """Count a record."""
        self.kinds[kind] += 1
        if self.first_ms is None or at_ms < self.first_ms:
            self.first_ms = at_ms
        if self.last_ms is None or at_ms > self.last_ms:
            self.last_ms = at_ms

    def __iadd__(self, others: Counts) -> Self:
        self.kinds += others.kinds
        self.first_ms = min((at for at in (self.first_ms, others.first_ms) if at is not None), default=None)
        self.last_ms = max((at for at in (self.last_ms, others.last_ms) if at is not None), default=None)
        self.disclosures += others.disclosures
        self.contents += others.contents
        return self


@frozen(kw_only=True)
class Coverage:
    """How far the records of one token of the subject are all there. A token lives for one period."""

    token: str
    records: int
    first: int
    until: int
    """Every record of the token up to this index is in the bundle."""
    by: Literal["close", "tally", "chain"]
    """What shows it: the period's close record, a tally record in the open period, or only the records themselves."""
    period: tuple[int, int] | None
    """The period's first and last index; None if no close record shows them."""


@frozen(kw_only=True)
class Report:
    """The result. Nothing of it but `findings` may be believed while there are any."""

    findings: tuple[Finding, ...]
    more: bool
    readable: bool
    """False if the file is no bundle at all."""
    manifest: dict[str, Any]
    """The first line, as far as it could be read."""
    size: int = 0
    """The records in the log at the checkpoint."""
    root: str = ""
    """The checkpoint's root hash, in base64."""
    records: int = 0
    kinds: dict[str, int] = attrs.field(factory=dict)
    """Records by kind."""
    first_ms: int | None = None
    last_ms: int | None = None
    disclosures: int = 0
    contents: int = 0
    coverage: tuple[Coverage, ...] = ()
    """In mode `subject`, in order of index."""
    key: Literal["given", "endorsed", "claimed"] = "claimed"
    """How the log's key is known: it was given to the verifier, a key of the homeserver that was given endorses it, or
    only the bundle says so."""
    endorsement_checked: bool = False
    """Whether the endorsement's signature was checked against a key of the homeserver."""
    anchored: bool = False
    """Whether the manifest names a place outside where the checkpoint can be compared."""

    @property
    def ok(self) -> bool:
        """Whether everything that the bundle claims holds."""
        return self.readable and not self.findings
