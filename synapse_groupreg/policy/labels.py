# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Words for the roles of a group, as state that clients read (article 8.6).

Ours names the founder and says from which power level on somebody is what, so that it stays right whoever is given
which level. Cinny's names single levels, in one text: it gets the words of all languages.

Somebody whose management is suspended has no label for that time. Ours leaves them out by name, and doesn't say why,
since the state of a room is kept for ever; Cinny's does where nobody else has their level.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from synapse_groupreg import texts
from synapse_groupreg.policy.roles import Role, power, power_of, users_of
from synapse_groupreg.values import frozen

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Content = dict[str, Any]

LABELS = "org.groupreg.labels"
"""`{"founder": "@a:b", "levels": {"0": "member", "50": "manager"}, "words": {"en": {"founder": "Founder", ...}}}`.
A level has the role of the highest one that is not above it, or else the lowest; the founder is whom it names.
`"left_out": ["@b:a"]`, if it is there, names whom it labels as members, whatever their level; a founder who is left out
is not named as such."""
CINNY_TAGS = "in.cinny.room.power_level_tags"
"""`{"50": {"name": "Manager"}, ...}`. Cinny has an English word of its own for each level that is missing here."""
LABEL_TYPES = (LABELS, CINNY_TAGS)

_COMMON = frozenset({0, 50, 100})
"""The levels that clients offer."""
_TOMBSTONE = 150  # what replacing a room takes since version 12, where nobody in the list of levels is its founder
_MOST_LEVELS = 40  # an event has a greatest size, and somebody may have given each member a level of their own


@frozen(kw_only=True)
class Roster:
    """Who stands where in a group, as far as its labels depend on it."""

    founder: str
    power_levels: Mapping[str, Any] | None
    """The content of its power levels."""
    creators_above: bool
    """Whether its founder stands above all power levels (since room version 12)."""
    manager_level: int
    """From which level on a member is a manager."""
    left_out: frozenset[str] = frozenset()
    """Whose management is suspended."""


def labels(roster: Roster, languages: Sequence[str]) -> dict[str, Content]:
    """The content of each label event of a group, by its type."""
    words = {language: {role.value: texts.text(f"role.{role}", language) for role in Role} for language in languages}
    names = {role: " / ".join(dict.fromkeys(said[role.value] for said in words.values())) for role in Role}
    ours: Content = {
        "levels": {"0": Role.member.value, str(roster.manager_level): Role.manager.value},
        "words": words,
    }
    if roster.founder not in roster.left_out:
        ours["founder"] = roster.founder
    if roster.left_out:
        ours["left_out"] = sorted(roster.left_out)
    return {
        LABELS: ours,
        CINNY_TAGS: {str(level): {"name": names[role]} for level, role in roles_by_level(roster).items()},
    }


def roles_by_level(roster: Roster) -> dict[int, Role]:
    """The role of each level that somebody has or that clients offer."""
    given = [*users_of(roster.power_levels).values(), (roster.power_levels or {}).get("users_default")]
    named = _COMMON | {roster.manager_level} | {level for level in map(power, given) if level > 0}
    if roster.creators_above:
        named |= {_TOMBSTONE}
    alone = _founders_level(roster)
    kept = sorted(named, key=lambda level: (level not in _COMMON and level not in (roster.manager_level, alone), level))
    bare = _levels_left_out(roster)
    roles = {level: role_at(level, roster.manager_level) for level in sorted(kept[:_MOST_LEVELS])}
    return roles | ({alone: Role.founder} if alone in roles else {}) | dict.fromkeys(bare & set(roles), Role.member)


def role_at(level: int, manager_level: int) -> Role:
    """The role of a member who is not the founder."""
    return Role.manager if level >= manager_level else Role.member


def names_shown(tags: Mapping[str, Any] | None) -> dict[str, str]:
    """The word of each level in Cinny's event, for whoever looks at a group; what is no word is left out."""
    found = {level: tag.get("name") for level, tag in (tags or {}).items() if isinstance(tag, dict)}
    return {level: name for level, name in found.items() if isinstance(name, str)}


def _levels_left_out(roster: Roster) -> set[int]:
    """The levels that only people have who are left out."""
    if not roster.left_out:
        return set()
    users = users_of(roster.power_levels)
    inside = {user for user in users if user not in roster.left_out}
    shared = {power(users[user]) for user in inside} | {power((roster.power_levels or {}).get("users_default"))}
    return {power_of(user, roster.power_levels) for user in roster.left_out} - shared


def _founders_level(roster: Roster) -> int | None:
    """The level that only the founder has. Where others share it, its word can't be the founder's."""
    own = power_of(roster.founder, roster.power_levels)
    others = [power(value) for user, value in users_of(roster.power_levels).items() if user != roster.founder]
    everybody = power((roster.power_levels or {}).get("users_default"))
    shared = own in others or own == everybody
    return None if roster.creators_above or shared or own < roster.manager_level else own
