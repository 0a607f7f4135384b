# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Appealing against measures, and deciding on that (article 11)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import attrs

from synapse_groupreg.errors import Conflict, Invalid, NotFound, NotPermitted, Problem
from synapse_groupreg.handlers.act_measures import find as find_measure
from synapse_groupreg.handlers.change import Change, Facts, Setting
from synapse_groupreg.handlers.measures import Here, family, leaders
from synapse_groupreg.handlers.rights import require
from synapse_groupreg.policy.actions import Impose, Lift
from synapse_groupreg.policy.appeals import Appeal, Outcome, harder
from synapse_groupreg.policy.blacklist import matches, server_matches, server_of
from synapse_groupreg.policy.measures import Measure, Scope, SubjectKind
from synapse_groupreg.storage import appeals, measures, notices, rooms, state
from synapse_groupreg.storage.identity import relatives

if TYPE_CHECKING:
    from collections.abc import Callable

    from synapse_groupreg.policy.appeal_actions import DecideAppeal, MakeAppeal
    from synapse_groupreg.storage.database import Transaction

Obstacle = Literal["missing", "over", "open"]


def obstacle(txn: Transaction, here: Here, user_id: str, measure_id: int) -> Obstacle | None:
    """What stands in the way of an appeal. Of a measure that doesn't concern them nobody learns that there is one."""
    measure = measures.get(txn, measure_id)
    if measure is None or not _concerns(txn, measure, here, user_id):
        return "missing"
    if not measure.live(here.now_ms):
        return "over"
    return "open" if appeals.open_one(txn, measure_id) else None


def make(txn: Transaction, setting: Setting, action: MakeAppeal) -> Change:
    """Write an appeal down; the same one again is the same."""
    here, author = Here(setting.config, setting.server_name, setting.now_ms), setting.staff.user_id
    found, before = obstacle(txn, here, author, action.measure_id), appeals.open_one(txn, action.measure_id)
    if found == "missing":
        raise NotFound(f"There is no measure {action.measure_id} that concerns you.")
    if before is not None and (before.author, before.text) == (author, action.text):
        return _change(before, before)
    if found == "over":
        raise Conflict(f"Measure {action.measure_id} is over: there is nothing left to appeal against.")
    made = None
    if found is None:
        wanted = Appeal(id=0, measure_id=action.measure_id, author=author, text=action.text, made_ms=setting.now_ms)
        made = appeals.insert(txn, wanted)
    if made is None:
        raise Conflict(f"An appeal against measure {action.measure_id} waits already: it is decided first.")
    return _change(None, made)


def decide(
    txn: Transaction,
    setting: Setting,
    action: DecideAppeal,
    carry_out: Callable[[Transaction, Setting, Impose | Lift], Change],
) -> Change:
    """Decide an appeal, and carry out what follows for the measure as the act that it always is."""
    before = find(txn, action.appeal_id)
    measure = find_measure(txn, before.measure_id)
    _require_another(txn, setting, before, measure)
    if (before.outcome, before.answer) == (action.outcome, action.reason):
        return _change(before, before)
    if before.outcome is not None:
        raise Conflict(f"Appeal {before.id} is decided already: {before.outcome.value}.")
    _check(setting, action, measure)
    after = attrs.evolve(
        before,
        outcome=action.outcome,
        answer=action.reason,
        decided_by=setting.staff.user_id,
        decided_ms=setting.now_ms,
    )
    if not appeals.decide(txn, after):
        raise Conflict(f"Somebody else decided appeal {before.id} just now.")
    change = _change(before, after)
    act = _follows(setting, action, measure)
    facts: Facts = {}
    if act is not None:
        require(setting.staff, act.right)
        done = carry_out(txn, setting, act)
        if done.id != measure.id:
            raise Conflict(f"Measure {done.id} is open on the same subject: change or lift it first.")
        # Whoever decides is the second to look at it, so nobody else is asked.
        change, facts = attrs.evolve(change, touched=done.touched), done.facts
    told = _tell(txn, setting, after)
    effects = [*facts.get("effects", ()), *([{"effect": "notice", "accounts": told}] if told else [])]
    return attrs.evolve(change, facts={**facts, "effects": effects})


def find(txn: Transaction, appeal_id: int) -> Appeal:
    """An appeal. Raises NotFound."""
    found = appeals.get(txn, appeal_id)
    if found is None:
        raise NotFound(f"There is no appeal {appeal_id}.")
    return found


