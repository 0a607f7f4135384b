# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Entries of the blacklist: what they may name, whom they may never touch, and that lifting undoes them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from synapse_groupreg.errors import Conflict, Invalid, NotFound
from synapse_groupreg.handlers.act_measures import REVIEW_MS
from synapse_groupreg.policy import actions
from synapse_groupreg.policy.assurance import Assurance
from synapse_groupreg.policy.measures import Scope, SubjectKind
from synapse_groupreg.policy.staff import StaffRole
from synapse_groupreg.storage import measures
from tests.database import SERVER
from tests.handlers.stage import ADMIN, ALICE, BOB, BOSS, EVE, NOW, Stage

if TYPE_CHECKING:
    from synapse_groupreg.handlers.change import Change
    from synapse_groupreg.policy.measures import Measure
    from tests.database import TestDatabase


@pytest.fixture
def stage(sqlite_db: TestDatabase) -> Stage:
    """Nobody else has to agree here."""
    return Stage(sqlite_db, second_staff="none")


def bar(stage: Stage, entity: str, **facts: Any) -> Change:
    return stage.act(actions.Impose(**{"entity": entity, "reason": "fraud", "basis": "11.3"} | facts))


def entries(stage: Stage) -> list[Measure]:
    found: list[Measure] = stage.do(measures.open_ones, stage.homeserver.now)
    return found


def link(stage: Stage, *user_ids: str) -> None:
    for user_id in user_ids:
        stage.act(
            actions.Verify(user_id=user_id, assurance=Assurance.real_name, provider="office", digest="+".join(user_ids))
        )


@pytest.mark.parametrize(
    ("entity", "kind"),
    [
        (BOB, SubjectKind.account),
        (EVE, SubjectKind.account),
        ("@eve:remote.example.org:8448", SubjectKind.account),
        ("@EVE/x=y.z:[2001:db8::1]:8448", SubjectKind.account),
        ("!room:remote.example.org", SubjectKind.room),
        ("!31hneApxJ_1o-63DmFrpeqnkFfWppnzWso1JvH3ogLM", SubjectKind.room),
        ("evil.example.com", SubjectKind.server),
        ("EVIL.example.com:8448", SubjectKind.server),
        ("*.evil.example.com", SubjectKind.server),
        ("evil?.example.com", SubjectKind.server),
        ("10.1.2.3", SubjectKind.server),
        ("[2001:db8::1]:8448", SubjectKind.server),
    ],
)
def test_what_an_entry_may_name(stage: Stage, entity: str, kind: SubjectKind) -> None:
    change = bar(stage, entity)
    assert [(one.subject_kind, one.entity, one.id) for one in entries(stage)] == [(kind, entity, change.id)]


@pytest.mark.parametrize(
    "entity",
    [
        "",
        " ",
        "@bob",
        "@:",
        "@e ve:remote.example.org",
        "!",
        "!a b",
        "#alias:remote.example.org",
        "+group:remote.example.org",
        "evil_server.example.com",
        "https://evil.example.com",
        "evil.example.com/x",
        "evil.example.com:port",
        "b\u00f6se.example.com",
        "evil.example.com\n",
    ],
)
def test_what_it_may_not(stage: Stage, entity: str) -> None:
    with pytest.raises((Invalid, NotFound)) as caught:
        bar(stage, entity)
    if isinstance(caught.value, Invalid):
        assert [one.path for one in caught.value.problems] == ["entity"]
    assert entries(stage) == []


@pytest.mark.parametrize("entity", ["!room:remote.example.org", "evil.example.com"])
def test_only_accounts_can_be_cut_off_as_a_whole(stage: Stage, entity: str) -> None:
    with pytest.raises(Invalid, match="can be 'account' only for an account"):
        bar(stage, entity, scope=Scope.account)
    assert bar(stage, entity, scope=Scope.groups).changed


@pytest.mark.parametrize("name", ["until_ms", "review_ms"])
def test_times_lie_in_the_future(stage: Stage, name: str) -> None:
    for ms in (0, NOW - 1, NOW):
        with pytest.raises(Invalid, match="must lie in the future"):
            bar(stage, BOB, **{name: ms})
    assert bar(stage, BOB, **{name: NOW + 1}).changed


