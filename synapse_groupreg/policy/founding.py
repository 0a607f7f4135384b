# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The shape of a new group: one founder, labels and a number from its first moment on (articles 8.2 and 8.6).

What a client asks for is kept wherever it can be. Synapse writes a room event by event, and one that it must refuse
leaves half a room behind: nothing here may bring that about, and what would do so is put right.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from synapse_groupreg.policy.labels import LABEL_TYPES
from synapse_groupreg.policy.numbers import NUMBER, localpart
from synapse_groupreg.policy.roles import Levels, power, power_of, users_of
from synapse_groupreg.policy.widgets import WIDGET, WIDGETS
from synapse_groupreg.values import frozen

if TYPE_CHECKING:
    from collections.abc import Mapping

Body = dict[str, Any]
"""The body of a createRoom, or the keys of it that change."""
TRUSTED = "trusted_private_chat"
"""The preset that makes invitees the equals of the founder: further creators, since room version 12."""
HIGHEST = 100
"""The level of a founder before room version 12, and the highest that can be taken back since."""
_POWER_LEVELS = "m.room.power_levels"
_ALIAS = "m.room.canonical_alias"
_PUBLIC = "public_chat"
_USER = re.compile(r"@[^:]*:.+")


@frozen(kw_only=True)
class Making:
    """What is known of a group to be, beside what its founder's client asked for."""

    founder: str
    creators_above: bool
    """Whether the room version puts creators above all power levels."""
    server_levels: Mapping[str, Any]
    """Power levels that Synapse's configuration sets, by preset."""


def one_founder(body: Mapping[str, Any], making: Making) -> Body:
    """What changes so that the group has one founder, whom power levels don't contradict.

    Whoever was named as a further creator gets the highest power level instead, which the founder can take back.
    """
    content = _mapping(body.get("creation_content"))
    changes: Body = {"creation_content": {key: value for key, value in content.items() if key != "additional_creators"}}
    equals: list[str] = []
    if making.creators_above:
        equals = _users(content.get("additional_creators"))
        if body.get("preset") == TRUSTED:
            equals += _users(body.get("invite"))
            changes["preset"] = "private_chat"  # differs in nothing else
    return changes | _power_levels(body, making, equals)


def levels_at_founding(body: Mapping[str, Any], making: Making) -> Levels:
    """The power levels that Synapse will write, as far as they tell who stands where."""
    given = _initial_levels(body)
    if given is not None:
        return given
    preset = _preset(body)
    users = {} if making.creators_above else {making.founder: HIGHEST}
    if preset == TRUSTED and not making.creators_above:
        users |= dict.fromkeys(_users(body.get("invite")), HIGHEST)
    # Synapse merges whole keys, the server's under the client's.
    server = _mapping(making.server_levels.get(preset))
    return {"users": users, "events": {}, **server, **_mapping(body.get("power_level_content_override"))}


def initial_state(body: Mapping[str, Any], making: Making, labels: Mapping[str, Any]) -> list[Any]:
    """The initial state with our labels, and without any that a client sent.

    Without ours too if the founder's level will be too low to write them: Synapse would stop half-way.
    """
    given = body.get("initial_state")
    kept = [one for one in given if not _labels(one)] if isinstance(given, list) else []
    levels = levels_at_founding(body, making)
    if not all(_lets_write(making, kind, levels) for kind in labels):
        return kept
    ours = [{"type": kind, "state_key": "", "content": content} for kind, content in labels.items()]
    return [*kept, *ours]


