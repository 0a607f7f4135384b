# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Identities: what is recorded, how accounts of one person find together, and that no measure is lost on the way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from synapse_groupreg.errors import Conflict
from synapse_groupreg.policy import actions
from synapse_groupreg.policy.assurance import Assurance
from synapse_groupreg.storage import identity, quotas
from tests.handlers.acts_to_try import IMPORT, stage_import
from tests.handlers.stage import ALICE, BOB, CAROL, NOW, Stage

if TYPE_CHECKING:
    from synapse_groupreg.handlers.change import Change

ENTRY: dict[str, Any] = {"reason": "fraud", "basis": "11.3"}


def verify(stage: Stage, user_id: str, digest: str | None = None, **facts: Any) -> Change:
    known = {"assurance": Assurance.real_name, "provider": "operator"} | facts
    return stage.act(actions.Verify(user_id=user_id, digest=digest, **known))


def bar(stage: Stage, user_id: str) -> int:
    return stage.act(actions.Impose(entity=user_id, **ENTRY)).id or 0


def barred(stage: Stage) -> list[str]:
    snapshot = stage.refresh()
    return [user_id for user_id in (ALICE, BOB, CAROL) if snapshot.account_measures(user_id, NOW)]


def test_the_best_of_what_providers_say_counts(stage: Stage) -> None:
    verify(stage, ALICE, assurance=Assurance.contact)
    verify(stage, ALICE, assurance=Assurance.in_person, provider="office")
    assert stage.refresh().assurance[ALICE] is Assurance.in_person
    change = verify(stage, ALICE, assurance=Assurance.none, provider="office")
    assert change.after is not None
    assert change.after["assurance"] == "contact"
    assert stage.refresh().assurance[ALICE] is Assurance.contact


def test_taking_back_keeps_what_synapse_verified_itself(stage: Stage) -> None:
    stage.do(identity.put, ALICE, identity.THREEPID, Assurance.contact, NOW)
    verify(stage, ALICE, "d")
    stage.act(actions.Unverify(user_id=ALICE))
    assert stage.refresh().assurance[ALICE] is Assurance.contact
    assert stage.do(identity.person_of, ALICE) is None


def test_one_reference_links_accounts_and_the_journal_names_no_digest(stage: Stage) -> None:
    verify(stage, ALICE, "the-digest")
    change = verify(stage, BOB, "the-digest")
    assert change.after is not None
    assert change.after["linked_accounts"] == [ALICE]
    assert stage.do(identity.person_of, ALICE) == stage.do(identity.person_of, BOB)
    assert "the-digest" not in repr(stage.journal())


def test_a_link_alone_is_an_act_too(stage: Stage) -> None:
    """It shows neither in the assurance nor in the list of linked accounts, and stands in the journal all the same."""
    verify(stage, ALICE)
    first = verify(stage, ALICE, "one")
    assert (first.before or {})["person"] is None
    assert (first.after or {})["person"] == "known"
    second = verify(stage, ALICE, "another")
    assert second.changed
    assert (second.after or {})["person"] == "another"
    assert len(stage.journal()) == 3
    assert not verify(stage, ALICE, "another").changed


def test_no_account_slips_out_from_under_a_measure_on_its_person(stage: Stage) -> None:
    verify(stage, ALICE, "d")
    verify(stage, BOB, "d")
    case = bar(stage, ALICE)
    for attempt in (
        lambda: verify(stage, BOB, "other"),
        lambda: verify(stage, ALICE, "other"),
        lambda: stage.act(actions.Unverify(user_id=BOB)),
    ):
        with pytest.raises(Conflict, match=f"Measure {case} lies on the person behind"):
            attempt()
    assert barred(stage) == [ALICE, BOB]
    verify(stage, BOB, "d", assurance=Assurance.in_person)  # what doesn't touch the link goes on
    stage.act(actions.Lift(measure_id=case))
    verify(stage, BOB, "other")
    assert barred(stage) == []


