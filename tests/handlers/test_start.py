# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What happens once at start: the key, the mode, and what was there before."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from synapse_groupreg.config import load
from synapse_groupreg.errors import CannotStart
from synapse_groupreg.handlers import start
from synapse_groupreg.policy import actions
from synapse_groupreg.policy.assurance import Assurance
from synapse_groupreg.retention.records import Kind
from synapse_groupreg.storage import acts, meta, outbox
from synapse_groupreg.storage.entries import draft
from tests.database import SERVER
from tests.handlers.stage import ALICE, BOB, NOW, Stage

if TYPE_CHECKING:
    from synapse_groupreg.storage.database import Transaction

KEY, OTHER_KEY = "fingerprint", "another fingerprint"


def begin(stage: Stage, mode: Any = "enforce", key: str = KEY, configured: Any = None, **more: Any) -> None:
    config = load({"federation": "closed", **(configured or {}), "mode": mode})
    stage.do(start.prepare, config, key, NOW, **more)


def give_address(txn: Transaction, user_id: str, address: str) -> None:
    txn.execute(
        "INSERT INTO user_threepids (user_id, medium, address, validated_at, added_at) VALUES (?, 'email', ?, 1, 1)",
        (user_id, address),
    )


def link(stage: Stage) -> None:
    stage.act(actions.Verify(user_id=ALICE, assurance=Assurance.contact, provider="office", digest="d"))


def test_another_key_is_refused_once_references_were_digested(stage: Stage) -> None:
    """Persons would not be recognised any more, and would get a second set of places."""
    begin(stage)
    link(stage)
    before = stage.contents()
    with pytest.raises(CannotStart, match=r"identity\.keys_path, is not the one that this database was made with"):
        begin(stage, key=OTHER_KEY)
    with pytest.raises(CannotStart, match=r"identity\.keys_path, is missing"):
        begin(stage, key=OTHER_KEY, key_is_new=True)
    assert stage.contents() == before
    begin(stage)


def test_another_key_is_refused_while_records_wait_that_it_can_not_open(stage: Stage) -> None:
    begin(stage)
    stage.do(outbox.append, [draft(Kind.login, NOW)], bytes)
    with pytest.raises(CannotStart, match=r"nor records that wait be read"):
        begin(stage, key=OTHER_KEY)
    stage.do(outbox.number, bytes, NOW)
    stage.do(outbox.forget, 1_000)
    begin(stage, key=OTHER_KEY)


def test_another_key_is_taken_as_long_as_it_digested_nothing(stage: Stage) -> None:
    begin(stage)
    begin(stage, key=OTHER_KEY)
    link(stage)
    with pytest.raises(CannotStart):
        begin(stage)


def test_the_mode_that_staff_chose_outlives_restarts(stage: Stage) -> None:
    begin(stage)
    stage.act(actions.SetMode(mode="dry"))
    begin(stage)
    assert stage.refresh().mode == "dry"


def test_a_mode_that_was_edited_in_the_configuration_wins(stage: Stage) -> None:
    begin(stage, "dry")
    stage.act(actions.SetMode(mode="enforce"))
    begin(stage, "enforce")  # edited to what staff chose
    begin(stage, "dry")  # and back
    assert stage.do(meta.get, meta.MODE) is None
    line = stage.journal()[-1]
    assert (line.author, line.action, line.reason) == (start.SERVER, "mode", "configuration")
    assert (line.before, line.after) == ({"mode": "enforce"}, {"mode": "dry"})


def test_the_first_start_is_journalled_and_a_second_one_is_not(stage: Stage) -> None:
    begin(stage)
    lines = stage.journal()
    assert [(line.action, line.before, line.after) for line in lines] == [("mode", None, {"mode": "enforce"})]
    version = stage.refresh().version
    begin(stage)
    assert stage.journal() == lines
    assert stage.refresh().version == version


def test_verified_addresses_are_taken_over_once(stage: Stage) -> None:
    stage.do(give_address, ALICE, "a@example.org")
    stage.do(give_address, ALICE, "b@example.org")
    begin(stage)
    assert stage.refresh().assurance[ALICE] is Assurance.contact
    line = stage.journal()[-1]
    assert (line.author, line.reason, line.after) == (
        start.SERVER,
        "first start",
        {"accounts": 1, "assurance": "contact"},
    )
    stage.do(give_address, BOB, "c@example.org")
    begin(stage)
    assert stage.refresh().assurance[BOB] is Assurance.none, "the hook tells of later ones"


def test_a_name_that_somebody_has_is_not_taken_for_notices(stage: Stage) -> None:
    with pytest.raises(CannotStart, match="is somebody's account already"):
        begin(stage, notice_account=ALICE)
    name = f"@groupreg:{SERVER}"
    begin(stage, notice_account=name)
    stage.database.rows("INSERT INTO users (name, creation_ts) VALUES (?, 1) RETURNING name", name)
    begin(stage, notice_account=name)


def test_what_an_operator_changed_in_the_configuration_is_journalled(stage: Stage) -> None:
    store = {"name": "psycopg2", "args": {"dbname": "records", "password": "hunter2"}}
    begin(stage, configured={"quotas": {"members_per_room": 5}})
    begin(stage, configured={"quotas": {"members_per_room": 5}})
    assert not configured(stage)
    begin(stage, configured={"quotas": {"members_per_room": 9}, "retention": {"store": store}})
    assert configured(stage) == [
        (
            {"quotas.members_per_room": 5, "retention.store.name": "sqlite3"},
            {"quotas.members_per_room": 9, "retention.store.name": "psycopg2"},
        )
    ]
    assert "hunter2" not in str(stage.contents())


def configured(stage: Stage) -> list[tuple[Any, Any]]:
    """Before and after of each change of the configuration."""
    found, _ = stage.do(acts.page, {"action": "configure"}, 0, 10)
    return [(act.before, act.after) for act in found]
