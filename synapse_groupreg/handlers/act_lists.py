# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Policy lists (article 11.3): rules taken over once, from a file or a room, and rooms that are followed."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Literal, get_args

import attrs

from synapse_groupreg.errors import Conflict, NotFound
from synapse_groupreg.handlers.act_measures import REVIEW_MS, default_scope
from synapse_groupreg.handlers.change import Change, Facts, Setting
from synapse_groupreg.handlers.measures import show, touched_by
from synapse_groupreg.handlers.touching import Look, Touched
from synapse_groupreg.policy.blacklist import is_glob
from synapse_groupreg.policy.measures import PEOPLE, Measure, MeasureKind
from synapse_groupreg.policy.policy_lists import PolicyRule, Target, cleaned, current, target
from synapse_groupreg.storage import acts, followed, measures, policy_rooms, state
from synapse_groupreg.storage.followed import Followed
from synapse_groupreg.values import frozen

if TYPE_CHECKING:
    from collections.abc import Iterable

    from synapse_groupreg.policy.actions import Follow, ImportRules, Unfollow
    from synapse_groupreg.storage.changes import Subject
    from synapse_groupreg.storage.database import Transaction

Result = Literal["new", "already", "refused", "unreadable"]
_SHOWN_RULES = 1000
_NAMED = 5
_LONGEST_NAME = 100


@frozen(kw_only=True)
class Fate:
    """What becomes of a rule, and why if it isn't `new`."""

    rule: PolicyRule
    result: Result
    why: str = ""
    named: Target | None = None
    subject: Target | None = None

    def accounts(self, look: Look) -> list[str]:
        """The accounts of this server that it bars."""
        return [] if self.named is None else look.accounts(self.named)

    def touched(self, look: Look) -> Touched:
        """Whom and what it touches here."""
        return Touched() if self.named is None else look.touched(self.named)


def import_rules(txn: Transaction, setting: Setting, action: ImportRules) -> Change:
    """Bar whom the rules name. What is barred already stays as it is; a refused rule refuses all unless skipped."""
    look = Look(txn, setting)
    fates = _fates(txn, setting, look, action.rules)
    _check_refused(fates, trying=setting.trying or action.skip_refused)
    counts = _counts(fates)
    touched: set[Subject] = set()
    accounts: dict[str, None] = {}
    for fate in fates:
        if fate.result == "new":
            accounts |= dict.fromkeys(fate.accounts(look))
            touched |= _bar(txn, setting, action, fate)
    facts: Facts = {"counts": counts, **(_notable(look, fates) if setting.trying else {})}
    return Change(
        subject=action.source,
        before=None,
        after={**counts, "basis": action.basis} if counts["new"] else None,
        touched=frozenset(touched),
        accounts=tuple(accounts),
        # As with a single entry: what a glob will come to cover nobody knows.
        second=any(fate.result == "new" and is_glob(fate.rule.entity) for fate in fates),
        facts=facts,
    )


def rules_of_room(txn: Transaction, room: str) -> tuple[str, list[PolicyRule]]:
    """What a policy room is called, and its rules. Raises NotFound unless this server is in it."""
    room_id = room_here(txn, room)
    name = state.name(txn, room_id)
    label = room_id if name is None else f"{cleaned(name)[:_LONGEST_NAME]} ({room_id})"
    return label, current(policy_rooms.events(txn, room_id))


def room_here(txn: Transaction, room: str) -> str:
    """The id of a room that this server is in, given by id or alias. Raises NotFound."""
    room_id = policy_rooms.resolve(txn, room) if room.startswith("#") else room
    if room_id is None or not state.complete(txn, room_id):
        raise NotFound(f"This server is in no room {room}: let somebody here join it, then try again.")
    return room_id


def follow(txn: Transaction, setting: Setting, action: Follow) -> Change:
    """Carry out a policy room's rules from now on; again, to accept that it has come to touch more accounts here."""
    room_id = room_here(txn, action.room)
    before = followed.get(txn, room_id)
    name, rules = rules_of_room(txn, room_id)
    look = Look(txn, setting)
    fates = _fates(txn, setting, look, rules)
    barred = [fate for fate in fates if fate.result in ("new", "already")]
    accounts = tuple(dict.fromkeys(one for fate in barred for one in fate.accounts(look)))
    after = Followed(
        room_id=room_id,
        name=name,
        follower=before.follower if before else setting.staff.user_id,
        since_ms=before.since_ms if before else setting.now_ms,
        accounts=max(len(accounts), before.accounts if before else 0),
    )
    followed.put(txn, after)
    facts: Facts = {"counts": _counts(fates), **(_notable(look, fates) if setting.trying else {})}
    return Change(
        subject=room_id,
        before=None if before is None else _show(before),
        after=_show(after),
        accounts=accounts if before is None or len(accounts) > before.accounts else (),
        facts=facts,
    )


