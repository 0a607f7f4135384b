# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Bundles from an archive, as the recorder and the export make them together."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import attrs

from synapse_groupreg.handlers.retention.exporting import Said, bundle, parts_of
from synapse_groupreg.policy.record_actions import Export
from synapse_groupreg.retention.records import LogName, read_disclosure
from tests.handlers.retention.stage import SERVER
from tests.retention.verdicts import both

if TYPE_CHECKING:
    from synapse_groupreg.handlers.retention.exporting import Part
    from synapse_groupreg.retention.findings import Report
    from tests.handlers.retention.stage import Archive

INSPECTOR = f"@inspector:{SERVER}"


def wanted(**given: Any) -> Export:
    """An export of a log's records, without identities unless they are asked for."""
    made: dict[str, Any] = {"log": "events", "mode": "range", "case": "2026-17", "basis": "article 13.1"}
    return Export(**{**made, **given})


def sign(archive: Archive, export: Export | None = None) -> None:
    """What the recorder does when it comes to an export: counts whom it is about, and signs."""
    subject = export if export is not None and export.mode == "subject" else None
    for log in archive.logs.values():
        for kind, name in (("room", subject and subject.room_id), ("account", subject and subject.user_id)):
            if name:
                log.tally(kind, name, archive.now_ms)
        log.checkpoint()


def parts(archive: Archive, export: Export) -> list[Part]:
    with archive.openers.lend(export.log) as opener:
        return parts_of(opener, export)


def chunks(archive: Archive, export: Export, part: Part, made_ms: int | None = None) -> list[bytes]:
    said = Said(by=INSPECTOR, made_ms=archive.now_ms if made_ms is None else made_ms)
    with archive.openers.lend(export.log) as opener:
        return [*bundle(opener, export, part, said, server_name=SERVER, keys=archive.keys)]


def lines_of(archive: Archive, export: Export) -> list[bytes]:
    """The lines of the one bundle that an export comes to."""
    sign(archive, export)
    [part] = parts(archive, export)
    return b"".join(chunks(archive, export, part)).splitlines(keepends=True)


def disclosed(record: dict[str, Any]) -> set[tuple[str, str]]:
    """Fields and values of a line."""
    return {read_disclosure(one)[1:] for one in record.get("d", ())}


@attrs.frozen
class Exported:
    """A bundle that was made, and what the verifiers said."""

    lines: list[bytes]
    report: Report

    @property
    def records(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.lines[1:-2]]

    @property
    def indexes(self) -> list[int]:
        return [record["i"] for record in self.records]

    @property
    def disclosed(self) -> set[tuple[str, str]]:
        return set[tuple[str, str]]().union(*map(disclosed, self.records))

    @property
    def fields(self) -> set[str]:
        return {field for field, _ in self.disclosed}


def exported(archive: Archive, **given: Any) -> Exported:
    """A bundle, verified by both verifiers against the keys that everybody can know."""
    lines = lines_of(archive, wanted(**given))
    report = both(lines, server_keys={"ed25519:a_test": archive.keys.server_public})
    assert report.ok, [str(one) for one in report.findings]
    return Exported(lines, report)


def indexes_of(archive: Archive, values: dict[str, str], log: LogName = LogName.events) -> list[int]:
    """The records that have these values, straight from the store."""
    return [
        one.row.idx
        for one in archive.records(log)
        if all(one.values.get(field) == value for field, value in values.items())
    ]
