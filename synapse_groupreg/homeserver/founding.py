# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Shapes the body of a createRoom before Synapse writes anything of the room: a group gets one founder and labels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from synapse_groupreg.homeserver import compat
from synapse_groupreg.policy.founding import initial_state, levels_at_founding, one_founder
from synapse_groupreg.policy.labels import LABELS, Roster, labels
from synapse_groupreg.policy.roles import FurtherCreators

if TYPE_CHECKING:
    from synapse.module_api import ModuleApi

    from synapse_groupreg.config import GroupRegConfig
    from synapse_groupreg.handlers.gate import Gate
    from synapse_groupreg.policy.founding import Making


class Founding:
    """What happens to new groups, and when: a dry run changes none."""

    def __init__(self, api: ModuleApi, config: GroupRegConfig, gate: Gate) -> None:
        self._api = api
        self._config = config
        self._gate = gate

    @property
    def labels(self) -> bool:
        """Whether new groups are labelled, and clients kept from it."""
        return self._config.labels.enabled and self._gate.enforces(LABELS)

    def shape(self, user_id: str, body: dict[str, Any]) -> None:
        """Change the body of a group's createRoom, in place: Synapse goes on with the same object."""
        making = compat.making(self._api, user_id, body)
        if self._gate.enforces(FurtherCreators.code):
            body.update(one_founder(body, making))
        if self.labels and isinstance(body.get("initial_state", []), list):
            body["initial_state"] = initial_state(body, making, self._labels(body, making))

    def _labels(self, body: dict[str, Any], making: Making) -> dict[str, Any]:
        roster = Roster(
            founder=making.founder,
            power_levels=levels_at_founding(body, making),
            creators_above=making.creators_above,
            manager_level=self._config.roles.manager_power_level,
        )
        return labels(roster, self._config.languages_of_labels)
