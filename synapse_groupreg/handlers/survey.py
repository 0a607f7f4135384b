# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Looks at the whole server, read only: what the rules would do here, and what undercuts them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from synapse_groupreg.policy.assurance import Assurance
from synapse_groupreg.policy.blacklist import matches
from synapse_groupreg.storage import numbers, quotas, refusals, statistics

if TYPE_CHECKING:
    from synapse_groupreg.config import GroupRegConfig
    from synapse_groupreg.storage.database import Transaction

Survey = dict[str, Any]
_SHOWN = 100


def plan(txn: Transaction, config: GroupRegConfig, server_name: str, now_ms: int) -> Survey:
    """What would happen if the rules were enforced now. Nobody is removed by that; who is over a limit gets no more."""
    groups = statistics.groups(txn)
    over_cap = [
        {"room_id": one.room_id, "name": one.name, "members": one.members, "cap": cap}
        for one in groups
        if one.members
        > (cap := quotas.limit(txn, quotas.room_subject(one.room_id), quotas.MEMBERS, config.quotas.members_per_room))
    ]
    lists: dict[str, list[Any]] = {
        "rooms_over_cap": over_cap,
        "accounts_over_limit": _over_limit(txn, config, now_ms),
        "founderless_groups": [_brief(one) for one in groups if not one.founder_present],
        "federated_groups": [_brief(one) for one in groups if one.federated],
        "encrypted_groups": [_brief(one) for one in groups if one.encrypted],
    }
    result: Survey = {name: found[:_SHOWN] for name, found in lists.items()}
    result |= {f"{name}_total": len(found) for name, found in lists.items()}
    result["groups"] = len(groups)
    result["accounts"] = _accounts(txn, config)
    result["exempt"] = exempt(txn, config, server_name)
    return result


def exempt(txn: Transaction, config: GroupRegConfig, server_name: str) -> Survey:
    """Whom quotas and identity rules leave alone, and why."""
    accounts = statistics.accounts(txn, server_name)
    return {
        "configured": list(config.exempt),
        "server_admins": [one.user_id for one in accounts if one.admin][:_SHOWN],
        "appservices": sorted({one.appservice for one in accounts if one.appservice}),
    }


def federated_groups(txn: Transaction) -> Survey:
    """Groups that people can join through other servers too, which nobody here can prevent."""
    found = [one.room_id for one in statistics.groups(txn) if one.federated]
    return {"count": len(found), "rooms": found[:_SHOWN]}


def numbered(txn: Transaction, server_name: str) -> Survey:
    """How far groups have been given their numbers."""
    given, waiting = numbers.counts(txn, server_name)
    return {"given": given, "waiting": waiting, **numbers.inscribed(txn)}


def counters(txn: Transaction) -> Survey:
    """What was refused, and what would have been."""
    counted = refusals.counts(txn)
    return {
        "refused": {code: count for (code, dry), count in sorted(counted.items()) if not dry},
        "dry": {code: count for (code, dry), count in sorted(counted.items()) if dry},
    }


def _brief(group: statistics.Group) -> Survey:
    return {"room_id": group.room_id, "name": group.name}


def _accounts(txn: Transaction, config: GroupRegConfig) -> Survey:
    counted = statistics.accounts_by_assurance(txn)
    needed = Assurance[config.identity.required.post]
    below = statistics.people_below(txn, needed) if needed else []
    return {
        "total": sum(counted.values()),
        "by_assurance": {level.name: counted.get(level, 0) for level in Assurance},
        "below_post": sum(not any(matches(glob, one) for glob in config.exempt) for one in below),
    }


def _over_limit(txn: Transaction, config: GroupRegConfig, now_ms: int) -> list[Survey]:
    found = []
    seen = set()
    for user_id in statistics.busy_accounts(txn, min(config.quotas.rooms_founded, config.quotas.rooms_joined)):
        subject, family = quotas.subject_of(txn, user_id)
        if subject in seen or any(matches(glob, user_id) for glob in config.exempt):
            continue
        seen.add(subject)
        founded = quotas.rooms_founded(txn, subject, family, now_ms, default=config.quotas.rooms_founded)
        joined = quotas.rooms_joined(txn, subject, family, now_ms, besides=None, default=config.quotas.rooms_joined)
        for quota, use in ((quotas.FOUNDED, founded), (quotas.JOINED, joined)):
            if use.used > use.limit:
                found.append({"account": user_id, "quota": quota, "used": use.used, "limit": use.limit})
    return found
