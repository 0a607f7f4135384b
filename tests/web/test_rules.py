# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The rules page: true to the live policy, readable by everybody, harmless to everybody."""

from __future__ import annotations

import base64
import hashlib
import itertools
import re
from html.parser import HTMLParser
from typing import Any

import pytest
from typing_extensions import override

from synapse_groupreg import texts
from synapse_groupreg.web.pages import HEADERS
from synapse_groupreg.web.rules import SECTIONS, render_rules

SERVER = "matrix.example.org"
VOID = {"meta", "br", "hr", "img", "input", "link"}


def policy(**changes: object) -> dict[str, Any]:
    """What `GET policy` answers, with some values changed."""
    return {
        "mode": "enforce",
        "notices": {"enabled": True, "account": "groupreg"},
        "second_staff": "required",
        "dry_run": [],
        "federation": "closed",
        "quotas": {"members_per_room": 1234, "rooms_founded": 11, "rooms_joined": 222},
        "identity": required(post="contact", found="real_name"),
        "roles": {"manager_power_level": 50},
        "exempt": [],
        "membership_guard": "request",
        "default_language": "en",
        "on_error": {"send": "allow"},
        "preset": None,
        **changes,
    }


def required(
    *, members_over: dict[Any, str] | None = None, remote_senders: str = "allow", **levels: str
) -> dict[str, Any]:
    wanted = {"post": "none", "found": "none", "join": "none", "members_over": members_over or {}, **levels}
    return {"required": wanted, "remote_senders": remote_senders}


def page(language: str = "en", server: str = SERVER, contact: str | None = None, **changes: object) -> str:
    return render_rules(policy(**changes), language, server, contact=contact).decode()


class Outline(HTMLParser):
    """Checks that tags are closed in order, and collects what the tests ask about."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.stack: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(html)
        self.close()
        assert self.stack == []

    @override
    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len({name for name, _ in attrs}) == len(attrs), f"an attribute twice in {tag}"
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.stack.append(tag)

    @override
    def handle_endtag(self, tag: str) -> None:
        assert self.stack.pop() == tag

    @override
    def handle_data(self, data: str) -> None:
        if "style" not in self.stack:
            self.words.append(data.strip())

    def values(self, attribute: str) -> list[str]:
        return [value for _, attrs in self.tags if (value := attrs.get(attribute)) is not None]


def rows(html: str) -> dict[str, str]:
    """The table: act to what it needs."""
    return dict(re.findall(r'<th scope="row">(.*?)</th><td>(.*?)</td>', html))


@pytest.mark.parametrize("language", texts.LANGUAGES)
def test_every_code_and_section_has_its_anchor_once(language: str) -> None:
    ids = Outline(page(language)).values("id")
    assert len(set(ids)) == len(ids)
    assert {*texts.codes(), *SECTIONS} <= set(ids)


@pytest.mark.parametrize("language", texts.LANGUAGES)
def test_links_within_the_page_lead_somewhere(language: str) -> None:
    outline = Outline(page(language))
    targets = {link.removeprefix("#") for link in outline.values("href") if link.startswith("#")}
    labels = set(outline.values("aria-labelledby"))
    assert targets | labels <= set(outline.values("id"))


@pytest.mark.parametrize("language", texts.LANGUAGES)
def test_the_page_says_its_language_and_offers_the_others(language: str) -> None:
    outline = Outline(page(language))
    assert ("html", {"lang": language}) in outline.tags
    assert {f"?lang={tag}" for tag in texts.LANGUAGES} <= set(outline.values("href"))
    assert [attrs["lang"] for _, attrs in outline.tags if "aria-current" in attrs] == [language]


@pytest.mark.parametrize("language", texts.LANGUAGES)
def test_headings_descend_step_by_step_from_one_title(language: str) -> None:
    levels = [int(tag[1]) for tag, _ in Outline(page(language)).tags if re.fullmatch(r"h[1-6]", tag)]
    assert levels.count(1) == 1
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))


@pytest.mark.parametrize("language", texts.LANGUAGES)
def test_live_values_are_shown(language: str) -> None:
    shown = Outline(page(language)).words
    assert {"1,234", "11", "222"} <= set(shown)


def test_a_limit_that_is_switched_off_reads_as_none() -> None:
    assert "no limit" in page(quotas={"members_per_room": None, "rooms_founded": 1, "rooms_joined": 1})


def test_what_needs_which_assurance() -> None:
    shown = rows(page(identity=required(post="contact", members_over={"100": "real_name"})))
    assert shown["Log in, read, leave a group, report"] == "no verification"
    assert shown["Join a group"] == "no verification"
    assert shown["Join a group of more than 100 members, or post in it"] == "real name verified"


def test_founding_shows_what_posting_and_joining_need_as_well() -> None:
    assert rows(page(identity=required(post="real_name")))["Found a group"] == "real name verified"
    assert rows(page(identity=required(join="in_person")))["Found a group"] == "verified in person"


def test_a_tier_shows_only_the_acts_for_which_it_asks_for_more() -> None:
    shown = rows(
        page(identity=required(post="real_name", members_over={50: "contact", 100: "real_name", 2000: "contact"}))
    )
    over = {what: needs for what, needs in shown.items() if "more than" in what}
    assert over == {
        "Join a group of more than 50 members": "contact verified",
        "Join a group of more than 100 members": "real name verified",
    }


def test_a_server_that_asks_for_nothing_does_not_explain_levels() -> None:
    assert "The levels build on each other" not in page(identity=required())
    assert "The levels build on each other" in page()


@pytest.mark.parametrize("language", texts.LANGUAGES)
def test_dry_mode_is_announced(language: str) -> None:
    announced = texts.text("page.mode.dry", language)
    assert announced in page(language, mode="dry")
    assert announced not in page(language)


def test_a_single_rule_on_trial_is_named_above_and_marked_below() -> None:
    shown = page(dry_run=["room-full"])
    assert texts.text("page.mode.single", "en") in shown
    assert shown.count(texts.text("page.mode.badge", "en")) == 1
    assert texts.text("page.mode.badge", "en") not in page()


@pytest.mark.parametrize("federation", ["open", "closed"])
def test_federation_is_explained(federation: str) -> None:
    assert texts.text(f"page.federation.{federation}", "en") in page(federation=federation)


def test_remote_senders_are_mentioned_where_posting_needs_an_assurance() -> None:
    sentence = texts.text("page.federation.refuse", "en")
    assert sentence in page(identity=required(post="contact", remote_senders="refuse"))
    assert sentence not in page(identity=required(remote_senders="refuse"))


def test_the_preset_is_named() -> None:
    assert "2017" in page(preset="groups-2017")
    assert "2017" not in page()


def test_who_is_exempt_is_not_listed() -> None:
    """Patterns of account names are the operator's; the page only says that there are some."""
    shown = page(exempt=["@secret_*:example.org"])
    assert "secret" not in shown
    assert "bridges and bots" in shown