def unfollow(txn: Transaction, setting: Setting, action: Unfollow) -> Change:
    """Follow a policy room no more, and lift what it kept."""
    room_id = policy_rooms.resolve(txn, action.room) or action.room
    before = followed.get(txn, room_id)
    if before is None:
        return Change(subject=room_id, before=None, after=None)
    followed.drop(txn, room_id)
    touched: set[Subject] = set()
    for entry in measures.of_lists(txn, setting.now_ms):
        if entry.list_room == room_id:
            touched |= end(txn, setting, entry, "policy list not followed any more")
    return Change(subject=room_id, before=_show(before), after=None, touched=frozenset(touched))


def end(txn: Transaction, setting: Setting, entry: Measure, why: str) -> set[Subject]:
    """Lift an entry that a policy list kept, and journal it; what that touched."""
    after = attrs.evolve(entry, lifted_ms=setting.now_ms, lifted_by=setting.staff.user_id, lift_reason=why)
    measures.update(txn, after)
    journal(txn, setting, "lift", entry, after)
    return touched_by(txn, entry)


def journal(txn: Transaction, setting: Setting, action: str, before: Measure | None, after: Measure) -> None:
    """Write what happened to one of many entries."""
    acts.append(
        txn,
        now_ms=setting.now_ms,
        author=setting.staff.user_id,
        action=action,
        subject=after.entity,
        reason=after.lift_reason or after.basis,
        before=None if before is None else show(before),
        after=show(after),
    )


def entry_of(setting: Setting, rule: PolicyRule, subject: Target, *, reason: str, basis: str) -> Measure:
    """An entry that carries out a rule."""
    return Measure(
        id=0,
        kind=MeasureKind.blacklisted,
        subject_kind=subject.kind,
        subject=subject.subject,
        entity=subject.subject if rule.entity.startswith("#") else rule.entity,
        scope=default_scope(setting, subject.kind),
        reason=rule.reason or reason,
        basis=basis,
        author=setting.staff.user_id,
        start_ms=setting.now_ms,
    )


def brief(rule: PolicyRule) -> Facts:
    """A rule as answers show it."""
    return {"kind": rule.kind.value, "entity": rule.entity, "reason": rule.reason}


def _fates(txn: Transaction, setting: Setting, look: Look, rules: Iterable[PolicyRule]) -> list[Fate]:
    barred = {
        Target(one.subject_kind, one.subject)
        for one in measures.open_ones(txn, setting.now_ms)
        if one.kind is MeasureKind.blacklisted
    }
    fates = []
    for rule in rules:
        fate = read_rule(look, rule)
        if fate.result == "new" and fate.subject in barred:
            fate = attrs.evolve(fate, result="already", why="it is on the blacklist already")
        elif fate.result == "new" and fate.subject is not None:
            barred.add(fate.subject)
        fates.append(fate)
    return fates


def read_rule(look: Look, rule: PolicyRule) -> Fate:
    """What a rule means here, and whether it may be carried out."""
    named = target(rule)
    if named is None:
        return Fate(rule=rule, result="unreadable", why=f"it names no {rule.kind.value}")
    subject = look.resolve(named)
    if subject is None:
        return Fate(rule=rule, result="unreadable", why="the alias is not known here")
    objection = look.objection(named)
    if objection is not None:
        return Fate(rule=rule, result="refused", why=f"it touches {objection}", named=named)
    shown = subject if named.subject.startswith("#") else named
    return Fate(rule=rule, result="new", named=shown, subject=subject)


def _counts(fates: Iterable[Fate]) -> Facts:
    counted = Counter(fate.result for fate in fates)
    return {name: counted[name] for name in get_args(Result)}


def _notable(look: Look, fates: Iterable[Fate]) -> Facts:
    """The rules that touch somebody or something here, or aren't carried out."""
    touching = ((fate, fate.touched(look)) for fate in fates)
    shown = [(fate, touched) for fate, touched in touching if fate.result != "new" or touched]
    rules = [
        {**brief(fate.rule), "result": fate.result, "why": fate.why, "touches": touched.show()}
        for fate, touched in shown[:_SHOWN_RULES]
    ]
    return {"rules": rules, "rules_total": len(shown)}


def _check_refused(fates: list[Fate], *, trying: bool) -> None:
    refused = [fate for fate in fates if fate.result == "refused"]
    if trying or not refused:
        return
    named = "; ".join(f"{fate.rule.entity}: {fate.why}" for fate in refused[:_NAMED])
    more = f"; and {len(refused) - _NAMED} more" if len(refused) > _NAMED else ""
    raise Conflict(f"Nothing was imported, because of what these rules touch: {named}{more}. They can be skipped.")


def _bar(txn: Transaction, setting: Setting, action: ImportRules, fate: Fate) -> set[Subject]:
    assert fate.subject is not None
    entry = entry_of(setting, fate.rule, fate.subject, reason=f"Listed in {action.source}.", basis=action.basis)
    scope = action.scope if action.scope is not None and fate.subject.kind in PEOPLE else entry.scope
    written = measures.insert(txn, attrs.evolve(entry, scope=scope, review_ms=setting.now_ms + REVIEW_MS))
    journal(txn, setting, "impose", None, written)
    return touched_by(txn, written)


def _show(one: Followed) -> Facts:
    return {"room_id": one.room_id, "name": one.name, "follower": one.follower, "accounts": one.accounts}
