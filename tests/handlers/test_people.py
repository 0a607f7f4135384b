# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Who somebody is to the rules."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from synapse_groupreg.handlers.people import People
from synapse_groupreg.policy import actions
from synapse_groupreg.policy.assurance import Assurance
from synapse_groupreg.policy.staff import StaffRole
from synapse_groupreg.policy.types import Account
from tests.database import SERVER, result_of
from tests.handlers.stage import ADMIN, ALICE, BOB, EVE, NOW, Stage

if TYPE_CHECKING:
    from tests.database import TestDatabase


def test_memory_alone_says_who_somebody_is(stage: Stage) -> None:
    stage.act(actions.Verify(user_id=ALICE, assurance=Assurance.real_name, provider="office"))
    stage.act(actions.Impose(entity=EVE, reason="r", basis="b", until_ms=NOW + 10))
    stage.refresh()
    stage.database.runs.clear()
    assert stage.people.account(ALICE) == Account(user_id=ALICE, assurance=Assurance.real_name)
    eve = stage.people.account(EVE)
    assert (eve.local, eve.assurance, [one.entity for one in eve.measures]) == (False, Assurance.none, [EVE])
    stage.homeserver.now = NOW + 10
    assert stage.people.account(EVE).measures == ()
    assert stage.database.runs == []
    assert stage.homeserver.asked == []


@pytest.mark.parametrize(
    ("user_id", "exempt"),
    [
        (f"@bridge_irc:{SERVER}", True),
        (f"@bridge_:{SERVER}", True),
        (f"@bridge:{SERVER}", False),
        (f"@xbridge_irc:{SERVER}", False),
        ("@bridge_irc:elsewhere.example.com", False),
        (f"@bridge_irc:{SERVER}.example.com", False),
        (f"@bot:{SERVER}", True),
        (f"@bot2:{SERVER}", False),
        ("@anybody:friends.example.com", True),
    ],
)
def test_who_is_exempt_by_the_configuration(sqlite_db: TestDatabase, user_id: str, exempt: bool) -> None:
    stage = Stage(sqlite_db, exempt=[f"@bridge_*:{SERVER}", f"@bot:{SERVER}", "@*:friends.example.com"])
    for _ in range(2):  # the second time from the cache
        assert stage.people.account(user_id).exempt is exempt


def test_server_admins_are_recognised_only_on_a_closer_look(stage: Stage) -> None:
    admin = stage.people.account(ADMIN)
    assert not admin.exempt
    assert result_of(stage.people.closer(admin)).exempt
    assert result_of(stage.people.closer(stage.people.account(ALICE))) == stage.people.account(ALICE)


def test_an_account_of_another_server_is_no_admin_here_whatever_synapse_says(stage: Stage) -> None:
    stage.homeserver.admins.add(EVE)
    assert not result_of(stage.people.closer(stage.people.account(EVE))).exempt
    assert not result_of(stage.people.is_staff(EVE))
    assert stage.homeserver.asked == []


def test_staff_are_those_with_roles_and_server_admins(stage: Stage) -> None:
    stage.act(actions.Grant(user_id=BOB, roles=frozenset({StaffRole.inspector})))
    stage.refresh()
    assert [result_of(stage.people.is_staff(user_id)) for user_id in (BOB, ADMIN, ALICE)] == [True, True, False]


def test_the_modules_own_account_answers_people_as_staff_do(stage: Stage) -> None:
    people = People(stage.homeserver, stage.snapshot, (), own_account=BOB)  # type: ignore[arg-type]  # as above
    assert result_of(people.is_staff(BOB))
    assert not result_of(people.is_staff(ALICE))
