# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Attempts, measures and configurations to judge: some by hand, and strategies for all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs
from hypothesis import strategies as st

from synapse_groupreg.config import GroupRegConfig, load
from synapse_groupreg.policy.assurance import Assurance
from synapse_groupreg.policy.measures import Measure, MeasureKind, Scope, SubjectKind, Switch
from synapse_groupreg.policy.mutes import Mute
from synapse_groupreg.policy.slow import Pace
from synapse_groupreg.policy.types import (
    Account,
    Attempt,
    Found,
    Invite,
    Join,
    LogIn,
    Manage,
    Room,
    RoomKind,
    Send,
    Use,
)

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

NOW = 1_800_000_000_000
ALICE = Account(user_id="@alice:test.example.org")
BOB = Account(user_id="@bob:test.example.org")
REMOTE = Account(user_id="@eve:elsewhere.example.com", local=False)
GROUP = Room(room_id="!group:test.example.org")
DIRECT = Room(room_id="!direct:test.example.org", kind=RoomKind.direct)
MUTE = Mute(
    room_id=GROUP.room_id,
    account=ALICE.user_id,
    reason="Shouting.",
    author=BOB.user_id,
    start_ms=NOW - 9,
    until_ms=NOW + 9,
)
SPACE = Room(room_id="!space:test.example.org", kind=RoomKind.space)


def config(**options: Any) -> GroupRegConfig:
    """A configuration with these options, enforced and closed unless they say otherwise."""
    return load({"mode": "enforce", "federation": "closed"} | options)


def required(**needs: Any) -> GroupRegConfig:
    """A configuration that asks for verified identity."""
    return config(identity={"required": needs})


def measure(subject_kind: SubjectKind = SubjectKind.account, **facts: Any) -> Measure:
    """An entry of the blacklist, without an end unless the facts say so."""
    sample = Measure(
        id=7,
        kind=MeasureKind.blacklisted,
        subject_kind=subject_kind,
        subject="subject",
        entity="entity",
        scope=Scope.groups,
        reason="fraud",
        basis="11.3",
        author="@reviewer:test.example.org",
        start_ms=NOW - 1000,
    )
    return attrs.evolve(sample, **facts)


def barred(account: Account, **facts: Any) -> Account:
    """The account under an entry of the blacklist."""
    return attrs.evolve(account, measures=(measure(**facts),))


times = st.integers(NOW - 10, NOW + 10)
measures: SearchStrategy[Measure] = st.builds(
    measure,
    st.sampled_from(SubjectKind),
    kind=st.sampled_from(MeasureKind),
    subject=st.sampled_from(["subject", *Switch]),
    room=st.none() | st.sampled_from(["!old:test.example.org", "!of_version_12"]),
    id=st.integers(1, 50),
    scope=st.sampled_from(Scope),
    start_ms=times,
    until_ms=st.none() | times,
    lifted_ms=st.none() | times,
)
some_measures = st.lists(measures, max_size=3).map(tuple)
accounts: SearchStrategy[Account] = st.builds(
    Account,
    user_id=st.sampled_from(["@alice:test.example.org", "@eve:elsewhere.example.com:8448"]),
    local=st.booleans(),
    assurance=st.sampled_from(Assurance),
    measures=some_measures,
    exempt=st.booleans(),
    staff=st.booleans(),
)
rooms: SearchStrategy[Room] = st.builds(
    Room,
    room_id=st.sampled_from(["!old:test.example.org", "!of_version_12"]),
    kind=st.sampled_from(RoomKind),
    measures=some_measures,
    members=st.integers(0, 12),
    replaced=st.booleans(),
    with_staff=st.booleans(),
)
uses = st.none() | st.builds(Use, st.integers(0, 12), st.integers(0, 12))
attempts: SearchStrategy[Attempt] = st.one_of(
    st.builds(
        Send,
        actor=accounts,
        room=rooms,
        retracts_own=st.booleans(),
        manages=st.booleans(),
        mute=st.none() | st.just(MUTE),
        early=st.none() | st.just(Pace(every_ms=30_000, left_ms=1_500)),
    ),
    st.builds(Join, actor=accounts, room=rooms, members=uses, joined=uses),
    st.builds(Invite, actor=accounts, room=rooms, invitee=accounts),
    st.builds(
        Found,
        actor=accounts,
        kind=st.sampled_from(RoomKind),
        invitees=st.lists(accounts, max_size=2).map(tuple),
        with_staff=st.booleans(),
        replaces=st.none() | rooms,
        members=uses,
        founded=uses,
        joined=uses,
    ),
    st.builds(Manage, actor=accounts, room=st.none() | rooms, about_oneself=st.booleans()),
    st.builds(LogIn, actor=accounts),
)
levels = st.sampled_from([level.name for level in Assurance])
configs: SearchStrategy[GroupRegConfig] = st.builds(
    lambda federation, remote, needs: config(
        federation=federation, identity={"required": needs, "remote_senders": remote}
    ),
    st.sampled_from(["closed", "open"]),
    st.sampled_from(["allow", "refuse"]),
    st.fixed_dictionaries(
        {
            "post": levels,
            "found": levels,
            "join": levels,
            "members_over": st.dictionaries(st.integers(1, 10), levels, max_size=3),
        }
    ),
)
