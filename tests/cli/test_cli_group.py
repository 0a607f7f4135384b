# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""`groupreg group`: a group is found by its number, however that is written, and listed with it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from tests.cli.test_cli_commands import GROUP, ROOM, STATUS

if TYPE_CHECKING:
    from collections.abc import Callable

    from click.testing import Result

NUMBER = "123456786"
NUMBERED = {**GROUP, "number": NUMBER}


@pytest.fixture(autouse=True)
def replies(server: Any) -> None:
    server.replies |= {
        f"GET groups/{NUMBER}": NUMBERED,
        f"GET groups/g{NUMBER}": NUMBERED,
        f"GET rooms/{ROOM}": NUMBERED,
        "GET rooms": {"rooms": [NUMBERED], "total": 1},
        "GET status": {**STATUS, "numbers": {"given": 1234, "waiting": 7}},
        f"GET /_matrix/client/v3/directory/room/#g{NUMBER}:fake.test": {"room_id": ROOM},
    }


@pytest.mark.parametrize("named", [NUMBER, f"g{NUMBER}", ROOM, f"#g{NUMBER}:fake.test"])
def test_a_group_is_shown_by_number_id_or_alias(groupreg: Callable[..., Result], named: str) -> None:
    result = groupreg("group", "show", named)
    assert result.exit_code == 0, result.output
    assert re.search(rf"number +{NUMBER}", result.output)
    assert ROOM in result.output


def test_groups_are_listed_with_their_numbers(server: Any, groupreg: Callable[..., Result]) -> None:
    result = groupreg("group", "list", "--search", NUMBER)
    assert (result.exit_code, NUMBER in result.output) == (0, True)
    assert server.sent("GET", "rooms")[0].query["search"] == NUMBER


def test_an_unknown_number_is_told_in_a_sentence(server: Any, groupreg: Callable[..., Result]) -> None:
    server.replies["GET groups/7"] = server.error(404, "7 is no number of a group.", "M_NOT_FOUND")
    result = groupreg("group", "show", "7")
    assert (result.exit_code, "7 is no number of a group." in result.stderr) == (1, True)


def test_status_says_how_far_numbering_is(groupreg: Callable[..., Result]) -> None:
    output = groupreg("status").output
    assert "Numbers of groups" in output
    assert "1,234" in output
