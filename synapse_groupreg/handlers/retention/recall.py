# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Who searches the retention store leaves a record of it, before they see anything (articles 6.3, 13.1).

And everybody reads what is kept about themselves, and who looked.
"""

from __future__ import annotations

import json
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from synapse_groupreg.handlers.retention.reading import KINDS
from synapse_groupreg.handlers.retention.searching import (
    Hit,
    Stream,
    Wanted,
    logs_of,
    page,
    positions_of,
    token_of,
)
from synapse_groupreg.policy.record_actions import EraseRecords
from synapse_groupreg.policy.staff import Right
from synapse_groupreg.retention.records import Kind, LogName, canonical
from synapse_groupreg.retention.sealing import SealError
from synapse_groupreg.storage import outbox
from synapse_groupreg.storage.entries import draft, given

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from synapse_groupreg.handlers import Homeserver
    from synapse_groupreg.handlers.retention.reading import Opener, Openers, OpenRecord
    from synapse_groupreg.policy.staff import Staff
    from synapse_groupreg.storage.database import Database

    View = dict[str, Any]

LOOKS = (Kind.look, Kind.search, Kind.export)
"""What people are told of that others did with data about them; and who asked for an erasure of it."""
_FIRST = ("sender", "room_id", "target", "event_id")
"""Sensitive fields that every view has; the others only where there are any."""
_OTHERS = frozenset({"author"})
"""Sensitive fields of one's own records that name somebody else, whose data they are."""


class Recall:
    """Searches. What can't be recorded is not shown."""

    def __init__(
        self, openers: Openers, database: Database, homeserver: Homeserver, seal: Callable[[bytes], bytes]
    ) -> None:
        self._openers = openers
        self._database = database
        self._homeserver = homeserver
        self._seal = seal

    async def search(
        self, staff: Staff, wanted: Wanted, *, reason: str, start: str | None, limit: int, content: bool
    ) -> View:
        """A page of what was found, the newest first, and where it goes on. Raises Invalid, Unavailable."""
        logs = logs_of(wanted)
        positions = positions_of(start, len(logs))

        def read() -> View:
            with ExitStack() as lent:
                openers = [lent.enter_context(self._openers.lend(log.value)) for log in logs]
                streams = [
                    Stream(opener, wanted, position, limit) for opener, position in zip(openers, positions, strict=True)
                ]
                found = page(streams, limit)
                by_log = dict(zip(logs, openers, strict=True))
                records = [show(hit, by_log[hit.log] if content else None) for hit in found]
                return _page("records", records, token_of([stream.position for stream in streams]))

        answer = await self._homeserver.in_thread(read)
        said = _filters(wanted, {"from": start, "content": content or None})
        await self._record(staff, said, len(answer["records"]), account=wanted.account, room=wanted.room, reason=reason)
        return answer

    async def about(self, staff: Staff, user_id: str, *, reason: str | None, start: str | None, limit: int) -> View:
        """What is kept of what an account did, and who looked at data about it, each the newest first.

        To read one's own is no look; anybody else's is, and needs a reason. Raises Invalid, Unavailable.
        """
        did, looked = Wanted(actor=user_id), Wanted(target=user_id, kinds=LOOKS)
        # What an erasure does is recorded without a name: that would be one more to erase.
        erased = Wanted(target=user_id, kinds=(Kind.act,), types=(EraseRecords.name,))
        positions = positions_of(start, len(LogName) + 2)

        def read() -> View:
            with ExitStack() as lent:
                events, acts = (lent.enter_context(self._openers.lend(log.value)) for log in LogName)
                searches = ((events, did), (acts, did), (acts, looked), (acts, erased))
                streams = [
                    Stream(opener, wanted, position, limit)
                    for (opener, wanted), position in zip(searches, positions, strict=True)
                ]
                own, others = streams[: len(LogName)], streams[len(LogName) :]
                answer = {
                    "user_id": user_id,
                    "records": [show(hit, hidden=_OTHERS) for hit in page(own, limit)],
                    "looks": [_look(hit) for hit in page(others, limit)],
                }
                token = token_of([stream.position for stream in streams])
                return answer if token is None else {**answer, "next_token": token}

        answer = await self._homeserver.in_thread(read)
        if user_id != staff.user_id:
            count = len(answer["records"]) + len(answer["looks"])
            await self._record(staff, {"view": "my-records", "from": start}, count, account=user_id, reason=reason)
        return answer

    async def _record(
        self,
        staff: Staff,
        said: View,
        count: int,
        *,
        account: str | None,
        room: str | None = None,
        reason: str | None,
    ) -> None:
        """In a transaction of its own, which is committed when this returns."""
        filters = {name: value for name, value in said.items() if value is not None}
        entry = draft(
            Kind.search,
            self._homeserver.now_ms(),
            type=Right.search_records.value,
            actor=staff.user_id,
            target=account,
            room=room,
            details=given(reason=reason, text=canonical(filters)),
            facts={"records": count, "roles": staff.offices},
        )
        await self._database.run("groupreg_search", outbox.append, [entry], self._seal)


def show(hit: Hit, opener: Opener | None = None, *, hidden: frozenset[str] = frozenset()) -> View:
    """A record for people; with an opener also an event's content, if it is kept.

    `changed` says that it is not what its hash in the tree was made of, or can't be opened: fsck says more.
    """
    record, row, whole = hit.record, hit.record.row, hit.record.is_whole
    values = {field: value for field, value in record.values.items() if field not in hidden}
    content = None
    if opener is not None:
        content, whole = _content(opener, record, whole=whole)
    return {
        "log": hit.log.value,
        "index": row.idx,
        "period": record.period.month,
        "shard": record.period.shard,
        "kind": KINDS[row.kind].value if 0 <= row.kind < len(KINDS) else None,
        "ts_ms": row.ts_ms,
        "type": row.type,
        "verdict": row.verdict,
        "count": row.times,
        **{field: values.pop(field, None) for field in _FIRST},
        **dict(sorted(values.items())),
        **({} if content is None else {"content": json.loads(content)}),
        "facts": record.facts if whole else None,
        "erased": record.erased,
        "changed": not whole,
    }


def _content(opener: Opener, record: OpenRecord, *, whole: bool) -> tuple[bytes | None, bool]:
    """The content, and whether the record is still whole: what is no longer what was sealed is not shown."""
    try:
        return opener.content(record), whole
    except SealError:
        return None, False


def _look(hit: Hit) -> View:
    """What a person is told of somebody who looked: when, how and in which office; not who, and not why.

    The name is the staff member's own data, and a reason may name a case. Both are in the record, for who inspects.
    """
    row, whole = hit.record.row, hit.record.is_whole
    facts = (hit.record.facts if whole else None) or {}
    return {
        "kind": hit.record.kind.value,
        "ts_ms": row.ts_ms,
        "type": row.type,
        "roles": facts.get("roles", []),
        "changed": not whole,
    }


def _filters(wanted: Wanted, more: View) -> View:
    """What a search was for, beside account and room."""
    return {
        "log": wanted.log,
        "kinds": [kind.value for kind in wanted.kinds] or None,
        "types": list(wanted.types) or None,
        "codes": list(wanted.codes) or None,
        "from_ms": wanted.from_ms,
        "to_ms": wanted.to_ms,
        **more,
    }


def _page(name: str, found: Sequence[View], token: str | None) -> View:
    return {name: list(found)} if token is None else {name: list(found), "next_token": token}
