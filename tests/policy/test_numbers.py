# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Numbers of groups: a slip of the finger leads to no other group, and every way of writing one is understood."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synapse_groupreg.policy.founding import Making, opens, with_number
from synapse_groupreg.policy.numbers import NUMBER, SPACE, alias, named, number, read, reserved
from synapse_groupreg.policy.widgets import WIDGET, WIDGETS

DRAWN = st.integers(min_value=0, max_value=SPACE - 1)
MAKING = Making(founder="@a:b", creators_above=False, server_levels={})


@given(DRAWN)
def test_a_number_has_nine_digits_and_is_read_back(drawn: int) -> None:
    digits = number(drawn)
    assert len(digits) == 9
    assert digits[0] != "0"
    assert read(digits) == digits


@given(DRAWN, st.integers(min_value=0, max_value=8), st.integers(min_value=1, max_value=9))
def test_one_wrong_digit_is_found(drawn: int, place: int, off: int) -> None:
    digits = number(drawn)
    wrong = (int(digits[place]) + off) % 10
    assert read(f"{digits[:place]}{wrong}{digits[place + 1 :]}") is None


@given(DRAWN, st.integers(min_value=0, max_value=7))
def test_two_neighbours_exchanged_are_found(drawn: int, place: int) -> None:
    digits = number(drawn)
    exchanged = f"{digits[:place]}{digits[place + 1]}{digits[place]}{digits[place + 2 :]}"
    assert read(exchanged) == (digits if exchanged == digits else None)


def test_different_draws_are_different_numbers() -> None:
    assert len({number(drawn) for drawn in range(10_000)}) == 10_000
    assert (number(0), number(SPACE - 1)[:-1]) == ("100000006", "99999999")


@pytest.mark.parametrize(
    "written",
    [
        "123456786",
        " 123 456 786 ",
        "123-456-786",
        "g123456786",
        "G123456786",
        "#g123456786:example.org",
        "１２３４５６７８６",
        "＃ｇ１２３４５６７８６：example.org",
    ],
)
def test_a_number_is_understood_however_it_is_written(written: str) -> None:
    assert read(written) == "123456786"


@pytest.mark.parametrize("written", ["", "12345678", "1234567860", "023456786", "x123456786", "123456785", "!a:b", "g"])
def test_what_is_no_number_is_not_understood(written: str) -> None:
    assert read(written) is None


def test_only_the_exact_alias_of_a_number_is_kept_for_it() -> None:
    assert reserved(alias("123456786", "example.org")) == "123456786"
    assert [reserved(one) for one in ("#G123456786:b", "#g123456785:b", "#123456786:b", "#g123456786x:b")] == [None] * 4


# At founding.


def test_a_group_bears_its_number_in_its_state_and_a_public_one_in_its_alias() -> None:
    made = {"m.federate": False, NUMBER: "123456786"}
    body = {"creation_content": {"m.federate": False}}
    assert with_number(body, MAKING, "123456786", alias=True) == {"creation_content": made}
    public = with_number({**body, "preset": "public_chat"}, MAKING, "123456786", alias=True)
    assert public == {"creation_content": made, "room_alias_name": "g123456786"}
    assert "room_alias_name" not in with_number({"preset": "public_chat"}, MAKING, "123456786", alias=False)
    own = {"preset": "public_chat", "room_alias_name": "chess"}
    assert "room_alias_name" not in with_number(own, MAKING, "123456786", alias=True)


def test_an_alias_that_the_founder_could_not_write_is_left_out() -> None:
    body = {"preset": "public_chat", "power_level_content_override": {"events": {"m.room.canonical_alias": 101}}}
    assert with_number(body, MAKING, "123456786", alias=True) == {"creation_content": {NUMBER: "123456786"}}


@pytest.mark.parametrize(
    ("create", "event", "expected"),
    [
        (None, None, None),
        ({}, None, None),
        ({NUMBER: "123456786"}, None, "123456786"),
        ({}, {"number": "123456786"}, "123456786"),
        ({NUMBER: "123456786"}, {"number": "100000007"}, "100000007"),
        ({NUMBER: "123456786"}, {}, None),
    ],
)
def test_a_state_event_counts_before_the_create_event(
    create: dict[str, object] | None, event: dict[str, object] | None, expected: str | None
) -> None:
    assert named(create, event) == expected


RULE = {"type": "m.room.join_rules", "content": {"join_rule": "public"}}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({}, False),
        ({"preset": "private_chat"}, False),
        ({"visibility": "public"}, True),
        ({"preset": "private_chat", "visibility": "public"}, True),
        ({"preset": "public_chat"}, True),
        ({"initial_state": [RULE]}, True),
        ({"preset": "public_chat", "initial_state": [{**RULE, "content": {"join_rule": "knock"}}]}, False),
        ({"initial_state": [{**RULE, "content": 7}]}, False),
    ],
)
def test_who_may_enter_is_told_by_preset_visibility_and_rule(body: dict[str, object], expected: bool) -> None:
    assert opens(body) is expected


def test_a_widget_is_a_part_of_the_founding_unless_its_level_is_out_of_reach() -> None:
    content = {"url": "https://a/g/123456786"}
    ours = {"type": WIDGETS, "state_key": WIDGET, "content": content}
    clients = [{"type": WIDGETS, "state_key": WIDGET, "content": {"url": "evil"}}, {"type": WIDGETS, "state_key": "x"}]

    def changes(**body: object) -> dict[str, object]:
        return with_number({"initial_state": clients, **body}, MAKING, "123456786", alias=False, widget=content)

    assert changes()["initial_state"] == [clients[1], ours]
    assert "initial_state" not in changes(power_level_content_override={"events": {WIDGETS: 101}})
