# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Shapes the body of a createRoom before Synapse writes anything of the room.

A group gets one founder, labels, a number and, if so configured, its page as a widget.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from synapse_groupreg import texts
from synapse_groupreg.homeserver import compat
from synapse_groupreg.policy.founding import initial_state, levels_at_founding, one_founder, opens, with_number
from synapse_groupreg.policy.labels import LABELS, Roster, labels
from synapse_groupreg.policy.numbers import NUMBER, alias, localpart
from synapse_groupreg.policy.roles import FurtherCreators
from synapse_groupreg.policy.widgets import PAGE_PATH, widget

if TYPE_CHECKING:
    from synapse.module_api import ModuleApi

    from synapse_groupreg.config import GroupRegConfig
    from synapse_groupreg.handlers.gate import Gate
    from synapse_groupreg.handlers.numbering import Founders
    from synapse_groupreg.policy.founding import Making

_MOST_ALIASES = 1_000

OURS = "org.groupreg."
"""Prefix of event types and keys that only this module writes."""


class Founding:
    """What happens to new groups, and when: a dry run changes none."""

    def __init__(self, api: ModuleApi, config: GroupRegConfig, gate: Gate, founders: Founders) -> None:
        self._api = api
        self._config = config
        self._gate = gate
        self._founders = founders
        self._aliases: dict[str, str] = {}
        """Aliases that foundings of this process are about to make, and who founds."""

    @property
    def labels(self) -> bool:
        """Whether new groups are labelled, and clients kept from it."""
        return self._config.labels.enabled and self._gate.enforces(LABELS)

    def makes_alias(self, user_id: str, alias: str) -> bool:
        """Whether this is the alias that the founding of a group gives it, which is asked once."""
        return self._aliases.get(alias) == user_id and self._aliases.pop(alias) == user_id

    async def shape(self, user_id: str, founding_id: str, body: dict[str, Any]) -> None:
        """Change the body of a group's createRoom, in place: Synapse goes on with the same object."""
        making = compat.making(self._api, user_id, body)
        if self._gate.enforces(FurtherCreators.code):
            body.update(one_founder(body, making))
        if self.labels and isinstance(body.get("initial_state", []), list):
            body["initial_state"] = initial_state(body, making, self._labels(body, making))
        named = self._gate.enforces(NUMBER)
        number = await self._founders.reserve(founding_id, user_id, inscribed=named)
        if number is not None and named:
            self._number(user_id, body, making, number)

    def _number(self, user_id: str, body: dict[str, Any], making: Making, number: str) -> None:
        """Write the number into the room, and let its alias be made with it where the operator's rules allow that."""
        name = alias(number, self._api.server_name)
        allowed = self._config.groups.aliases and compat.may_make_alias(self._api, user_id, name)
        changes = with_number(body, making, number, alias=allowed, widget=self._widget(body, number))
        body.update(changes)
        if changes.get("room_alias_name") == localpart(number):
            if len(self._aliases) >= _MOST_ALIASES:
                self._aliases.clear()  # of foundings that failed; those under way go on without
            self._aliases[name] = user_id

    def _widget(self, body: dict[str, Any], number: str) -> dict[str, Any] | None:
        groups = self._config.groups
        if not groups.widgets or not (opens(body) or groups.pages == "everybody"):
            return None
        name = texts.text("group.widget", self._config.texts.default_language)
        return widget(f"{self._api.public_baseurl.rstrip('/')}/{PAGE_PATH}{number}", name)

    def _labels(self, body: dict[str, Any], making: Making) -> dict[str, Any]:
        roster = Roster(
            founder=making.founder,
            power_levels=levels_at_founding(body, making),
            creators_above=making.creators_above,
            manager_level=self._config.roles.manager_power_level,
        )
        return labels(roster, self._config.languages_of_labels)


def reserved_keys(body: dict[str, Any]) -> set[str]:
    """The keys and event types in a createRoom that only this module may write."""
    content = body.get("creation_content")
    keys = list(content) if isinstance(content, dict) else []
    states = body.get("initial_state")
    types = [one.get("type") for one in states if isinstance(one, dict)] if isinstance(states, list) else []
    return {one for one in (*keys, *types) if isinstance(one, str) and one.startswith(OURS)}
