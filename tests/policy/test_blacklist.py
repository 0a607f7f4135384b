# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The blacklist: what an entry of each kind and scope cuts, and which servers a glob covers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from synapse_groupreg.policy import judge
from synapse_groupreg.policy.blacklist import (
    AccountBlacklisted,
    InviteeBlacklisted,
    RoomBlacklisted,
    ServerBlacklisted,
    matches,
    server_matches,
    server_of,
)
from synapse_groupreg.policy.measures import Scope, SubjectKind
from synapse_groupreg.policy.types import Account, Found, Invite, Join, LogIn, Manage, Room, RoomKind, Send
from tests.policy.samples import ALICE, BOB, DIRECT, GROUP, REMOTE, SPACE, barred, config, measure

if TYPE_CHECKING:
    from synapse_groupreg.policy.types import Attempt

RULES = config(federation="open")
EVERYTHING, GROUPS_ONLY, NEVER = {Scope.groups, Scope.account}, {Scope.account}, set[Scope]()


def codes(attempt: Attempt) -> list[str]:
    return [violation.code for violation in judge(attempt, RULES).violations]


def on_room(room: Room) -> Room:
    return attrs.evolve(room, measures=(measure(SubjectKind.room),))


def on_server(party: Account) -> Account:
    return attrs.evolve(party, measures=(measure(SubjectKind.server),))


@pytest.mark.parametrize(
    ("attempt", "cut_by"),
    [
        (Send(actor=ALICE, room=GROUP), EVERYTHING),
        (Send(actor=ALICE, room=SPACE), EVERYTHING),
        (Send(actor=ALICE, room=DIRECT), GROUPS_ONLY),
        (Join(actor=ALICE, room=GROUP), EVERYTHING),
        (Join(actor=ALICE, room=DIRECT), GROUPS_ONLY),
        (Invite(actor=ALICE, room=GROUP, invitee=BOB), EVERYTHING),
        (Invite(actor=ALICE, room=DIRECT, invitee=BOB), GROUPS_ONLY),
        (Found(actor=ALICE), EVERYTHING),
        (Found(actor=ALICE, kind=RoomKind.space), EVERYTHING),
        (Found(actor=ALICE, kind=RoomKind.direct), GROUPS_ONLY),
        (Manage(actor=ALICE, room=GROUP), EVERYTHING),
        (Manage(actor=ALICE, room=DIRECT), GROUPS_ONLY),
        (Manage(actor=ALICE), GROUPS_ONLY),
        (LogIn(actor=ALICE), GROUPS_ONLY),
    ],
    ids=lambda value: None if isinstance(value, set) else f"{value.name}-{getattr(value, 'room', None)!s:.30}",
)
@pytest.mark.parametrize("kind", [SubjectKind.account, SubjectKind.person])
def test_an_entry_on_somebody_cuts_what_its_scope_says(attempt: Attempt, cut_by: set[Scope], kind: SubjectKind) -> None:
    """Scope `groups` leaves direct chats, logins and what has to do with no group; `account` leaves nothing."""
    for scope in Scope:
        under_it = attrs.evolve(attempt, actor=barred(ALICE, subject_kind=kind, scope=scope))
        assert codes(under_it) == (["account-blacklisted"] if scope in cut_by else [])


def test_the_widest_scope_counts_wherever_it_stands() -> None:
    both = (measure(scope=Scope.groups, id=1), measure(scope=Scope.account, id=2))
    for measures in (both, both[::-1]):
        verdict = judge(LogIn(actor=attrs.evolve(ALICE, measures=measures)), RULES)
        assert [violation.facts()["case"] for violation in verdict.violations] == [2]


def test_what_the_person_is_told() -> None:
    actor = barred(ALICE, id=12, reason="threats", until_ms=99, scope=Scope.account)
    told = judge(Send(actor=actor, room=GROUP), RULES).violations[0]
    assert told == AccountBlacklisted(reason="threats", case=12, until_ms=99, scope=Scope.account)
    assert told.facts() == {"reason": "threats", "case": 12, "until_ms": 99, "scope": Scope.account}


@pytest.mark.parametrize("scope", Scope)
def test_nobody_barred_is_brought_into_a_group_and_the_inviter_is_not_told_why(scope: Scope) -> None:
    guest = barred(BOB, scope=scope)
    for attempt in (Invite(actor=ALICE, room=GROUP, invitee=guest), Found(actor=ALICE, invitees=(ALICE, guest))):
        assert judge(attempt, RULES).violations == (InviteeBlacklisted(),)
    assert InviteeBlacklisted().facts() == {"invitee": True}


def test_a_direct_chat_with_somebody_barred_stays_possible() -> None:
    guest = barred(BOB)
    assert codes(Invite(actor=ALICE, room=DIRECT, invitee=guest)) == []
    assert codes(Found(actor=ALICE, kind=RoomKind.direct, invitees=(guest,))) == []


