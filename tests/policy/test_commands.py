# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Commands are understood as people type them, and nothing else is taken for one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synapse_groupreg import texts
from synapse_groupreg.policy.commands import WORDS, Asked, Unknown, is_command, names_another, parse, whom, write


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
        ("!group mute", Asked("mute")),
        ("！GROUP Mute @Anna:b 2h Too\nLoud", Asked("mute", "", "@Anna:b 2h Too\nLoud")),
        ("!group mute 123456786 @anna 2h", Asked("mute", "123456786", "@anna 2h")),
        ("!group unmute #g123456786:b Anna", Asked("unmute", "#g123456786:b", "Anna")),
        ("!group mute 12345678 @anna", Asked("mute", "", "12345678 @anna")),
        ("!group transfer accept 123456786", Asked("transfer", "123456786", "accept")),
        ("!group unmute @b:c  g123456786", Asked("unmute", "g123456786", "@b:c")),
        ("!group mute @b 2h 123456786", Asked("mute", "", "@b 2h 123456786")),
        ("!group mut", Unknown("mut", "mute")),
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
    assert all(texts.text(f"command.help.{word}", language, off="off") for language in texts.LANGUAGES)


ANNA = {"@anna:else.where": ["@anna", "anna", "Anna Bell", "@Anna Bell"]}
LINK = "https://matrix.to/#/@anna:else.where?via=else.where"


@pytest.mark.parametrize(
    ("said", "mentioned", "expected"),
    [
        ("@anna:else.where 2h Loud", {}, ("@anna:else.where", "2h Loud")),
        ("＠anna:else.where: 2h", {}, ("@anna:else.where", "2h")),
        ("@anna 2h", {}, ("@anna:here", "2h")),
        ("@Anna:else.where 2h", ANNA, ("@Anna:else.where", "2h")),
        (f"{LINK} 2h", {}, ("@anna:else.where", "2h")),
        (f"[Anna Bell]({LINK}): 2h Loud", ANNA, ("@anna:else.where", "2h Loud")),
        ("https://matrix.to/#/%40anna%3Aelse.where 2h", {}, ("@anna:else.where", "2h")),
        ("Anna Bell: 2h Loud", ANNA, ("@anna:else.where", "2h Loud")),
        ("@ANNA bell 2h", ANNA, ("@anna:else.where", "2h")),
        ("anna 2h", ANNA, ("@anna:else.where", "2h")),
        ("Somebody 2h", ANNA, ("@anna:else.where", "2h")),
        ("@anna 2h", {**ANNA, "@b:c": ["b"]}, ("@anna:here", "2h")),
        ("Anna 2h", {}, None),
        ("@ 2h", {}, None),
        ("", {}, None),
    ],
)
def test_people_are_named_as_clients_write_them(
    said: str, mentioned: dict[str, list[str]], expected: tuple[str, str] | None
) -> None:
    assert whom(said, "here", mentioned) == expected


@pytest.mark.parametrize(
    "said",
    ["@erin 2h", "＠erin 2h", "and @erin", "& @erin", "和@erin", "와 @erin", LINK, f"and [Anna]({LINK})", "anna: 2h"],
)
def test_a_further_person_is_seen(said: str) -> None:
    assert names_another(said, "@carol:here", ANNA)


@pytest.mark.parametrize("said", ["", "2h @erin", "and so on", "@", "annabel", "Too loud", "[spam](https://b.c) @erin"])
def test_a_reason_is_no_further_person(said: str) -> None:
    assert not names_another(said, "@carol:here", ANNA)


@given(st.text(max_size=60), st.booleans())
def test_whoever_people_name_can_be_looked_for(said: str, linked: bool) -> None:
    found = whom(said, "here", ANNA if linked else {})
    assert found is None or found[0].startswith("@")