def test_a_contact_becomes_a_link() -> None:
    link = '<a href="mailto:staff@example.org">staff@example.org</a>'
    assert page(contact="mailto:staff@example.org").count(link) == 3
    assert texts.text("page.appeal.contact", "en") not in page()


def retained(**changes: object) -> dict[str, Any]:
    return {"enabled": True, "keep": 184 * 86_400_000, "content": "hash", "full_content": None, **changes}


@pytest.mark.parametrize("language", texts.LANGUAGES)
def test_people_are_told_what_is_recorded_of_them_for_how_long_and_on_what_basis(language: str) -> None:
    def told(key: str, **facts: object) -> str:
        return texts.text(f"page.records.{key}", language, **facts)

    own = told("own", command="groupreg my-records")
    usual = page(language, retention=retained())
    assert all(one in usual for one in (told("kept", days="184"), told("hash"), own))
    basis = {"basis": "A duty of <schools>, section 7.", "until": "2027-06-30"}
    full = page(language, retention=retained(content="full", full_content=basis))
    assert told("full", **{**basis, "basis": "A duty of &lt;schools&gt;, section 7."}) in full
    assert told("none") in page(language, retention=retained(content="none"))
    for off in (page(language), page(language, retention=retained(enabled=False))):
        assert told("off") in off
        assert own not in off


def test_a_contact_cannot_smuggle_in_a_script() -> None:
    assert "javascript" not in page(contact="javascript:alert(1)")


@pytest.mark.parametrize("language", texts.LANGUAGES)
def test_a_server_name_cannot_smuggle_in_markup(language: str) -> None:
    shown = page(language, server='<script>x</script>"{{ 7*7 }}')
    assert "<script" not in shown
    assert "{{ 7*7 }}" in shown
    Outline(shown)


@pytest.mark.parametrize("language", texts.LANGUAGES)
def test_nothing_runs_and_nothing_is_loaded(language: str) -> None:
    outline = Outline(page(language))
    assert not {tag for tag, _ in outline.tags} & {"script", "link", "img", "iframe", "object", "form", "base"}
    assert not [
        name for _, attrs in outline.tags for name in attrs if name.startswith("on") or name in {"src", "style"}
    ]
    assert "url(" not in css()
    assert "@import" not in css()


def css() -> str:
    found = re.search(r"<style>(.*?)</style>", page(), re.DOTALL)
    assert found
    return found[1]


def test_the_browser_accepts_only_this_style_sheet() -> None:
    digest = base64.b64encode(hashlib.sha256(css().encode()).digest()).decode()
    directives = dict(part.strip().split(" ", 1) for part in HEADERS["Content-Security-Policy"].split(";"))
    assert directives["default-src"] == "'none'"
    assert directives["style-src"] == f"'sha256-{digest}'"


def luminance(colour: str) -> float:
    """Relative luminance as WCAG 2 defines it."""
    channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


PAIRS = [(ink, paper) for ink in ("text", "muted", "link") for paper in ("page", "panel")] + [("notice-text", "notice")]


@pytest.mark.parametrize("scheme", [0, 1, 2], ids=["light", "dark", "print"])
@pytest.mark.parametrize(("ink", "paper"), PAIRS)
def test_text_can_be_read_in_every_scheme(scheme: int, ink: str, paper: str) -> None:
    blocks = re.findall(r":root \{(.*?)\}", css(), re.DOTALL)
    colours = dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6});", blocks[scheme]))
    assert contrast(colours[ink], colours[paper]) >= 4.5


def test_colours_are_named_only_in_the_schemes() -> None:
    assert "#" not in re.sub(r":root \{.*?\}", "", css(), flags=re.DOTALL)


@pytest.mark.parametrize("language", texts.LANGUAGES)
def test_it_says_how_to_appeal_and_who_decides_as_far_as_that_holds(language: str) -> None:
    how = texts.text("page.appeal.command", language, command="!group appeal", account="@groupreg:matrix.example.org")
    another = texts.text("page.appeal.another", language)
    assert how in page(language)
    assert another in page(language)
    assert how not in page(language, notices={"enabled": False, "account": "groupreg"})
    assert another not in page(language, second_staff="none")
