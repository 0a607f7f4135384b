# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Erasing what the store says of a person, period by period, as soon as no duty to keep it runs (article 6.3).

The tree commits to digests of what names somebody, so names, addresses and contents go and every proof stays. As with
removals the record comes first, then the erasure, then the wish is forgotten; each step looks first whether it was
done. The record says how much was erased, and never of whom. What they wrote in appeals goes too: `erasing_appeals`.
"""

from __future__ import annotations

import functools
import json
import os
from typing import TYPE_CHECKING, Any

import attrs

from synapse_groupreg.handlers.retention import erasing_appeals
from synapse_groupreg.handlers.retention.reading import Opener
from synapse_groupreg.retention.records import Kind, LogName
from synapse_groupreg.retention.sealing import NONCE_BYTES, Purpose
from synapse_groupreg.storage import erasures, keeping, known_logs, outbox
from synapse_groupreg.storage.entries import OUTBOX, draft
from synapse_groupreg.storage.store import Period, Selection

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from synapse_groupreg.handlers import Homeserver
    from synapse_groupreg.handlers.retention.keys import LogKeys
    from synapse_groupreg.handlers.retention.log import Log
    from synapse_groupreg.handlers.retention.reading import OpenRecord
    from synapse_groupreg.storage.database import Database, Transaction
    from synapse_groupreg.storage.erasures import Erasure
    from synapse_groupreg.storage.keeping import Hold, Work
    from synapse_groupreg.storage.store import PeriodInfo

OF_THE_SENDER = ("sender", "ip", "user_agent", "device_id")
"""What tells of whoever did something, apart from texts that name them."""
_AT_ONCE = 2000
"""Records that are read in one call of a thread."""
_PAGES = 10
"""Such calls before the recorder sees to what else there is to do."""

Plan = tuple[list[int], list[tuple[int, bytes]]]
"""Names to forget, and what is left of records."""


@attrs.define
class _Reading:
    """How far a period was read."""

    work_id: int
    epoch: int
    since: int = 0
    sealed: list[tuple[int, bytes]] = attrs.Factory(list)


class Erasing:
    """Erases, a period at a time."""

    def __init__(
        self,
        database: Database,
        homeserver: Homeserver,
        *,
        seal: Callable[[bytes], bytes],
        keys: LogKeys,
        duty_ms: int,
        keeps: Mapping[LogName, int],
    ) -> None:
        """`duty_ms`: how long the duty to keep any record runs; longer keeping, `keeps`, is the operator's own wish."""
        self._database = database
        self._homeserver = homeserver
        self._seal = seal
        self._keys = keys
        self._duty_ms = duty_ms
        self._reading: _Reading | None = None
        self._keeps = keeps
        self.missing: list[str] = []
        """Shards that are not in this store, and for which erasures wait."""

    async def look(self, logs: Mapping[LogName, Log], holds: list[Hold], *, doubted: bool) -> None:
        """Ask for what can be erased now, note when the rest can, and finish what is done.

        `doubted`: the clock can't be believed, so no duty counts as over by it.
        """
        self._reading = None  # what it was for may be over; if not, it begins again
        unfinished = await self._database.run("groupreg_erase", erasures.unfinished)
        self.missing = []
        if not unfinished:
            return
        infos = {name: await self._homeserver.in_thread(log.reader.periods) for name, log in logs.items()}
        now_ms = self._homeserver.now_ms()
        missing = await self._missing(logs, infos, now_ms)
        self.missing = [shard for shard, *_ in missing]
        for erasure in unfinished:
            left = [
                (name, info)
                for name, found in infos.items()
                for info in found
                if concerns(erasure, info) and _key(name, info.period) not in erasure.periods
            ]
            believed = erasure.duty_ended is not None or not doubted
            ends = [
                (
                    name,
                    info.period,
                    kept_until(erasure, info, self._duty_ms, [one for one in holds if one.log == name.value]),
                )
                for name, info in left
            ]
            wishes = [(name, period) for name, period, ends_ms in ends if believed and ends_ms < now_ms]
            waits = [ends_ms for _, _, ends_ms in ends if not believed or ends_ms >= now_ms]
            lacks = [(shard, goes_ms) for shard, began_ms, goes_ms in missing if began_ms <= erasure.asked_ms]
            next_ms = min((*waits, *(goes_ms for _, goes_ms in lacks)), default=None)
            wrote = functools.partial(
                erasing_appeals.erase,
                erasure=erasure,
                holds=holds,
                duty_ms=self._duty_ms,
                believed=believed,
                now_ms=now_ms,
                seal=self._seal,
            )
            await self._database.run(
                "groupreg_erase",
                _ask,
                erasure,
                wishes,
                next_ms,
                now_ms,
                missing=[shard for shard, _ in lacks],
                wrote=wrote,
            )

    async def _missing(
        self, logs: Mapping[LogName, Log], infos: Mapping[LogName, list[PeriodInfo]], now_ms: int
    ) -> list[tuple[str, int, int]]:
        """Shards of which Synapse's database knows more than is here: called what, begun when, and gone when at last.

        Their records may be found again, so nothing of them counts as erased before it would have been removed anyway.
        """
        found, before_ms = [], {name.value: 0 for name in logs}
        bases = {name: await self._homeserver.in_thread(log.reader.bases) for name, log in logs.items()}
        for one in await self._database.run("groupreg_erase", known_logs.everything):
            name = LogName(one.log)
            ends = [info.end for info in infos[name] if info.period.shard == one.shard]
            goes_ms = one.noted_ms + self._keeps[name]
            if max((bases[name].get(one.shard, (0, ()))[0], *ends)) < one.size and goes_ms >= now_ms:
                found.append((f"{one.log}/{one.shard}", before_ms[one.log], goes_ms))
            before_ms[one.log] = one.noted_ms
        return found

    async def step(self, logs: Mapping[LogName, Log], work: Work) -> None:
        """Do what can be done now. Raises Fenced, StoreUnavailable, SealError."""
        log, period = logs[LogName(work.log)], Period(work.payload["shard"], work.payload["month"])
        erasure = await self._database.run("groupreg_erase", erasures.get, work.payload["erasure"])
        infos = await self._homeserver.in_thread(log.reader.periods)
        gone = all(info.period != period for info in infos)
        if erasure is None or erasure.account is None or gone:
            await self._database.run("groupreg_erase", keeping.done, work.id)
        elif work.outbox_id is None:
            plan = await self._plan(work.id, log, period, erasure.account)
            if plan is not None:
                said = (len(plan[0]), len(plan[1]))
                now_ms = self._homeserver.now_ms()
                await self._database.run("groupreg_erase", _tell, work, erasure, said, seal=self._seal, now_ms=now_ms)
        elif await self._is_told(logs[LogName.acts], work.outbox_id):
            plan = await self._plan(work.id, log, period, erasure.account)
            if plan is not None:
                # Also when nothing is left to erase: a crash may have come before the old bytes were removed from the
                # disk.
                await self._homeserver.in_thread(log.erase, period, *plan)
                await self._database.run("groupreg_erase", _done, work, erasure, self._homeserver.now_ms())

    async def _plan(self, work_id: int, log: Log, period: Period, account: str) -> Plan | None:
        """What is to be erased of a period; None while not all of it was read: recording goes on between the rounds."""
        whose = (work_id, log.head.epoch)
        if self._reading is None or self._reading.epoch != whose[1]:
            self._reading = _Reading(*whose)
        reading = self._reading
        if reading.work_id != work_id:
            return None  # INVARIANT: of two erasures in a record, the second reads what the first left
        for _ in range(_PAGES):
            if not await self._homeserver.in_thread(self._read_page, log, period, account, reading):
                self._reading = None
                name = await self._homeserver.in_thread(self._opener(log).find, period, "account", account)
                return ([] if name is None else [name.ref]), reading.sealed
        return None

    def _read_page(self, log: Log, period: Period, account: str, reading: _Reading) -> bool:
        """Read on; whether there may be more."""
        opener = self._opener(log)
        seal = opener.keys(period).sealer(Purpose.details)
        rows = opener.reader.select(period, Selection(since=reading.since), _AT_ONCE, newest_first=False)
        for record in opener.open(period, rows):
            fields = _fields(record, account)
            if fields:
                known = {field: value for field, value in record.names.items() if value is not None}
                left = record.details.without(fields, known)
                reading.sealed.append((record.row.idx, seal(record.row.idx, os.urandom(NONCE_BYTES), left.packed())))
        if len(rows) < _AT_ONCE:
            return False
        reading.since = rows[-1].idx + 1
        return True

    def _opener(self, log: Log) -> Opener:
        return Opener(log.reader, log.name, log.server_name, self._keys)

    async def _is_told(self, acts_log: Log, outbox_id: int) -> bool:
        if acts_log.signed_size != acts_log.head.size:
            return False
        taken = acts_log.head.cursors.get(OUTBOX, 0)
        return await self._database.run("groupreg_erase", keeping.is_recorded, outbox_id, taken)


