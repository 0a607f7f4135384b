# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The page of the rules as a real Synapse serves it and a real browser shows it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import requests

from synapse_groupreg import texts
from synapse_groupreg.rig import Homeserver
from synapse_groupreg.web.rules import SECTIONS
from tests.browser import Browser

from .client import Person, Staff, poll, refused

SCREENSHOTS = Path(__file__).parents[2] / "build" / "screenshots"
CONTACT = "mailto:staff@example.org"


@pytest.fixture(scope="module")
def server(start_homeserver: Callable[..., Homeserver]) -> Homeserver:
    return start_homeserver(
        module_config={
            "mode": "enforce",
            "federation": "closed",
            "quotas": {"members_per_room": 1, "rooms_founded": 7},
            "texts": {"default_language": "ko"},
        },
        settings={"admin_contact": CONTACT},
    )


@pytest.fixture(scope="module")
def rules(server: Homeserver) -> str:
    return f"{server.url}/_synapse/client/groupreg/rules"


def fetch(url: str, method: str = "GET", language: str | None = None) -> requests.Response:
    with requests.Session() as session:
        session.trust_env = False
        session.headers.clear()
        headers = {} if language is None else {"Accept-Language": language}
        return session.request(method, url, headers=headers, timeout=30)


@pytest.mark.parametrize(
    ("asked", "given"),
    [
        ("zh-CN,zh;q=0.9,en;q=0.8", "zh-CN"),
        ("zh-Hans-CN", "zh-CN"),
        ("ko-KR", "ko"),
        ("en-GB,en;q=0.5", "en"),
        ("fr,en;q=0.3", "en"),
        ("fr", "ko"),
        ("", "ko"),
        ("q=;;,,*", "ko"),
        (None, "ko"),
    ],
)
def test_the_page_speaks_the_language_that_the_browser_asks_for(rules: str, asked: str | None, given: str) -> None:
    answer = fetch(rules, language=asked)
    assert answer.status_code == 200
    assert answer.headers["Content-Language"] == given
    assert f'<html lang="{given}">' in answer.text
    # Or a cache would give everybody the language of the first.
    assert "Accept-Language" in answer.headers["Vary"]


@pytest.mark.parametrize("language", texts.LANGUAGES)
def test_a_language_can_be_chosen_whatever_the_browser_asks_for(rules: str, language: str) -> None:
    assert fetch(f"{rules}?lang={language}", language="fr").headers["Content-Language"] == language


def test_head_is_told_the_same_without_the_page(rules: str) -> None:
    whole, head = fetch(rules), fetch(rules, "HEAD")
    assert (head.status_code, head.content) == (200, b"")
    for name in ("Content-Type", "Content-Length", "Content-Language", "Content-Security-Policy", "Vary"):
        assert head.headers[name] == whole.headers[name]
    assert int(whole.headers["Content-Length"]) == len(whole.content)


def test_a_refusal_links_to_its_entry_on_the_page(server: Homeserver, rules: str) -> None:
    room = Person(server, "founder").found_group()
    body = refused(Person(server, "late").join(room), "room-full")
    page, _, anchor = body["org.groupreg.info"].partition("#")
    assert page == rules
    assert f'id="{anchor}"' in fetch(page).text


def test_the_page_tells_of_a_change_as_soon_as_it_is_made(server: Homeserver, rules: str) -> None:
    announced = texts.text("page.mode.dry", "en")
    with Staff(server).dry():
        assert announced in fetch(rules, language="en").text
    assert announced not in fetch(rules, language="en").text


def test_the_operators_contact_is_that_of_synapse(rules: str) -> None:
    assert f'<a href="{CONTACT}">staff@example.org</a>' in fetch(rules).text


# In a real browser.


def shown(browser: Browser, selector: str, what: str = "innerText") -> str:
    return str(browser.evaluate(f"document.querySelector({selector!r}).{what}"))


@pytest.mark.parametrize("language", texts.LANGUAGES)
def test_a_browser_shows_the_page_without_a_complaint(browser: Browser, rules: str, language: str) -> None:
    browser.open(rules, language=language)
    assert browser.complaints == []
    assert shown(browser, "html", "lang") == language
    assert shown(browser, "h1") == texts.text("page.title", language, server="localhost")
    # The style sheet was let through: the colour is ours, not the browser's.
    assert browser.evaluate("getComputedStyle(document.querySelector('.limits > div')).backgroundColor") in (
        "rgb(243, 245, 247)",
        "rgb(30, 35, 39)",
    )
    browser.screenshot(SCREENSHOTS / f"rules-{language}.png")


def test_nothing_but_the_page_is_fetched(browser: Browser, rules: str) -> None:
    browser.open(rules, language="en")
    assert browser.evaluate("performance.getEntriesByType('resource').length") == 0


def test_the_policy_lets_no_script_and_no_other_style_in(browser: Browser, rules: str) -> None:
    browser.open(rules, language="en")
    browser.evaluate(
        "document.body.insertAdjacentHTML('beforeend', '<p id=x style=\"color:red\">x</p><img src=/x.png>');"
        "const s = document.createElement('script'); s.textContent = 'window.ran = 1'; document.body.append(s)"
    )
    assert browser.evaluate("window.ran") is None
    assert browser.evaluate("getComputedStyle(document.getElementById('x')).color") != "rgb(255, 0, 0)"
    assert len([one for one in browser.complaints if "Content Security Policy" in one]) >= 2


@pytest.mark.parametrize("code", texts.codes())
def test_the_link_of_a_refusal_marks_its_entry(browser: Browser, rules: str, code: str) -> None:
    browser.open(f"{rules}#{code}", language="en")
    assert browser.evaluate("document.querySelector(':target').id") == code
    # The browser scrolls there in its own time.
    assert poll(lambda: browser.evaluate("document.querySelector(':target').getBoundingClientRect().top < innerHeight"))


def test_the_page_fits_a_telephone(browser: Browser, rules: str) -> None:
    browser.ask("Emulation.setDeviceMetricsOverride", width=360, height=740, deviceScaleFactor=1, mobile=True)
    try:
        for language in texts.LANGUAGES:
            browser.open(rules, language=language)
            assert browser.evaluate("document.documentElement.scrollWidth <= innerWidth")
    finally:
        browser.ask("Emulation.clearDeviceMetricsOverride")


def test_what_is_printed_is_the_rules_and_not_the_way_around_them(browser: Browser, rules: str) -> None:
    browser.open(rules, language="en")
    assert browser.pdf().startswith(b"%PDF-")
    browser.ask("Emulation.setEmulatedMedia", media="print")
    try:
        for navigation in (".languages", ".contents", ".to-appeal"):
            assert browser.evaluate(f"getComputedStyle(document.querySelector('{navigation}')).display") == "none"
        for section in SECTIONS:
            assert browser.evaluate(f"document.getElementById('{section}').getBoundingClientRect().height > 0")
    finally:
        browser.ask("Emulation.setEmulatedMedia", media="")
