# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Commands are understood as people type them, and nothing else is taken for one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synapse_groupreg import texts
from synapse_groupreg.policy.commands import WORDS, Asked, Unknown, is_command, parse, write


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("!group", Asked("info")),
        ("!Group", Asked("info")),
        ("！ｇｒｏｕｐ", Asked("info")),
        ("！group　members", Asked("members")),
        ("!group 123 456 786", Asked("info", "123 456 786")),
        ("!group #g123456786:example.org", Asked("info", "#g123456786:example.org")),
        ("!group G123456786", Asked("info", "g123456786")),
        ("!group members 123456786", Asked("members", "123456786")),
        ("!group   LINK\tx y", Asked("link", "x y")),
        ("!group me\nthe rest", Asked("me")),
        ("!group appeal", Asked("appeal")),
        ("!Group  Appeal １２ It wasn't\nMe.", Asked("appeal", "12", "It wasn't\nMe.")),
        ("！group　appeal　#12　No", Asked("appeal", "#12", "No")),
        ("!group appeal 12 " + "q" * 300, Asked("appeal", "12", "q" * 300)),
        ("!group limit", Unknown("limit", "limits")),
        ("!group memebrs", Unknown("memebrs", "members")),
        ("!group qqqq", Unknown("qqqq", None)),
        ("!group " + "q" * 300, Unknown("q" * 30, None)),
    ],
)
def test_a_command_is_understood(body: str, expected: Asked | Unknown) -> None:
    assert is_command(body)
    assert parse(body) == expected


@pytest.mark.parametrize(
    "body", ["", "group", "! group", "hello !group", "!grou", "* !group", "\n!group", "!", "!\u0130"]
)
def test_everything_else_is_a_message(body: str) -> None:
    assert not is_command(body) or parse(body) is None
    assert parse(body) is None or body.strip() == "!group"


def test_a_longer_word_is_another_bots_command() -> None:
    assert parse("!groups") is None
    assert parse("!groupies help") is None


@given(st.text(max_size=300))
def test_whatever_people_write_can_be_read(body: str) -> None:
    for asked in (body, f"!group {body}", f"!group\n{body}"):
        parse(asked)
        assert parse(asked) is None or is_command(asked) or asked != asked.lstrip()


@pytest.mark.parametrize("word", WORDS)
def test_what_we_write_is_understood_again_and_explained(word: str) -> None:
    assert parse(write(word)) == Asked(word)
    assert parse(write(word, "123456786")) == Asked(word, "123456786")
    assert all(texts.text(f"command.help.{word}", language) for language in texts.LANGUAGES)
