# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the background process does by itself, in small steps: close replaced groups, follow sizes, tidy up."""

from __future__ import annotations

from typing import TYPE_CHECKING

from synapse_groupreg.handlers import labelling, metrics
from synapse_groupreg.handlers.labelling import Labeller
from synapse_groupreg.handlers.measures import Here, show, tell, touched_by
from synapse_groupreg.handlers.snapshot import touched_accounts
from synapse_groupreg.handlers.start import SERVER
from synapse_groupreg.policy.identity import smallest_tier, tier
from synapse_groupreg.storage import acts, changes, handovers, labels, measures, mutes, numbers, quotas, rooms, state
from synapse_groupreg.storage.identity import relatives

if TYPE_CHECKING:
    from synapse_groupreg.config import GroupRegConfig
    from synapse_groupreg.handlers import Homeserver
    from synapse_groupreg.storage.database import Database, Transaction

_ROOMS_A_STEP = 100
_ENDS_A_STEP = 100


class Upkeep:
    """Runs on one process; rivals would do no harm, since every step is a transaction that looks before it writes."""

    def __init__(self, config: GroupRegConfig, database: Database, homeserver: Homeserver) -> None:
        self._config = config
        self._database = database
        self._homeserver = homeserver
        self._labeller = Labeller(config, database, homeserver)
        self._after = ""
        self._surveyed = False

    async def often(self) -> None:
        """Every few seconds: close groups whose successor took over, and write labels that were promised."""
        now_ms = self._homeserver.now_ms()
        closed, promised = await self._database.run("groupreg_successors", _close_replaced, self._config, now_ms)
        if closed:
            await self._homeserver.poke()
        if promised:
            await self._labeller.write_all()
        await self._database.run("groupreg_ends", _tell_ends, Here(self._config, self._homeserver.server_name, now_ms))
        if not self._surveyed:
            await self._survey()
        self._note("often")

    async def seldom(self) -> None:
        """Every minute: sizes that shrank or grew without us, promises that lapsed, news that all read, labels."""
        await self._follow_sizes()
        now_ms = self._homeserver.now_ms()
        await self._database.run("groupreg_tidy", _tidy, now_ms)
        metrics.count_measures(
            self._homeserver.server_name, await self._database.run("groupreg_counts", measures.counts, now_ms)
        )
        await self._labeller.write_all()
        self._note("seldom")

    async def _follow_sizes(self) -> None:
        """Recount rooms that are or may be above a tier of `members_over`, a few at a time: there may be thousands."""
        smallest = smallest_tier(self._config)
        if smallest is None:
            return
        found = await self._database.run("groupreg_large", _maybe_large, smallest)
        moved = False
        for start in range(0, len(found), _ROOMS_A_STEP):
            step = found[start : start + _ROOMS_A_STEP]
            moved |= await self._database.run(
                "groupreg_sizes", _recount, step, smallest, self._config, self._homeserver.now_ms()
            )
        if moved:
            await self._homeserver.poke()

    def _note(self, round_: str) -> None:
        metrics.UPKEEP.labels(self._homeserver.server_name, round_).set(self._homeserver.now_ms() / 1000)

    async def _survey(self) -> None:
        """Give rooms from before the module their row, a few at a time, so that nobody's first join waits for it."""
        self._after = await self._database.run("groupreg_survey", _give_rows, self._after)
        self._surveyed = not self._after


def close_replaced(txn: Transaction, now_ms: int) -> dict[str, str]:
    """Mark groups whose upgrade is done, and name their successors; what was decided about them goes over to these."""
    expected = quotas.expected_successors(txn, now_ms)
    closed = {}
    for old, new in state.successors(txn, expected).items():
        row, made = rooms.get(txn, old), state.create(txn, new)
        if row is None or made is None or made.creator not in relatives(txn, row.founder):
            continue
        rooms.ensure(txn, new)
        rooms.set_successor(txn, old, new)
        rooms.set_category(txn, new, rooms.category(txn, old))
        rooms.set_slow(txn, new, rooms.slow_ones(txn, [old]).get(old))
        numbers.move(txn, old, new)
        quotas.release(txn, quotas.room_subject(old), quotas.SUCCESSOR, "")
        acts.append(
            txn,
            now_ms=now_ms,
            author=SERVER,
            action="replace",
            subject=old,
            reason="upgrade",
            before={"successor": None},
            after={"successor": new},
        )
        closed[old] = new
    touched = {("room", room_id) for pair in closed.items() for room_id in pair}
    for old, new in closed.items():
        for moved in measures.move(txn, old, new, now_ms):
            touched |= touched_by(txn, moved)
        for account in mutes.move(txn, old, new, now_ms):
            touched |= touched_accounts(relatives(txn, account))
    if closed:
        changes.publish(txn, touched, now_ms)
    return closed


def _close_replaced(txn: Transaction, config: GroupRegConfig, now_ms: int) -> tuple[bool, bool]:
    """Whether any was, and whether labels wait to be written."""
    closed = close_replaced(txn, now_ms)
    for old, new in closed.items():
        labelling.carry_over(txn, old, rooms.get(txn, new), config, now_ms)
    return bool(closed), bool(labels.promised(txn, now_ms))


def _tell_ends(txn: Transaction, here: Here) -> None:
    """Journal that the end of a measure came, and tell those concerned. It holds no longer by itself."""
    for measure in measures.take_ended(txn, here.now_ms, _ENDS_A_STEP):
        tell(txn, "ended", measure, here)
        acts.append(
            txn,
            now_ms=here.now_ms,
            author=SERVER,
            action="end",
            subject=measure.entity,
            reason="its end came",
            before=None,
            after=show(measure),
        )


def _maybe_large(txn: Transaction, smallest: int) -> list[str]:
    large = {row.room_id for row in rooms.every_exceptional(txn) if row.members is not None}
    return sorted(large | state.maybe_larger_than(txn, smallest))


def _recount(txn: Transaction, room_ids: list[str], smallest: int, config: GroupRegConfig, now_ms: int) -> bool:
    """Count the members of rooms; whether any passed a tier."""
    moved = set()
    for room_id in room_ids:
        row = rooms.ensure(txn, room_id)
        if row is None:
            continue
        count = state.members(txn, room_id)
        if tier(config, count) != tier(config, row.members or 0):
            rooms.set_members(txn, room_id, count if count > smallest else None)
            moved.add(("room", room_id))
    if moved:
        changes.publish(txn, moved, now_ms)
    return bool(moved)


def _give_rows(txn: Transaction, after: str) -> str:
    found = rooms.unseen(txn, after, _ROOMS_A_STEP)
    for room_id in found:
        rooms.ensure(txn, room_id)
    return found[-1] if found else ""


def _tidy(txn: Transaction, now_ms: int) -> None:
    quotas.forget_expired(txn, now_ms)
    changes.forget(txn, now_ms)
    mutes.forget_ended(txn, now_ms)
    handovers.forget_ended(txn, now_ms)