def show(appeal: Appeal) -> Facts:
    """An appeal as lists and the journal show it: without what its author wrote."""
    shown = attrs.asdict(appeal, filter=attrs.filters.exclude("text", "outcome"))
    return {**shown, "state": appeal.state}


def show_in_full(appeal: Appeal) -> Facts:
    """The same with what its author wrote."""
    return {**show(appeal), "text": appeal.text}


def _concerns(txn: Transaction, measure: Measure, here: Here, user_id: str) -> bool:
    """Whether an account is bound by a measure, or founded or manages a group that is."""
    match measure.subject_kind:
        case SubjectKind.account | SubjectKind.person:
            return user_id in family(txn, measure)
        case SubjectKind.account_glob:
            return matches(measure.subject, user_id)
        case SubjectKind.room:
            return _leads(txn, measure.subject, here, user_id)
        case SubjectKind.room_glob | SubjectKind.server:
            covered = (one for one in state.joined_by(txn, [user_id]) if _covers(measure, one))
            return any(_leads(txn, room_id, here, user_id) for room_id in covered)
        case SubjectKind.everybody:
            return False


def _covers(measure: Measure, room_id: str) -> bool:
    if measure.subject_kind is SubjectKind.server:
        return server_matches(measure.subject, server_of(room_id))
    return matches(measure.subject, room_id)


def _leads(txn: Transaction, room_id: str, here: Here, user_id: str) -> bool:
    row = rooms.ensure(txn, room_id)
    # The founder of a closed group appeals also after its members were removed.
    return (row is not None and row.founder == user_id) or user_id in leaders(txn, room_id, here.config)


def _require_another(txn: Transaction, setting: Setting, appeal: Appeal, measure: Measure) -> None:
    """Nobody decides on their own appeal, nor, where there is a second of staff, on one against their own measure."""
    own = relatives(txn, setting.staff.user_id)
    if appeal.author in own:
        raise NotPermitted("This is your own appeal: somebody else has to decide it.")
    if setting.config.second_staff == "required" and measure.author in own:
        raise NotPermitted("You imposed this measure yourself: another member of staff has to decide the appeal.")


def _check(setting: Setting, action: DecideAppeal, measure: Measure) -> None:
    given = {"scope": action.scope, "until_ms": action.until_ms, "deadline_ms": action.deadline_ms}
    named = [name for name, value in given.items() if value is not None]
    if action.outcome is not Outcome.changed:
        if named:
            raise Invalid([Problem(name, "can be given for the outcome 'changed' only") for name in named])
        return
    if not named:
        raise Invalid([Problem("outcome", "'changed' needs what is to change: scope, until_ms or deadline_ms")])
    if not measure.live(setting.now_ms):
        raise Conflict(f"Measure {measure.id} is over: decide 'upheld' or 'lifted'.")
    worse = harder(measure, scope=action.scope, until_ms=action.until_ms, deadline_ms=action.deadline_ms)
    if worse:
        raise Invalid([Problem(name, "must not make the measure harder: that is an act of its own") for name in worse])


def _follows(setting: Setting, action: DecideAppeal, measure: Measure) -> Impose | Lift | None:
    """The act that a decision comes to."""
    if action.outcome is Outcome.upheld:
        return None
    if action.outcome is Outcome.lifted:
        return Lift(measure_id=measure.id, reason=action.reason)

    def later(ms: int | None) -> int | None:
        return ms if ms is not None and ms > setting.now_ms else None

    barred = measure.scope is Scope.account
    return Impose(
        kind=measure.kind,
        entity=measure.entity,
        reason=measure.reason,
        basis=measure.basis,
        scope=action.scope or (measure.scope if barred else None),
        room=measure.room,
        until_ms=action.until_ms or measure.until_ms,
        review_ms=later(measure.review_ms),
        deadline_ms=action.deadline_ms or later(measure.deadline_ms),
    )


def _tell(txn: Transaction, setting: Setting, appeal: Appeal) -> list[str]:
    """Queue what the author of an appeal is told."""
    if not setting.config.notices.enabled:
        return []
    facts = {"case": appeal.measure_id, "outcome": appeal.state, "answer": appeal.answer}
    notices.add(
        txn,
        account=appeal.author,
        code=notices.APPEAL,
        attempt="decide",
        room_id="",
        facts=facts,
        now_ms=setting.now_ms,
    )
    return [appeal.author]


def _change(before: Appeal | None, after: Appeal) -> Change:
    return Change(
        subject=f"appeal {after.id}",
        before=None if before is None else show(before),
        after=show(after),
        id=after.id,
    )
