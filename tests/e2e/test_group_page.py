# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The page of a group as a real Synapse serves it and a real browser shows it, on a telephone and on a desk."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from importlib import resources
from typing import Any
from urllib.parse import quote

import pytest
from attrs import frozen

from synapse_groupreg import texts
from synapse_groupreg.policy.widgets import WIDGET, WIDGETS
from synapse_groupreg.rig import Homeserver
from tests.browser import Browser

from .client import MATRIX, Person, Staff, poll, refused
from .test_rules_page import SCREENSHOTS, fetch

SIZES = {"telephone": (360, 740), "desk": (1280, 800)}
EVIL = "<script>window.ran=1</script><img src=/x onerror=window.ran=1>\"'}}{{7*7}}</title></style>\u202e"
AXE = resources.files("axe_core_python").joinpath("axe.min.js").read_text(encoding="utf-8")
"""Deque's checks of what people with disabilities need of a page."""
KEPT_SECONDS = 10


@frozen
class Found:
    """A group and the address of its page."""

    room: str
    page: str


@pytest.fixture(scope="module")
def server(start_homeserver: Callable[..., Homeserver]) -> Homeserver:
    shown = {"labels": {"enabled": True, "languages": ["en"]}, "groups": {"widgets": True}}
    return start_homeserver(module_config={"mode": "enforce", "federation": "closed", **shown})


@pytest.fixture(scope="module")
def founder(server: Homeserver) -> Person:
    founder = Person(server, "founder")
    founder.set_name("Ming").good()
    return founder


def found(server: Homeserver, founder: Person, **body: object) -> Found:
    room = founder.found_group(**body)
    number = founder.number_in(room)
    page = f"{server.url}/_synapse/client/groupreg/g/{number}"
    # The room gets its number as soon as the background process has seen it.
    assert poll(lambda: fetch(page).status_code == 200 or body.get("preset") == "private_chat", seconds=30, every=0.5)
    return Found(room, page)


@pytest.fixture(scope="module")
def chess(server: Homeserver, founder: Person, staff: Staff) -> Found:
    chess = found(server, founder, name="Chess 国际象棋 체스")
    manager = Person(server, "manager")
    manager.set_name("Bo").good()
    manager.join(chess.room).good()
    levels = founder.state(chess.room, "m.room.power_levels").good()
    founder.set_state(chess.room, "m.room.power_levels", {**levels, "users": {**levels["users"], manager.user_id: 50}})
    staff.bar(chess.room, reason="spam").good()
    barred = texts.text("group.standing.blacklisted", "en")
    assert poll(lambda: barred in fetch(chess.page, language="en").text, seconds=KEPT_SECONDS, every=0.5)
    return chess


def faults(browser: Browser) -> list[dict[str, Any]]:
    """What axe-core objects to."""
    browser.evaluate(f"{AXE};0")
    browser.evaluate("axe.run().then(found => { window.found = JSON.stringify(found.violations) });0")
    told = poll(lambda: browser.evaluate("window.found || ''"), seconds=30)
    violations: list[dict[str, Any]] = json.loads(told)
    return [{"rule": one["id"], "at": [node["html"] for node in one["nodes"]]} for one in violations]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("language", texts.LANGUAGES)