def _fields(record: OpenRecord, account: str) -> list[str]:
    """What of a record tells of an account."""
    found = [field for field in ("sender", "target") if record.names.get(field) == account]
    if "sender" in found:
        found = [*OF_THE_SENDER, *found[1:]]
    found += [field for field, value in record.details.values.items() if _names(value, account) and field not in found]
    return [field for field in found if field in record.details.salts]


def _names(text: str, account: str) -> bool:
    # JSON in a text may have written it with escapes.
    return account in text or json.dumps(account)[1:-1] in text


def _key(log: LogName, period: Period) -> str:
    return f"{log.value} {period.shard}-{period.month}"


def concerns(erasure: Erasure, info: PeriodInfo) -> bool:
    """Whether a period has records of the time that an erasure is about."""
    return info.oldest_ms is not None and info.oldest_ms <= erasure.asked_ms


def kept_until(erasure: Erasure, info: PeriodInfo, duty_ms: int, holds: Sequence[Hold]) -> int:
    """Until when a period's records have to be kept as they are."""
    assert info.newest_ms is not None
    duty = 0 if erasure.duty_ended is not None else info.newest_ms + duty_ms
    return max(duty, *(one.until_ms for one in holds if one.touches(info.oldest_ms, info.newest_ms)), 0)


def _ask(
    txn: Transaction,
    erasure: Erasure,
    wishes: list[tuple[LogName, Period]],
    next_ms: int | None,
    now_ms: int,
    *,
    missing: list[str],
    wrote: Callable[[Transaction], int | None],
) -> None:
    """`wrote` erases what can be erased of appeals, and says until when the rest waits."""
    later_ms = wrote(txn)
    next_ms = min((one for one in (next_ms, later_ms) if one is not None), default=None)
    erasures.wait(txn, erasure.id, next_ms, missing)
    for name, period in wishes:
        payload = {"erasure": erasure.id, "shard": period.shard, "month": period.month}
        subject = f"{erasure.id} {period.shard}-{period.month}"
        keeping.queue(txn, keeping.ERASE, name.value, subject, payload=payload, now_ms=now_ms)
    if not wishes and next_ms is None:
        _finish(txn, erasure, now_ms)


