# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Which acts wait for a second member of staff, and how they are kept until then (article 5.4).

An act that bars many accounts is not carried out but proposed. To make another action one that can be proposed, add
it to the table.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from synapse_groupreg.policy.actions import Action, Follow, ImportRules, Impose
from synapse_groupreg.policy.measures import MeasureKind, Scope
from synapse_groupreg.policy.policy_lists import PolicyRule, RuleKind
from synapse_groupreg.policy.record_actions import EraseRecords
from synapse_groupreg.policy.staff import MANY_ACCOUNTS

if TYPE_CHECKING:
    from collections.abc import Callable

LASTS_MS = 7 * 86_400_000
"""How long a proposal waits."""

Payload = dict[str, Any]


def payload(action: Action) -> Payload:
    """The fields of an action, to be kept as JSON."""
    return attrs.asdict(action)


def restored(name: str, kept: Payload) -> Action:
    """The action that was kept."""
    return PROPOSABLE[name](kept)


def may_be_carried_out(proposed: int, now: int) -> bool:
    """Whether an act still is what the second member of staff saw: at most twice as many accounts."""
    return now <= max(2 * proposed, MANY_ACCOUNTS)


def _impose(kept: Payload) -> Action:
    kind = MeasureKind(kept.get("kind", MeasureKind.blacklisted))
    return Impose(**{**kept, "kind": kind, "scope": _scope(kept)})


def _import(kept: Payload) -> Action:
    rules = tuple(PolicyRule(**{**rule, "kind": RuleKind(rule["kind"])}) for rule in kept["rules"])
    return ImportRules(**{**kept, "scope": _scope(kept), "rules": rules})


def _follow(kept: Payload) -> Action:
    return Follow(**kept)


def _scope(kept: Payload) -> Scope | None:
    return None if kept["scope"] is None else Scope(kept["scope"])


def _erase(kept: Payload) -> Action:
    return EraseRecords(**kept)


PROPOSABLE: dict[str, Callable[[Payload], Action]] = {
    Impose.name: _impose,
    ImportRules.name: _import,
    Follow.name: _follow,
    EraseRecords.name: _erase,
}
"""How each action that can be proposed is read back."""