def test_an_entry_without_an_end_is_looked_at_again(stage: Stage) -> None:
    bar(stage, BOB)
    bar(stage, EVE, until_ms=NOW + 5)
    bar(stage, "!room", review_ms=NOW + 7)
    assert [one.review_ms for one in entries(stage)] == [NOW + REVIEW_MS, None, NOW + 7]


@pytest.mark.parametrize("default", ["groups", "account"])
def test_the_scope_is_the_configured_one_unless_the_entry_says(sqlite_db: TestDatabase, default: str) -> None:
    stage = Stage(sqlite_db, blacklist={"default_scope": default})
    bar(stage, BOB)
    bar(stage, ALICE, scope=Scope.account)
    bar(stage, "!room")
    bar(stage, "evil.example.com")
    assert [one.scope for one in entries(stage)] == [Scope(default), Scope.account, Scope.groups, Scope.groups]


def test_the_same_entity_again_extends_the_open_entry(stage: Stage) -> None:
    first = bar(stage, BOB, scope=Scope.account, until_ms=NOW + 10)
    stage.homeserver.now += 5
    second = bar(stage, BOB, reason="more fraud", until_ms=NOW + 100)
    assert second.id == first.id
    found = entries(stage)[0]
    assert (found.reason, found.until_ms, found.scope) == ("more fraud", NOW + 100, Scope.account)
    assert (found.author, found.start_ms) == (ADMIN, NOW)
    assert (second.before or {})["until_ms"] == NOW + 10
    stage.homeserver.now = NOW + 100
    assert bar(stage, BOB).id != first.id, "one that is over is not extended"


def test_an_entry_from_before_the_account_was_linked_is_extended_too(stage: Stage) -> None:
    first = bar(stage, BOB)
    link(stage, BOB, ALICE)
    assert bar(stage, BOB, reason="again").id == first.id
    assert len(entries(stage)) == 1


def test_a_person_has_one_entry_whichever_of_their_accounts_is_named(stage: Stage) -> None:
    link(stage, ALICE, BOB)
    first = bar(stage, ALICE)
    assert bar(stage, BOB, reason="again").id == first.id
    found = entries(stage)[0]
    assert (found.subject_kind, found.entity) == (SubjectKind.person, ALICE)
    assert (first.after or {})["subject"] == ALICE, "answers never name the token of a person"


def test_a_server_has_one_entry_however_it_is_spelled(stage: Stage) -> None:
    first = bar(stage, "Evil.example.com")
    assert bar(stage, "evil.example.COM").id == first.id


# Whom no entry may touch.


@pytest.mark.parametrize(
    "entity",
    [
        SERVER,
        SERVER.upper(),
        "*",
        "**",
        "*.org",
        "*.example.org",
        "test.*",
        "?est.example.org",
        "t*t.e*e.o?g",
    ],
)
def test_no_entry_covers_the_own_server(stage: Stage, entity: str) -> None:
    with pytest.raises(Conflict, match="covers this server itself"):
        bar(stage, entity)
    assert entries(stage) == []


@pytest.mark.parametrize("role", StaffRole)
def test_staff_are_never_barred_before_their_roles_are_taken_back(stage: Stage, role: StaffRole) -> None:
    stage.act(actions.Grant(user_id=BOB, roles=frozenset({role})))
    with pytest.raises(Conflict, match=f"{BOB} is a member of staff: take their roles back first"):
        bar(stage, BOB)
    assert entries(stage) == []
    stage.act(actions.Grant(user_id=BOB, roles=frozenset()))
    assert bar(stage, BOB).changed


def test_nor_through_another_account_of_theirs(stage: Stage) -> None:
    link(stage, ALICE, BOB)
    stage.act(actions.Grant(user_id=BOB, roles=frozenset({StaffRole.reviewer})))
    with pytest.raises(Conflict, match=f"{BOB} is a member of staff"):
        bar(stage, ALICE)


def test_the_last_server_admin_is_never_barred(stage: Stage) -> None:
    bar(stage, BOSS)
    with pytest.raises(Conflict, match=f"{ADMIN} is the last server admin"):
        bar(stage, ADMIN)
    stage.act(actions.Lift(measure_id=entries(stage)[0].id))
    assert bar(stage, ADMIN).changed


