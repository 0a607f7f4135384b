# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Matrix policy lists (MSC2313): what a rule says, whom it means, and how our blacklist is written as rules (11.3).

A rule is a state event of a policy room. Its type says what its entity is; older types than the specification's are
read too, and never written.
"""

from __future__ import annotations

import enum
import re
from typing import TYPE_CHECKING, Any

import attrs

from synapse_groupreg.policy.blacklist import is_glob, matches, server_matches
from synapse_groupreg.policy.measures import SubjectKind
from synapse_groupreg.values import frozen

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from synapse_groupreg.policy.measures import Measure

BAN = "m.ban"
_BANS = (BAN, "org.matrix.mjolnir.ban")
EXPORTED = "org.groupreg.exported"
"""Key in the content of rules that an export wrote, so that a later one knows which it may withdraw."""
LONGEST_ENTITY = 255
_LONGEST_REASON = 1000
_ACCOUNT = re.compile(r"@[^:\s*?]*:[^\s*?]+")
_ROOM = re.compile(r"![^\s*?]+")
_ALIAS = re.compile(r"#[^:\s*?]+:[^\s*?]+")
_SERVER = re.compile(r"[A-Za-z0-9.*?\-]+(:\d{1,5})?|\[[0-9A-Fa-f:.]+\](:\d{1,5})?")


class RuleKind(enum.StrEnum):
    """What the entity of a rule is."""

    user = "user"
    room = "room"
    server = "server"


TYPES: dict[RuleKind, tuple[str, ...]] = {
    kind: (f"m.policy.rule.{kind}", f"m.room.rule.{kind}", f"org.matrix.mjolnir.rule.{kind}") for kind in RuleKind
}
"""The event types of each kind of rule, the newest first."""
ALL_TYPES = tuple(name for names in TYPES.values() for name in names)
_KIND_AND_AGE = {name: (kind, age) for kind, names in TYPES.items() for age, name in enumerate(names)}


@frozen(kw_only=True)
class PolicyRule:
    """A rule that bans: whom, and why."""

    kind: RuleKind
    entity: str
    reason: str = ""
    event_id: str | None = None
    """The event that it was read from."""


@frozen(kw_only=True)
class RuleEvent:
    """A state event of a policy room. Its content is empty once it was redacted."""

    type: str
    state_key: str
    content: Mapping[str, Any]
    event_id: str | None = None


@frozen
class Target:
    """What a rule bars, as the blacklist names it. For a room that is named by an alias, the subject is the alias."""

    kind: SubjectKind
    subject: str


def current(events: Iterable[RuleEvent]) -> list[PolicyRule]:
    """The bans that a room's state holds.

    The newest type of a state key counts, even where it was withdrawn: that is how lists retire rules of old types.
    """
    newest: dict[tuple[RuleKind, str], tuple[int, RuleEvent]] = {}
    for event in events:
        if event.type in _KIND_AND_AGE:
            kind, age = _KIND_AND_AGE[event.type]
            seen = newest.get((kind, event.state_key))
            if seen is None or age < seen[0]:
                newest[kind, event.state_key] = (age, event)
    read = (_rule(kind, event) for (kind, _), (_, event) in newest.items())
    return [rule for rule in read if rule is not None]


def _rule(kind: RuleKind, event: RuleEvent) -> PolicyRule | None:
    """None for what was withdrawn, for other recommendations than a ban, and for what is no rule at all."""
    entity, reason = event.content.get("entity"), event.content.get("reason")
    if event.content.get("recommendation") not in _BANS or not isinstance(entity, str) or not entity:
        return None
    said = cleaned(reason)[:_LONGEST_REASON] if isinstance(reason, str) else ""
    return PolicyRule(kind=kind, entity=entity, reason=said, event_id=event.event_id)


def cleaned(text: str) -> str:
    """What strangers wrote, as one line of what can be printed: a database may not take the rest."""
    return "".join(one for one in " ".join(text.split()) if one.isprintable())


def kind_of(entity: str) -> RuleKind:
    """What an entity is whose kind nobody wrote down: told by its first character."""
    return {"@": RuleKind.user, "!": RuleKind.room, "#": RuleKind.room}.get(entity[:1], RuleKind.server)


def target(rule: PolicyRule) -> Target | None:
    """What a rule bars; None if its entity can be nothing of its kind."""
    entity = rule.entity
    if len(entity) > LONGEST_ENTITY or not entity.isprintable() or " " in entity:
        return None
    match rule.kind:
        case RuleKind.server:
            fits = _SERVER.fullmatch(entity) is not None
            return Target(SubjectKind.server, entity.lower()) if fits else None
        case RuleKind.user:
            return _target(entity, _ACCOUNT, SubjectKind.account, SubjectKind.account_glob, "@*?")
        case RuleKind.room if entity.startswith("#"):
            return Target(SubjectKind.room, entity) if _ALIAS.fullmatch(entity) else None
        case RuleKind.room:
            return _target(entity, _ROOM, SubjectKind.room, SubjectKind.room_glob, "!*?")


def _target(entity: str, one: re.Pattern[str], kind: SubjectKind, glob_kind: SubjectKind, starts: str) -> Target | None:
    if is_glob(entity):
        return Target(glob_kind, entity) if entity[0] in starts else None
    return Target(kind, entity) if one.fullmatch(entity) else None


def covers(target: Target, name: str) -> bool:
    """Whether a target means this account, room or server."""
    match target.kind:
        case SubjectKind.server:
            return server_matches(target.subject, name)
        case SubjectKind.account_glob | SubjectKind.room_glob:
            return matches(target.subject, name)
        case _:
            return target.subject == name


def covered(target: Target, names: Collection[str]) -> list[str]:
    """Those of the names that a target means, sorted."""
    if target.kind in (SubjectKind.account, SubjectKind.room):
        return [target.subject] if target.subject in names else []
    return sorted(name for name in names if covers(target, name))


def maybe_of_server(glob: str, server_name: str) -> bool:
    """Whether a glob may cover ids of this server: False spares the look at every account."""
    tail, own = re.split(r"[*?]", glob)[-1].lower(), f":{server_name}".lower()
    return own.endswith(tail) or tail.endswith(own)


def written(measure: Measure) -> PolicyRule:
    """An entry of the blacklist as a rule. Scope, basis and end have no place in one."""
    kinds = {SubjectKind.server: RuleKind.server, SubjectKind.room: RuleKind.room, SubjectKind.room_glob: RuleKind.room}
    kind = kinds.get(measure.subject_kind, RuleKind.user)
    return PolicyRule(kind=kind, entity=measure.entity, reason=measure.reason)


def event_of(rule: PolicyRule) -> RuleEvent:
    """A rule as the state event that an export sends."""
    content = {"entity": rule.entity, "reason": rule.reason, "recommendation": BAN, EXPORTED: True}
    return RuleEvent(type=TYPES[rule.kind][0], state_key=f"rule:{rule.entity}"[:LONGEST_ENTITY], content=content)


def to_send(rules: Iterable[PolicyRule], there: Iterable[RuleEvent]) -> list[RuleEvent]:
    """The state events that bring a policy room up to date.

    A rule that the room bans already, in whatever form, stays as it is. One that an earlier export wrote and that
    is not on our list any more is withdrawn; rules that people made are never touched.
    """
    there = list(there)
    wanted = {(rule.kind, rule.entity): rule for rule in rules}
    banned = {(rule.kind, rule.entity) for rule in current(there)}
    added = [event_of(rule) for key, rule in wanted.items() if key not in banned]
    ours = [event for event in there if event.content.get(EXPORTED) is True and event.type in _KIND_AND_AGE]
    gone = [event for event in ours if (_KIND_AND_AGE[event.type][0], event.content.get("entity")) not in wanted]
    return [*added, *(attrs.evolve(event, content={}, event_id=None) for event in gone)]
