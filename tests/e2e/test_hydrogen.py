# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What people see of the rules in a graphical client, Hydrogen, in a real browser; pictures in build/screenshots."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from attrs import frozen

from synapse_groupreg import texts
from synapse_groupreg.rig import Homeserver
from synapse_groupreg.rig.synapse import SAMPLE_PASSWORD
from tests.browser import Browser, chromium
from tests.hydrogen import Screen, hydrogen

from .client import Person, Staff, refused
from .test_rules_page import SCREENSHOTS

# The newest room version that this Hydrogen was made for.
VERSION = "10"
ROOMS, MESSAGES = ".RoomList .name", ".Timeline_messageBody"


@frozen
class Seat:
    """A person at a screen on which they are logged in."""

    person: Person
    screen: Screen
    browser: Browser

    def keep(self, name: str) -> None:
        """A picture of what is on the screen."""
        self.browser.screenshot(SCREENSHOTS / f"hydrogen-{name}.png")


@pytest.fixture(scope="module")
def server(start_homeserver: Callable[..., Homeserver]) -> Homeserver:
    return start_homeserver(
        module_config={
            "mode": "enforce",
            "federation": "closed",
            "identity": {"required": {"post": "contact"}},
            "labels": {"enabled": True, "languages": ["zh-CN", "en"]},
        }
    )


@pytest.fixture(scope="module")
def founder(server: Homeserver, staff: Staff) -> Person:
    founder = Person(server, "founder")
    staff.verify(founder.user_id).good()
    founder.set_name("Ming").good()
    return founder


@pytest.fixture(scope="module")
def group(founder: Person) -> str:
    return founder.found_group(name="Chess", room_version=VERSION)


@pytest.fixture(scope="module")
def address(server: Homeserver) -> Iterator[str]:
    with hydrogen(server.url) as address:
        yield address


@pytest.fixture
def seat(server: Homeserver, address: str) -> Iterator[Seat]:
    person = Person(server, "guest")
    with chromium() as browser:
        browser.ask("Emulation.setDeviceMetricsOverride", width=1100, height=640, deviceScaleFactor=1, mobile=False)
        browser.open(address)
        screen = Screen(browser)
        screen.log_in(person.name, SAMPLE_PASSWORD)
        yield Seat(person, screen, browser)


def test_who_cannot_join_a_full_group_reads_why(seat: Seat, founder: Person, staff: Staff) -> None:
    full = founder.found_group(name="Full", room_version=VERSION)
    staff.cap(full, 1).good()
    sentence = refused(seat.person.join(full), "room-full")["error"]
    seat.screen.join(full)
    seat.screen.wait(".UnknownRoomView .error", sentence)
    seat.keep("full-group")


def test_a_refused_message_is_explained_without_accepting_anything(seat: Seat, group: str) -> None:
    screen = seat.screen
    screen.join(group)
    screen.send("Hello everybody")
    rules = texts.text("notice.sender", "en", server="localhost")
    screen.wait(ROOMS, rules)
    # The client says nothing by itself: the message is gone, without a word.
    assert screen.shown(".RoomHeader h2") == ["Chess"]
    screen.gone(MESSAGES)
    seat.keep("refused-message")
    screen.click(ROOMS, rules)
    notice = screen.wait(MESSAGES, "Chess")
    assert refused(seat.person.send(group), "identity-required")["error"] in notice
    # Nothing was asked before, and there is one such room.
    assert screen.shown(".InviteView") == []
    assert sorted(screen.shown(ROOMS)) == sorted(["Chess", rules])
    seat.keep("notice")


def test_the_founder_can_be_told_from_members(seat: Seat, group: str) -> None:
    """Hydrogen has words of its own for levels and shows no labels; the state that it got has them."""
    screen = seat.screen
    screen.join(group)
    screen.click(".RoomHeader .room-options")
    screen.click(".menu-item", "Room details")
    screen.click(".RoomDetailsView_row", "People")
    screen.click(".MemberTileView a", "Ming")
    screen.wait(".MemberDetailsView_value", "Admin")
    seat.keep("founder")
    tags = seat.person.state(group, "in.cinny.room.power_level_tags").good()
    assert tags["100"]["name"] == "建立者 / Founder"
    assert seat.person.state(group, "org.groupreg.labels").ok


def test_a_group_is_joined_by_its_number(seat: Seat, founder: Person) -> None:
    room = founder.found_group(name="Numbered", room_version=VERSION)
    number = founder.number_in(room)
    seat.screen.join(f"#g{number}:localhost")
    seat.screen.wait(".RoomHeader h2", "Numbered")
    assert room in seat.person.joined_rooms()
    seat.keep("joined-by-number")