def with_number(
    body: Mapping[str, Any], making: Making, number: str, *, alias: bool, widget: Mapping[str, Any] | None = None
) -> Body:
    """What changes so that a group bears its number in its state from the first moment on, in an alias and a widget.

    Alias and widget only where its founder's level allows them, for the same reason as above, and no alias in place of
    the founder's own.
    """
    levels = levels_at_founding(body, making)
    changes: Body = {"creation_content": {**_mapping(body.get("creation_content")), NUMBER: number}}
    given = body.get("initial_state", [])
    if isinstance(given, list) and widget is not None and _lets_write(making, WIDGETS, levels):
        kept = [one for one in given if not _is_type(one, WIDGETS, WIDGET)]
        changes["initial_state"] = [*kept, {"type": WIDGETS, "state_key": WIDGET, "content": widget}]
    if alias and "room_alias_name" not in body and opens(body) and _lets_write(making, _ALIAS, levels):
        changes["room_alias_name"] = localpart(number)
    return changes


def opens(body: Mapping[str, Any]) -> bool:
    """Whether anybody will be able to enter or find the room."""
    given = body.get("initial_state")
    rules = [one for one in given if _is_type(one, "m.room.join_rules")] if isinstance(given, list) else []
    by_rule = _mapping(rules[-1].get("content")).get("join_rule") == "public" if rules else _preset(body) == _PUBLIC
    return by_rule or body.get("visibility") == "public"


def _lets_write(making: Making, event_type: str, levels: Mapping[str, Any]) -> bool:
    return making.creators_above or may_write(making.founder, event_type, levels)


def may_write(user_id: str, event_type: str, power_levels: Mapping[str, Any]) -> bool:
    """Whether power levels let an account write state of this type."""
    events = _mapping(power_levels.get("events"))
    return power_of(user_id, power_levels) >= power(events.get(event_type, power_levels.get("state_default", 50)))


def _power_levels(body: Mapping[str, Any], making: Making, equals: list[str]) -> Body:
    given = _initial_levels(body)
    if given is not None:
        users = _users_with(_mapping(given.get("users")), making, equals)
        return {"initial_state": _with_levels(body["initial_state"], {**given, "users": users})}
    if not making.creators_above:
        return {}  # Synapse names the founder itself, and refuses beforehand an override that doesn't
    override = _mapping(body.get("power_level_content_override"))
    if equals and body.get("preset") == TRUSTED:
        override = {**_mapping(making.server_levels.get(TRUSTED)), **override}
    if not equals and "users" not in override:
        return {}
    server = users_of(_mapping(making.server_levels.get(_preset(body))))
    users = _users_with(users_of(override) or server, making, equals)
    return {"power_level_content_override": {**override, "users": users}}


def _users_with(users: Levels, making: Making, equals: list[str]) -> Levels:
    """The list of levels with the founder in it before room version 12, and without since: else Synapse stops."""
    if not making.creators_above:
        return {making.founder: HIGHEST, **users}
    return {
        user: level for user, level in {**dict.fromkeys(equals, HIGHEST), **users}.items() if user != making.founder
    }


def _initial_levels(body: Mapping[str, Any]) -> Levels | None:
    """The power levels in the initial state; the last count if there are several."""
    given = body.get("initial_state")
    found = [one for one in given if _is_levels(one)] if isinstance(given, list) else []
    content = found[-1].get("content") if found else None
    return content if isinstance(content, dict) else None


def _with_levels(states: list[Any], levels: Levels) -> list[Any]:
    rest = [one for one in states if not _is_levels(one)]
    return [*rest, {"type": _POWER_LEVELS, "state_key": "", "content": levels}]


def _is_levels(state: object) -> bool:
    return _is_type(state, _POWER_LEVELS)


def _is_type(state: object, event_type: str, state_key: str = "") -> bool:
    return isinstance(state, dict) and state.get("type") == event_type and state.get("state_key", "") == state_key


def _labels(state: object) -> bool:
    return isinstance(state, dict) and state.get("type") in LABEL_TYPES


def _preset(body: Mapping[str, Any]) -> str:
    chosen = body.get("preset", _PUBLIC if body.get("visibility") == "public" else "private_chat")
    return chosen if isinstance(chosen, str) else ""


def _mapping(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _users(value: object) -> list[str]:
    named = value if isinstance(value, list) else []
    return [one for one in named if isinstance(one, str) and _USER.fullmatch(one)]
