# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Exports of records: asked for, recorded, and only then handed out; every download is recorded too (article 13.1)."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from typing import TYPE_CHECKING, Any

import attrs

from synapse_groupreg.errors import Conflict, NotFound, Unavailable
from synapse_groupreg.handlers.act_exports import KEPT_MS, NO_RECORDS, public
from synapse_groupreg.handlers.retention.exporting import Part, Said, bundle, parts_of
from synapse_groupreg.policy.record_actions import Export
from synapse_groupreg.retention.bundle import Anchor, file_name
from synapse_groupreg.retention.records import Kind
from synapse_groupreg.storage import exports, outbox
from synapse_groupreg.storage.entries import draft
from synapse_groupreg.values import frozen

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from synapse_groupreg.config.retention import AnchorConfig
    from synapse_groupreg.handlers import Homeserver
    from synapse_groupreg.handlers.actions import Actions
    from synapse_groupreg.handlers.retention.keys import LogKeys
    from synapse_groupreg.handlers.retention.reading import Openers
    from synapse_groupreg.policy.staff import Staff
    from synapse_groupreg.storage.database import Database, Transaction

    Seal = Callable[[bytes], bytes]

_POLL_S = 0.2
_POLLS = 50
"""Ten seconds: the recorder comes to it within one."""
_GONE = "There is no such export that you may download: they are kept for a day, for who asked and for server admins."
_LATE = (
    "The export was not recorded within ten seconds, and nothing is handed out before it is: see groupreg status, and"
    " ask for it again."
)


@frozen(kw_only=True)
class Store:
    """What an export needs of the retention store; the same for all."""

    openers: Openers
    keys: LogKeys
    seal: Seal
    open_: Seal
    """The inverse. Raises for what was sealed with another key."""
    anchors: Sequence[AnchorConfig] = ()


@frozen(kw_only=True)
class Download:
    """A bundle on its way out."""

    name: str
    """Of a file."""
    chunks: Iterator[bytes]
    """Blocks; from one thread at a time. Close it if it is not read to the end."""


@frozen(kw_only=True)
class _Kept:
    """An export, opened."""

    id: str
    made_ms: int
    author: str
    wanted: Export
    parts: list[Part]


class Exports:
    """Asks for and hands out."""

    def __init__(self, database: Database, homeserver: Homeserver, actions: Actions, store: Store | None) -> None:
        """`store` is None where no records are kept."""
        self._database = database
        self._homeserver = homeserver
        self._actions = actions
        self._store = store

    async def ask(self, staff: Staff, wanted: Export, *, dry_run: bool) -> dict[str, Any]:
        """Record who wants what, wait until the recorder has signed for it, and say which bundles it comes to.

        Raises NotPermitted, Conflict, NotFound if there is nothing to show, Unavailable.
        """
        change = await self._actions.do(staff, wanted, dry_run=dry_run)
        answer = {"dry_run": change.dry_run, "changed": change.changed, "before": change.before, "after": change.after}
        if change.dry_run:
            return answer
        export_id: str = change.facts["id"]
        await self._recorded(export_id)
        store = self._required()
        parts = await self._homeserver.in_thread(self._parts, wanted)
        sealed = store.seal(json.dumps([attrs.asdict(part) for part in parts]).encode())
        await self._database.run("groupreg_export", exports.set_parts, export_id, b64encode(sealed).decode())
        shown = [{"file": _name(wanted, part), "checkpoint": part.note, "records": part.records} for part in parts]
        return {**answer, "id": export_id, "parts": len(parts), "bundles": shown}

    async def download(self, staff: Staff, export_id: str, number: int) -> Download:
        """One of the bundles of an export, from 1. That it was taken is recorded first.

        Raises NotFound, Unavailable; and from the chunks Conflict, if records of it were removed meanwhile.
        """
        kept = await self._database.run("groupreg_export", self._take, staff, export_id, number)
        part = kept.parts[number - 1]
        return Download(name=_name(kept.wanted, part), chunks=self._chunks(kept, part))

    def _required(self) -> Store:
        if self._store is None:
            raise Conflict(NO_RECORDS)
        return self._store

    async def _recorded(self, export_id: str) -> None:
        found = await self._database.run("groupreg_export", exports.find, export_id)
        assert found is not None, "it was just written"
        for _ in range(_POLLS):
            if not await self._database.run("groupreg_export", exports.is_waiting, found.outbox_id):
                return
            await self._homeserver.sleep(_POLL_S)
        raise Unavailable(_LATE)

    def _parts(self, wanted: Export) -> list[Part]:
        with self._required().openers.lend(wanted.log) as opener:
            return parts_of(opener, wanted)

    def _take(self, txn: Transaction, staff: Staff, export_id: str, number: int) -> _Kept:
        """Find an export, and record that a part of it is taken: what can't be recorded is not handed out."""
        store, now_ms = self._required(), self._homeserver.now_ms()
        kept = _opened(exports.find(txn, export_id), store.open_)
        if kept is None or kept.made_ms < now_ms - KEPT_MS or not (staff.admin or kept.author == staff.user_id):
            raise NotFound(_GONE)
        if not 1 <= number <= len(kept.parts):
            raise NotFound(f"This export has no part {number}: it has {len(kept.parts)}.")
        facts = {**public(kept.wanted), "export": kept.id, "part": number}
        entry = draft(Kind.export, now_ms, type="download", actor=staff.user_id, facts=facts)
        outbox.append(txn, [entry], store.seal)
        return kept

    def _chunks(self, kept: _Kept, part: Part) -> Iterator[bytes]:
        store = self._required()
        said = Said(by=kept.author, made_ms=kept.made_ms, anchors=[_anchor(one) for one in store.anchors])
        server_name = self._homeserver.server_name
        with store.openers.lend(kept.wanted.log) as opener:
            yield from bundle(opener, kept.wanted, part, said, server_name=server_name, keys=store.keys)


def _opened(row: exports.ExportRow | None, open_: Seal) -> _Kept | None:
    if row is None or row.parts is None:
        return None
    request = json.loads(open_(b64decode(row.request)))
    parts = json.loads(open_(b64decode(row.parts)))
    wanted: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in request["wanted"].items()
    }
    return _Kept(
        id=row.id,
        made_ms=row.made_ms,
        author=request["author"],
        wanted=Export(**wanted),
        parts=[Part(**part) for part in parts],
    )


def _name(wanted: Export, part: Part) -> str:
    return file_name(wanted.case, wanted.log, part.shard)


def _anchor(anchor: AnchorConfig) -> Anchor:
    if anchor.room is not None:
        return Anchor(kind="room", where=anchor.room)
    assert anchor.file is not None
    return Anchor(kind="file", where=anchor.file)