def _tell(
    txn: Transaction,
    work: Work,
    erasure: Erasure,
    said: tuple[int, int],
    *,
    seal: Callable[[bytes], bytes],
    now_ms: int,
) -> None:
    if not keeping.claim(txn, work.id):
        return
    names, records = said
    month = work.payload["month"]
    facts: dict[str, Any] = {"erasure": erasure.id, "log": work.log, "month": month, "records": records}
    period = _key(LogName(work.log), Period(work.payload["shard"], month))
    erasures.count(txn, erasure, period, names, records)
    if not (names or records):
        keeping.done(txn, work.id)  # nothing is said of them there, so there is nothing to record
        return
    [outbox_id] = outbox.append(txn, [draft(Kind.erase, now_ms, type="erase", facts=facts)], seal)
    keeping.told(txn, work.id, outbox_id)


def _done(txn: Transaction, work: Work, erasure: Erasure, now_ms: int) -> None:
    keeping.done(txn, work.id)
    if erasure.next_ms is None:
        _finish(txn, erasure, now_ms)


def _finish(txn: Transaction, erasure: Erasure, now_ms: int) -> None:
    """Unless something of it waits."""
    if all(one.payload.get("erasure") != erasure.id for one in keeping.waiting(txn, keeping.ERASE)):
        erasures.finish(txn, erasure, now_ms)