def test_the_page_is_shown_without_a_fault(browser: Browser, chess: Found, language: str, size: str) -> None:
    width, height = SIZES[size]
    mobile = size == "telephone"
    browser.ask("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=mobile)
    browser.open(chess.page, language=language)
    assert browser.complaints == []
    assert browser.evaluate("document.documentElement.lang") == language
    shown = browser.evaluate("document.body.innerText")
    barred = texts.text("group.standing.blacklisted", language)
    tier = texts.text("group.size.tier", language, number=1, of=4)
    for one in ("Chess 国际象棋 체스", "Ming", "Bo", texts.text("role.founder", language), barred, tier):
        assert one in shown
    assert browser.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert browser.evaluate("performance.getEntriesByType('resource').length") == 0
    browser.screenshot(SCREENSHOTS / f"group-{language}-{size}.png")
    assert faults(browser) == []


@pytest.mark.parametrize("language", texts.LANGUAGES)
def test_a_page_that_is_not_there_says_so(browser: Browser, server: Homeserver, language: str) -> None:
    browser.open(f"{server.url}/_synapse/client/groupreg/g/123456786", language=language)
    assert browser.evaluate("document.querySelector('h1').innerText") == texts.text("group.missing.title", language)
    browser.screenshot(SCREENSHOTS / f"group-missing-{language}.png")
    assert faults(browser) == []


def test_the_page_of_the_rules_has_no_fault_either(browser: Browser, server: Homeserver) -> None:
    browser.open(f"{server.url}/_synapse/client/groupreg/rules", language="en")
    assert faults(browser) == []


def test_a_fault_would_be_found(browser: Browser, chess: Found) -> None:
    browser.open(chess.page, language="en")
    browser.evaluate("document.querySelector('h1').remove(); document.documentElement.removeAttribute('lang');0")
    assert {one["rule"] for one in faults(browser)} >= {"html-has-lang", "page-has-heading-one"}


def test_names_cannot_become_a_part_of_the_page(browser: Browser, server: Homeserver) -> None:
    evil = Person(server, "evil")
    evil.set_name(EVIL).good()
    group = found(server, evil, name=EVIL)
    browser.open(group.page, language="en")
    assert browser.complaints == [], "a style or a script that the policy stops would be one"
    assert browser.evaluate("window.ran") is None
    assert browser.evaluate("document.querySelectorAll('script, img').length") == 0
    assert browser.evaluate("document.querySelector('h1').textContent") == EVIL
    assert browser.evaluate("document.querySelector('.people bdi').textContent") == EVIL


def test_a_private_group_shows_like_none(server: Homeserver, founder: Person, staff: Staff) -> None:
    group = found(server, founder, preset="private_chat", name="Secret")
    assert poll(lambda: staff.room(group.room)["number"])
    none = f"{server.url}/_synapse/client/groupreg/g/123456786"
    hidden, missing = fetch(group.page), fetch(none)
    assert (hidden.status_code, hidden.content) == (missing.status_code, missing.content) == (404, missing.content)
    assert {*hidden.headers} == {*missing.headers}
    founder.set_state(group.room, "m.room.join_rules", {"join_rule": "public"}).good()
    assert poll(lambda: fetch(group.page).status_code == 200, seconds=KEPT_SECONDS, every=0.5)


def widget(person: Person, room: str) -> dict[str, Any]:
    """What makes the page of a group a widget of it; nothing where there is none."""
    answer = person.call("GET", f"{MATRIX}/rooms/{quote(room)}/state/{WIDGETS}/{WIDGET}")
    return answer.body if answer.ok else {}


def test_a_public_group_carries_its_page_as_a_widget(founder: Person, staff: Staff) -> None:
    with staff.dry():
        older = founder.found_group(room_version="11", preset="private_chat")
    room = founder.found_group(room_version="12")
    carried = widget(founder, room)
    number = founder.number_in(room)
    assert (carried["type"], carried["url"].rpartition("/")[2]) == ("m.custom", number)
    founder.set_state(older, "m.room.join_rules", {"join_rule": "public"}).good()
    assert poll(lambda: widget(founder, older).get("type") == "m.custom")
    framed = fetch(carried["url"])
    assert framed.status_code == 200
    assert "x-frame-options" not in framed.headers
    assert "frame-ancestors" not in framed.headers["content-security-policy"]
    founder.set_state(room, "m.room.join_rules", {"join_rule": "invite"}).good()
    assert poll(lambda: not widget(founder, room))


Said = tuple[str | None, list[str] | None, str, str]


def test_labels_go_while_management_is_suspended_and_come_back(
    server: Homeserver, founder: Person, staff: Staff
) -> None:
    """Whether the suspension is lifted or ends by itself, and though the founder may write no state meanwhile."""
    manager = Person(server, "manager")
    groups = [founder.found_group(room_version=version) for version in ("11", "12")]
    for group in groups:
        manager.join(group).good()
        levels = founder.state(group, "m.room.power_levels").good()
        users = {**levels["users"], manager.user_id: 50}
        founder.set_state(group, "m.room.power_levels", {**levels, "users": users}).good()

    def impose(kind: str, person: Person, **more: object) -> int:
        body = {"kind": kind, "entity": person.user_id, "reason": "r", "basis": "11.2", **more}
        return int(staff.groupreg("POST", "measures", body).good()["id"])

    def said(group: str) -> Said:
        """Founder, who is left out, and the words of 50 and 100."""
        ours = founder.state(group, "org.groupreg.labels").good()
        tags = founder.state(group, "in.cinny.room.power_level_tags").good()
        return (ours.get("founder"), ours.get("left_out"), tags["50"]["name"], tags["100"]["name"])

    def become(*expected: Said) -> None:
        poll(lambda: [said(group) for group in groups] == [*expected])
        assert [said(group) for group in groups] == [*expected]

    # In a group of version 12 the founder has no level, and whoever is given 100 is a manager.
    before: list[Said] = [(founder.user_id, None, "Manager", of_100) for of_100 in ("Founder", "Manager")]
    become(*before)
    in_an_hour = int(time.time() * 1000) + 3_600_000  # noqa: TID251 - the server goes by this clock
    for person in (founder, manager):
        impose("warning", person, deadline_ms=in_an_hour)
    case = impose("management-suspended", manager)
    impose("management-suspended", founder, until_ms=int(time.time() * 1000) + 5_000)  # noqa: TID251 - as above
    refused(founder.set_state(groups[1], "m.room.topic", {"topic": "mine"}), "management-suspended")
    out = sorted([founder.user_id, manager.user_id])
    become(*((None, out, "Member", of_100) for of_100 in ("Member", "Manager")))
    staff.groupreg("DELETE", f"measures/{case}", {"reason": "settled"}).good()
    become(*before)