def test_nor_by_a_file(stage: Stage) -> None:
    verify(stage, ALICE, "d")
    verify(stage, BOB, "d")
    case = bar(stage, ALICE)
    stage_import(stage, (CAROL, Assurance.contact, "c"), (BOB, Assurance.real_name, "other"))
    with pytest.raises(Conflict, match=f"Measure {case} lies on the person behind {BOB}"):
        stage.act(actions.CommitImport(import_id=IMPORT))
    assert barred(stage) == [ALICE, BOB]
    assert stage.snapshot.assurance[CAROL] is Assurance.none, "all or nothing"
    stage.act(actions.Lift(measure_id=case))
    stage.act(actions.CommitImport(import_id=IMPORT))
    assert stage.refresh().assurance[CAROL] is Assurance.contact


def test_nor_from_under_a_measure_that_came_before_the_link(stage: Stage) -> None:
    case = bar(stage, ALICE)
    verify(stage, ALICE, "d")
    verify(stage, BOB, "d")
    assert barred(stage) == [ALICE, BOB]
    for user_id in (ALICE, BOB):
        with pytest.raises(Conflict, match=f"Measure {case}"):
            stage.act(actions.Unverify(user_id=user_id))
    stage.act(actions.Lift(measure_id=case))
    stage.act(actions.Unverify(user_id=BOB))


def test_a_barred_account_alone_may_change_its_link_for_the_measure_goes_with_it(stage: Stage) -> None:
    bar(stage, ALICE)
    verify(stage, ALICE, "d")
    verify(stage, ALICE, "other")
    assert barred(stage) == [ALICE]
    verify(stage, BOB, "other")
    assert barred(stage) == [ALICE, BOB]


def test_a_measure_on_a_person_binds_accounts_linked_later(stage: Stage) -> None:
    verify(stage, ALICE, "d")
    bar(stage, ALICE)
    verify(stage, BOB, "d")
    assert barred(stage) == [ALICE, BOB]


@pytest.mark.parametrize("alone", [True, False])
def test_a_file_links_and_bars_at_once(stage: Stage, alone: bool) -> None:
    verify(stage, BOB, "d")
    bar(stage, ALICE)
    stage.refresh()
    more = [] if alone else [(CAROL, Assurance.contact, None)]
    stage_import(stage, (ALICE, Assurance.real_name, "d"), *more)
    stage.act(actions.CommitImport(import_id=IMPORT))
    assert barred(stage) == [ALICE, BOB]


def test_a_file_counts_what_it_does(stage: Stage) -> None:
    verify(stage, ALICE, "d", provider="import")
    stage_import(
        stage,
        (ALICE, Assurance.real_name, "d"),
        (BOB, Assurance.real_name, "d"),
        (CAROL, Assurance.contact, None),
    )
    change = stage.act(actions.CommitImport(import_id=IMPORT))
    assert change.facts == {"accounts": 2, "linked": 1, "unchanged": 1}
    assert stage.do(identity.person_of, BOB) == stage.do(identity.person_of, ALICE)
    assert stage.do(identity.person_of, CAROL) is None
    snapshot = stage.refresh()
    assert [snapshot.assurance[user_id].name for user_id in (ALICE, BOB, CAROL)] == [
        "real_name",
        "real_name",
        "contact",
    ]


def test_an_import_has_a_line_for_each_account_that_it_changed(stage: Stage) -> None:
    verify(stage, BOB, provider="import")
    people = ((ALICE, Assurance.contact, "d"), (BOB, Assurance.real_name, None), (CAROL, Assurance.in_person, None))
    stage_import(stage, *people)
    stage.act(actions.CommitImport(import_id=IMPORT, reason="members"))
    lines = {act.subject: (act.before, act.after, act.reason) for act in stage.journal() if act.action == "import"}
    assert lines[ALICE] == (None, {"assurance": "contact", "person": "known"}, "members")
    assert lines[CAROL] == (None, {"assurance": "in_person"}, "members")
    assert BOB not in lines  # nothing changed


def test_limits_of_an_account_go_with_it_to_its_person(stage: Stage) -> None:
    stage.act(actions.LimitAccount(user_id=ALICE, limits={"rooms_founded": 3}))
    stage.act(actions.LimitAccount(user_id=BOB, limits={"rooms_founded": 5}))
    verify(stage, ALICE, "d")
    verify(stage, BOB, "d")
    stage_import(stage, (CAROL, Assurance.contact, "d"))
    stage.act(actions.CommitImport(import_id=IMPORT))
    subject, accounts = stage.do(quotas.subject_of, CAROL)
    assert accounts == [ALICE, BOB, CAROL]
    assert stage.do(quotas.override, subject, quotas.FOUNDED) == 3