def test_nor_all_admins_at_once_as_one_person(stage: Stage) -> None:
    link(stage, ADMIN, BOSS)
    for user_id in (ADMIN, BOSS):
        with pytest.raises(Conflict, match="last server admin"):
            bar(stage, user_id)


def test_nor_the_last_admin_through_an_ordinary_account_of_theirs(stage: Stage) -> None:
    link(stage, ALICE, ADMIN)
    bar(stage, BOSS)
    with pytest.raises(Conflict, match=f"{ALICE} is the last server admin"):
        bar(stage, ALICE)


def test_a_deactivated_admin_does_not_count(stage: Stage) -> None:
    stage.database.do(lambda txn: txn.execute("UPDATE users SET deactivated = 1 WHERE name = ?", (BOSS,)))
    with pytest.raises(Conflict, match="last server admin"):
        bar(stage, ADMIN)


# Lifting.


def test_lifting_undoes_the_entry_and_keeps_its_record(stage: Stage) -> None:
    before = stage.refresh().account_measures(BOB, NOW)
    case = bar(stage, BOB).id or 0
    assert stage.refresh().account_measures(BOB, NOW)
    stage.homeserver.now += 60
    change = stage.act(actions.Lift(measure_id=case, reason="appeal"))
    assert stage.refresh().account_measures(BOB, NOW) == before == ()
    assert change.after is not None
    assert (change.after["lifted_ms"], change.after["lifted_by"], change.after["lift_reason"]) == (
        NOW + 60,
        ADMIN,
        "appeal",
    )
    kept = stage.do(measures.get, case)
    assert (kept.reason, kept.start_ms, kept.lifted_by) == ("fraud", NOW, ADMIN)
    assert bar(stage, BOB).id != case, "an entry that was lifted is not opened again"


def test_lifting_twice_keeps_who_lifted_first(stage: Stage) -> None:
    case = bar(stage, BOB).id or 0
    stage.act(actions.Lift(measure_id=case, reason="appeal"))
    again = stage.act(actions.Lift(measure_id=case, reason="other"))
    assert not again.changed
    assert stage.do(measures.get, case).lift_reason == "appeal"


# The agreement.


def accept(stage: Stage, user_id: str, version: str | None) -> None:
    stage.database.rows("UPDATE users SET consent_version = ? WHERE name = ? RETURNING 1", version, user_id)


@pytest.mark.parametrize(
    "basis", ["agreement, clause 4", "Terms of Use 4", "服务协议第四条", "用户约定 4", "이용약관 제4조"]
)
def test_a_measure_that_rests_on_the_agreement_keeps_which_version_was_accepted(stage: Stage, basis: str) -> None:
    accept(stage, BOB, "2026-01")
    change = bar(stage, BOB, basis=basis)
    assert (change.after or {})["accepted"] == ["2026-01"]
    accept(stage, BOB, "2026-07")
    bar(stage, BOB, basis=basis, reason="more of it")
    assert [one.accepted for one in entries(stage)] == [("2026-01",)], "as when it was imposed"


def test_all_versions_that_the_accounts_of_a_person_accepted_are_named(stage: Stage) -> None:
    link(stage, ALICE, BOB)
    accept(stage, ALICE, "2026-07")
    accept(stage, BOB, "2026-01")
    change = bar(stage, BOB, basis="agreement, clause 4")
    assert (change.after or {})["accepted"] == ["2026-01", "2026-07"]


def test_it_says_that_none_was_accepted_and_nothing_where_it_rests_on_something_else(stage: Stage) -> None:
    assert (bar(stage, BOB, basis="agreement").after or {})["accepted"] == []
    assert (bar(stage, ALICE, basis="article 11.3").after or {})["accepted"] is None
    assert (bar(stage, "evil.example.com", basis="agreement").after or {})["accepted"] is None
    accept(stage, ALICE, "2026-01")
    assert (bar(stage, ALICE, basis="agreement").after or {})["accepted"] == ["2026-01"], "the basis is another now"
