# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Holds, removals, erasures and keys of the retention store: what staff wishes, for the recorder to carry out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from synapse_groupreg.errors import Conflict, Invalid, NotFound, Problem
from synapse_groupreg.handlers.change import Change
from synapse_groupreg.policy.record_actions import LONGEST_HOLD_MS
from synapse_groupreg.storage import erasures, keeping, known_logs, reported

if TYPE_CHECKING:
    from synapse_groupreg.handlers.change import Facts, Setting
    from synapse_groupreg.policy import record_actions as wanted
    from synapse_groupreg.storage.database import Transaction
    from synapse_groupreg.storage.erasures import Erasure
    from synapse_groupreg.storage.keeping import Hold


def hold(txn: Transaction, setting: Setting, action: wanted.HoldRecords) -> Change:
    """Put a legal hold."""
    if action.from_ms > action.to_ms:
        raise Invalid([Problem("to_ms", "must not be before from_ms")])
    _check_end(setting, action.until_ms)
    made = keeping.add_hold(
        txn,
        keeping.Hold(
            log=action.log,
            from_ms=action.from_ms,
            to_ms=action.to_ms,
            until_ms=action.until_ms,
            reason=action.reason or "",
            basis=action.basis,
            author=setting.staff.user_id,
            made_ms=setting.now_ms,
        ),
    )
    return Change(subject=f"hold {made.id}", before=None, after=show(made), id=made.id)


def extend(txn: Transaction, setting: Setting, action: wanted.ExtendHold) -> Change:
    """Let a hold end later, but not later than three years from now."""
    before = _open_hold(txn, setting, action.hold_id)
    if action.until_ms < before.until_ms:
        raise Invalid([Problem("until_ms", "must not be before the hold's present end; to end it earlier, lift it")])
    _check_end(setting, action.until_ms)
    keeping.extend_hold(txn, before.id, action.until_ms)
    after = attrs.evolve(before, until_ms=action.until_ms)
    return Change(subject=f"hold {before.id}", before=show(before), after=show(after), id=before.id)


def lift(txn: Transaction, setting: Setting, action: wanted.LiftHold) -> Change:
    """End a hold."""
    before = _found(txn, action.hold_id)
    if before.lifted_ms is None:
        keeping.lift_hold(txn, before.id, setting.staff.user_id, setting.now_ms)
    return Change(
        subject=f"hold {before.id}", before=show(before), after=show(_found(txn, action.hold_id)), id=before.id
    )


def purge(txn: Transaction, setting: Setting, action: wanted.PurgeDue) -> Change:
    """Let all periods go that are due; which they are, the recorder looks again."""
    if not action.due:
        raise Conflict("Nothing is due: groupreg retention purge --dry-run says what keeps each month.")
    _require_recording(setting)
    said = {"by": setting.staff.user_id, "reason": action.reason or "due"}
    keeping.queue(txn, keeping.LOOK, "", "", payload=said, now_ms=setting.now_ms)
    return Change(subject="retention store", before={"due": list(action.due)}, after={"due": []})


def rotate(txn: Transaction, setting: Setting, action: wanted.RotateKeys) -> Change:
    """Ask for new keys."""
    _require_recording(setting)
    made = keeping.queue(txn, keeping.ROTATE, "", "keys", payload={"signing": action.signing}, now_ms=setting.now_ms)
    if not made:
        raise Conflict("Keys are being renewed already: groupreg status says when that is done.")
    after = {"wrapping_key": "new", **({"signing_key": "new"} if action.signing else {})}
    return Change(subject="retention store", before=None, after=after)


def begin_shard(txn: Transaction, setting: Setting, action: wanted.BeginShard) -> Change:
    """Let a log go on in a new shard, if its end was lost; or, while recording is off, if it was lost with its keys."""
    problem = reported.problem(txn) or {"text": None, "behind": None}
    lost = not setting.config.retention.enabled and action.log in known_logs.newest(known_logs.everything(txn))
    if problem["behind"] != action.log and not lost:
        raise Conflict(
            f"The log {action.log} lacks nothing that was signed, so there is no need for a new shard; groupreg status"
            " says how it is."
        )
    payload = {"by": setting.staff.user_id}
    keeping.queue(txn, keeping.EPOCH, action.log, "epoch", payload=payload, now_ms=setting.now_ms)
    return Change(subject=f"log {action.log}", before={"problem": problem["text"]}, after={"shard": "new"})


def erase(txn: Transaction, setting: Setting, action: wanted.EraseRecords) -> Change:
    """Ask for an erasure, or say that the duty to keep is over; neither the journal nor a record names whose it is."""
    _require_recording(setting)
    for field, text in (("reason", action.reason), ("duty_ended", action.duty_ended)):
        if text is not None and action.user_id in text:
            raise Invalid([Problem(field, "must not name the account: it is kept when the records are gone")])
    before = erasures.open_of(txn, action.user_id)
    wish = before or erasures.add(
        txn, action.user_id, reason=action.reason or "", author=setting.staff.user_id, now_ms=setting.now_ms
    )
    if action.duty_ended is not None and wish.duty_ended is None:
        erasures.end_duty(txn, wish.id, action.duty_ended, setting.now_ms)
    after = erasures.get(txn, wish.id)
    assert after is not None
    keeping.queue(txn, keeping.ERASE, "", f"look {wish.id}", payload={}, now_ms=setting.now_ms)
    return Change(
        subject="records of an account",
        before=None if before is None else show_erasure(before),
        after=show_erasure(after),
        second=action.duty_ended is not None,
        id=wish.id,
    )


def show_erasure(one: Erasure) -> Facts:
    """An erasure as the journal has it: without whose it is."""
    shown: dict[str, Any] = attrs.asdict(one, filter=attrs.filters.exclude("account", "periods"))
    return shown


def show(one: Hold) -> Facts:
    """A hold as answers and the journal have it."""
    shown: dict[str, Any] = attrs.asdict(one)
    return shown


def _check_end(setting: Setting, until_ms: int) -> None:
    if not setting.now_ms < until_ms <= setting.now_ms + LONGEST_HOLD_MS:
        raise Invalid([Problem("until_ms", "must be in the future, and at most three years from now")])


def _found(txn: Transaction, hold_id: int) -> Hold:
    found = keeping.get_hold(txn, hold_id)
    if found is None:
        raise NotFound(f"There is no hold {hold_id}.")
    return found


def _open_hold(txn: Transaction, setting: Setting, hold_id: int) -> Hold:
    found = _found(txn, hold_id)
    if not found.in_force(setting.now_ms):
        raise Conflict(f"Hold {hold_id} is over: put a new one.")
    return found


def _require_recording(setting: Setting) -> None:
    if not setting.config.retention.enabled:
        raise Conflict("retention.enabled is false, so nothing is recorded here.")
