# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Followed policy rooms: their rules become entries, are changed and lifted as they stand in the rooms' state.

What staff did by hand wins: an entry of theirs is neither changed nor lifted by a list, and one that they lifted
stays lifted until the rule itself changes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from synapse_groupreg.handlers.act_lists import brief, end, entry_of, journal, read_rule
from synapse_groupreg.handlers.measures import touched_by
from synapse_groupreg.handlers.start import SERVER
from synapse_groupreg.handlers.touching import Look
from synapse_groupreg.policy.measures import MeasureKind
from synapse_groupreg.policy.policy_lists import Target, current
from synapse_groupreg.policy.staff import MANY_ACCOUNTS
from synapse_groupreg.storage import changes, followed, measures, policy_rooms, state
from synapse_groupreg.values import frozen

if TYPE_CHECKING:
    from synapse_groupreg.handlers.change import Facts, Setting
    from synapse_groupreg.policy.measures import Measure
    from synapse_groupreg.policy.policy_lists import PolicyRule
    from synapse_groupreg.storage.changes import Subject
    from synapse_groupreg.storage.database import Transaction
    from synapse_groupreg.storage.followed import Followed

_A_STEP = 200
"""Entries that one transaction changes: a long list must not hold up others."""
_SHOWN = 100


@frozen(kw_only=True)
class Plan:
    """What brings the entries in step with the rooms."""

    lifted: list[Measure]
    changed: list[tuple[Measure, Measure]]
    new: list[Measure]
    skipped: list[tuple[str, PolicyRule, str]]
    """Room, rule, and why it isn't carried out."""
    rules: dict[str, int]
    """How many rules each room that this server is in has; the entries of others stay as they are."""

    def __bool__(self) -> bool:
        return bool(self.lifted or self.changed or self.new)


def keep_in_step(txn: Transaction, setting: Setting) -> tuple[bool, bool]:
    """Do a part of the plan: whether anything changed, and whether there is more to do."""
    plan = make_plan(txn, setting)
    touched: set[Subject] = set()
    left = _A_STEP
    for entry in plan.lifted[:left]:
        touched |= end(txn, setting, entry, "withdrawn from the policy list")
    left -= len(plan.lifted[:left])
    for before, after in plan.changed[:left]:
        measures.update(txn, after)
        journal(txn, setting, "impose", before, after)
        touched |= touched_by(txn, after)
    left -= len(plan.changed[:left])
    for entry in plan.new[:left]:
        written = measures.insert(txn, entry)
        journal(txn, setting, "impose", None, written)
        touched |= touched_by(txn, written)
    if touched:
        changes.publish(txn, touched, setting.now_ms)
    return bool(plan), len(plan.lifted) + len(plan.changed) + len(plan.new) > _A_STEP


def overview(txn: Transaction, setting: Setting) -> list[Facts]:
    """Every followed room: how many rules and entries it has, and which rules are not carried out, and why."""
    plan = make_plan(txn, setting)
    kept = [entry.list_room for entry in measures.of_lists(txn, setting.now_ms)]
    found = []
    for one in followed.everything(txn):
        skipped = [{**brief(rule), "why": why} for room_id, rule, why in plan.skipped if room_id == one.room_id]
        found.append(
            {
                **attrs.asdict(one),
                "here": one.room_id in plan.rules,
                "rules": plan.rules.get(one.room_id),
                "entries": kept.count(one.room_id),
                "skipped": skipped[:_SHOWN],
                "skipped_total": len(skipped),
            }
        )
    return found


def make_plan(txn: Transaction, setting: Setting) -> Plan:
    """Compare the rules of all followed rooms with the entries that lists keep."""
    return _Planner(txn, setting).plan()


class _Planner:
    """One comparison."""

    def __init__(self, txn: Transaction, setting: Setting) -> None:
        self._txn = txn
        self._setting = setting
        self._look = Look(txn, setting)
        opened = [one for one in measures.open_ones(txn, setting.now_ms) if one.kind is MeasureKind.blacklisted]
        self._kept = {_subject(one): one for one in opened if one.list_room is not None}
        self._by_hand = {_subject(one) for one in opened if one.list_room is None}
        self._ended = measures.events_lifted_by_staff(txn, SERVER)
        self._touched: dict[str, set[str]] = {}
        self._plan = Plan(lifted=[], changed=[], new=[], skipped=[], rules={})
        self._wanted: set[Target] = set()

    def plan(self) -> Plan:
        rooms = followed.everything(self._txn)
        for room in rooms:
            # INVARIANT: a room that this server left has no state here; that doesn't mean that its rules are withdrawn.
            if state.complete(self._txn, room.room_id):
                rules = current(policy_rooms.events(self._txn, room.room_id))
                self._plan.rules[room.room_id] = len(rules)
                for rule in rules:
                    self._weigh(room, rule)
        asleep = {room.room_id for room in rooms} - set(self._plan.rules)
        gone = [one for key, one in self._kept.items() if key not in self._wanted and one.list_room not in asleep]
        self._plan.lifted.extend(gone)
        return self._plan

    def _weigh(self, room: Followed, rule: PolicyRule) -> None:
        fate = read_rule(self._look, rule)
        if fate.subject is None or fate.named is None:
            self._skip(room, rule, fate.why)
        elif fate.subject in self._wanted:
            return  # another rule, here or in a list that was followed earlier, says the same
        elif fate.subject in self._by_hand:
            self._skip(room, rule, "staff have an entry of their own")
        elif (room.room_id, rule.event_id) in self._ended:
            self._skip(room, rule, "staff lifted it")
        else:
            self._want(room, rule, fate.subject, fate.named)

    def _want(self, room: Followed, rule: PolicyRule, subject: Target, named: Target) -> None:
        reason, basis = f"Listed in {room.name}.", f"policy list {room.name}"
        wish = attrs.evolve(
            entry_of(self._setting, rule, subject, reason=reason, basis=basis),
            list_room=room.room_id,
            list_event=rule.event_id,
        )
        kept = self._kept.get(subject)
        if kept is None and not self._within_bounds(room, named):
            why = f"with it, the list would touch more than {self._bound(room)} accounts here: follow it again"
            self._skip(room, rule, why)
            return
        self._wanted.add(subject)
        if kept is None:
            self._plan.new.append(wish)
            return
        after = attrs.evolve(
            kept, reason=wish.reason, basis=wish.basis, list_room=wish.list_room, list_event=wish.list_event
        )
        if after != kept:
            self._plan.changed.append((kept, after))

    def _within_bounds(self, room: Followed, named: Target) -> bool:
        """Whether the list, with this rule, touches no more accounts here than it may by itself, or staff accepted."""
        accounts = self._look.accounts(named)
        if not accounts or self._setting.config.second_staff == "none":
            return True
        touched = self._touched.get(room.room_id)
        if touched is None:
            kept = (one for one in self._kept.values() if one.list_room == room.room_id)
            touched = {one for entry in kept for one in self._look.accounts(Target(entry.subject_kind, entry.entity))}
            self._touched[room.room_id] = touched
        if len(touched.union(accounts)) > self._bound(room):
            return False
        touched.update(accounts)
        return True

    @staticmethod
    def _bound(room: Followed) -> int:
        return max(MANY_ACCOUNTS, room.accounts)

    def _skip(self, room: Followed, rule: PolicyRule, why: str) -> None:
        self._plan.skipped.append((room.room_id, rule, why))


def _subject(entry: Measure) -> Target:
    return Target(entry.subject_kind, entry.subject)