@pytest.mark.parametrize("room", [GROUP, DIRECT, SPACE])
def test_in_a_barred_room_nobody_does_anything_but_leave(room: Room) -> None:
    shut = on_room(room)
    for attempt in (
        Send(actor=ALICE, room=shut),
        Join(actor=ALICE, room=shut),
        Invite(actor=ALICE, room=shut, invitee=BOB),
        Manage(actor=ALICE, room=shut),
        Found(actor=ALICE, replaces=shut),
    ):
        assert judge(attempt, RULES).violations == (RoomBlacklisted(reason="fraud", case=7),)
        assert codes(attrs.evolve(attempt, actor=attrs.evolve(ALICE, exempt=True))) == ["room-blacklisted"]
    assert codes(LogIn(actor=ALICE)) == []


def test_upgrading_is_no_way_out_of_a_barred_room() -> None:
    assert codes(Found(actor=ALICE, replaces=on_room(GROUP))) == ["room-blacklisted"]


def test_a_barred_server_has_no_accounts_and_no_rooms_here() -> None:
    eve = on_server(REMOTE)
    room = attrs.evolve(GROUP, room_id="!r:elsewhere.example.com", measures=(measure(SubjectKind.server),))
    expected = ServerBlacklisted(reason="fraud", case=7, server="elsewhere.example.com")
    for attempt in (
        Send(actor=eve, room=GROUP),
        Send(actor=eve, room=DIRECT),
        Join(actor=eve, room=GROUP),
        Invite(actor=eve, room=DIRECT, invitee=BOB),
        Invite(actor=ALICE, room=GROUP, invitee=eve),
        Invite(actor=ALICE, room=DIRECT, invitee=eve),
        Found(actor=ALICE, invitees=(BOB, eve)),
        Found(actor=ALICE, kind=RoomKind.direct, invitees=(eve,)),
        Send(actor=ALICE, room=room),
        Join(actor=ALICE, room=room),
        Manage(actor=ALICE, room=room),
    ):
        assert judge(attempt, RULES).violations == (expected,), attempt


def test_an_entry_of_one_kind_says_nothing_about_another() -> None:
    """A measure on a room that lies on an account by mistake bars nobody, and the other way round."""
    assert codes(Send(actor=barred(ALICE, subject_kind=SubjectKind.room), room=GROUP)) == []
    room = attrs.evolve(GROUP, measures=(measure(SubjectKind.account),))
    assert codes(Send(actor=ALICE, room=room)) == []


@pytest.mark.parametrize(
    ("identifier", "server"),
    [
        ("@alice:example.org", "example.org"),
        ("@alice:example.org:8448", "example.org:8448"),
        ("!r:[2001:db8::1]:8448", "[2001:db8::1]:8448"),
        ("!hash_of_version_12", ""),
        ("", ""),
    ],
)
def test_the_server_in_an_id(identifier: str, server: str) -> None:
    assert server_of(identifier) == server


@pytest.mark.parametrize(
    ("glob", "name", "covered"),
    [
        ("evil.org", "evil.org", True),
        ("evil.org", "EVIL.org", True),
        ("evil.org", "evil.org:8448", True),
        ("evil.org", "evil.org:1", True),
        ("evil.org:8448", "evil.org:8448", True),
        ("evil.org:8448", "evil.org", False),
        ("evil.org:8448", "evil.org:443", False),
        ("evil.org", "not-evil.org", False),
        ("evil.org", "evil.org.example.com", False),
        ("evil.org", "evilxorg", False),
        ("*.evil.org", "a.evil.org", True),
        ("*.evil.org", "a.b.evil.org:443", True),
        ("*.evil.org", "evil.org", False),
        ("*evil.org", "evil.org", True),
        ("evil.???", "evil.com:8448", True),
        ("evil.???", "evil.info", False),
        ("*", "anything.example", True),
        ("*", "", False),
        ("1.2.3.4", "1.2.3.4:8448", True),
        ("[2001:db8::1]", "[2001:db8::1]:8448", True),
        ("[2001:db8::1]", "[2001:db8::1]", True),
        ("[2001:db8::1]", "[2001:db8::12]", False),
        ("evil.org", "evil.org:port", False),
    ],
)
def test_a_port_does_not_help_to_get_round_an_entry(glob: str, name: str, covered: bool) -> None:
    assert server_matches(glob, name) is covered


def by_hand(glob: str, value: str) -> bool:
    """The definition of MSC2313, letter by letter."""
    if not glob:
        return not value
    if glob[0] == "*":
        return by_hand(glob[1:], value) or (bool(value) and by_hand(glob, value[1:]))
    return bool(value) and (glob[0] in ("?", value[0])) and by_hand(glob[1:], value[1:])


@given(glob=st.text("ab.:[*?", max_size=6), value=st.text("ab.:[\n", max_size=6))
def test_globs_mean_what_msc2313_says(glob: str, value: str) -> None:
    assert matches(glob, value) == by_hand(glob, value)


@given(st.text())
def test_text_without_wildcards_matches_itself(value: str) -> None:
    if not {"*", "?"} & set(value):
        assert matches(value, value)
    assert matches("*", value)


def test_a_letter_that_only_looks_like_another_does_not_match() -> None:
    """Unicode folds the long s and the Kelvin sign into s and k: nobody is exempt by such a name."""
    assert matches("@desk:b", "@DESK:b")
    assert not matches("@desk:b", "@de\u017fk:b")
    assert not matches("@desk:b", "@des\u212a:b")
