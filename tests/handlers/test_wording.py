# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""A refusal speaks the language of the person: their own setting, else their newest client's, else the default."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from synapse_groupreg.handlers.wording import Words
from synapse_groupreg.policy.assurance import Assurance
from synapse_groupreg.policy.identity import IdentityRequired
from synapse_groupreg.policy.quotas import RoomFull
from synapse_groupreg.storage.people import SETTINGS
from tests.database import result_of
from tests.handlers.stage import ALICE, EVE, NOW, Stage

if TYPE_CHECKING:
    from synapse_groupreg.storage.database import Transaction


@pytest.fixture
def words(stage: Stage) -> Words:
    return Words(stage.database, stage.homeserver, "zh-CN")


def set_language(txn: Transaction, content: object) -> None:
    txn.execute("DELETE FROM account_data WHERE user_id = ?", (ALICE,))
    txn.execute(
        "INSERT INTO account_data (user_id, account_data_type, stream_id, content) VALUES (?, ?, 1, ?)",
        (ALICE, SETTINGS, json.dumps(content)),
    )


def add_pusher(txn: Transaction, language: str | None, ts: int) -> None:
    txn.execute(
        "INSERT INTO pushers (id, user_name, profile_tag, kind, app_id, app_display_name, device_display_name, pushkey,"
        " ts, lang) VALUES (?, ?, '', 'http', ?, '', '', ?, ?, ?)",
        (ts, ALICE, f"app{ts}", f"key{ts}", ts, language),
    )


def language(words: Words) -> str:
    return result_of(words.language(ALICE))


def test_nothing_known_is_the_default(words: Words) -> None:
    assert language(words) == "zh-CN"


def test_the_newest_client_that_says_a_language_counts(stage: Stage, words: Words) -> None:
    stage.do(add_pusher, "ko-KR", 10)
    stage.do(add_pusher, "en_GB", 20)
    stage.do(add_pusher, None, 30)
    assert language(words) == "en"


def test_the_persons_own_setting_comes_first(stage: Stage, words: Words) -> None:
    stage.do(add_pusher, "en", 10)
    stage.do(set_language, {"language": "ko"})
    assert language(words) == "ko"


@pytest.mark.parametrize("content", [{}, {"language": 5}, {"language": None}, {"other": "ko"}])
def test_a_setting_that_says_nothing_is_passed_over(stage: Stage, words: Words, content: object) -> None:
    stage.do(add_pusher, "en", 10)
    stage.do(set_language, content)
    assert language(words) == "en"


def test_a_language_that_we_do_not_speak_is_the_default(stage: Stage, words: Words) -> None:
    stage.do(set_language, {"language": "fr"})
    assert language(words) == "zh-CN"


def test_of_accounts_of_other_servers_nothing_is_looked_up(stage: Stage, words: Words) -> None:
    assert result_of(words.language(EVE)) == "zh-CN"
    assert "groupreg_language" not in stage.database.runs


def test_the_language_is_kept_for_five_minutes(stage: Stage, words: Words) -> None:
    assert language(words) == "zh-CN"
    stage.do(set_language, {"language": "ko"})
    stage.homeserver.now = NOW + 299_999
    assert language(words) == "zh-CN"
    assert stage.database.runs.count("groupreg_language") == 1
    stage.homeserver.now = NOW + 300_000
    assert language(words) == "ko"


def test_a_refusal_carries_sentence_code_and_page(stage: Stage, words: Words) -> None:
    stage.do(set_language, {"language": "en"})
    wording = result_of(words.refusal(RoomFull(used=3, limit=3), ALICE, "join"))
    assert wording.code == "room-full"
    assert wording.info == "https://matrix.example.org/_synapse/client/groupreg/rules#room-full"
    assert wording.error.startswith("This group is full: 3 of 3 places are taken.")
    assert wording.error.endswith(wording.info)


def test_what_was_tried_and_the_facts_choose_the_words(stage: Stage, words: Words) -> None:
    stage.do(set_language, {"language": "en"})
    lacking = IdentityRequired(required=Assurance.real_name, have=Assurance.contact)
    joining = result_of(words.refusal(lacking, ALICE, "join")).error
    posting = result_of(words.refusal(lacking, ALICE, "send")).error
    assert joining.startswith("To join this group")
    assert "real name verified; now: contact verified" in posting
    assert joining != posting
