# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The page of a group: what it shows, to whom, and that nothing which people write becomes a part of it."""

from __future__ import annotations

import base64
import json
import re
from typing import TYPE_CHECKING, Any

import attrs
import pytest

from synapse_groupreg import texts
from synapse_groupreg.handlers.group_pages import LINK_MS, Group, GroupPages, Links, Standing
from synapse_groupreg.homeserver.keys import Box
from synapse_groupreg.policy import actions
from synapse_groupreg.policy.numbers import number
from synapse_groupreg.policy.sizes import size_tier
from synapse_groupreg.policy.types import RoomKind
from synapse_groupreg.storage import numbers, rooms
from synapse_groupreg.web.group_page import render_group, render_missing
from synapse_groupreg.web.site import PREFIX
from tests.handlers.stage import ALICE, BOB, CAROL, NOW, Stage
from tests.storage import seed
from tests.web.server import Reply, Server
from tests.web.test_rules import Outline

if TYPE_CHECKING:
    from tests.database import TestDatabase

PUBLIC, CLOSED, FREE = number(1), number(2), number(3)
EVIL = "<script>alert(1)</script>\"'{{ 7*7 }}</title><img src=x onerror=alert(1)>\u202e"
GROUP = Group(
    room_id="!r",
    number=PUBLIC,
    name="Chess",
    public=True,
    members=1234,
    cap=5678,
    founder="Ming",
    founder_left=False,
    managers=("Bo",),
    more_managers=0,
    standing=(),
)


def page(language: str = "en", key: str | None = None, **changes: Any) -> str:
    return render_group(attrs.evolve(GROUP, **changes), language, "example.org", key=key).decode()


@pytest.mark.parametrize("language", texts.LANGUAGES)
def test_the_page_says_what_the_group_is_and_who_answers_for_it(language: str) -> None:
    shown = Outline(page(language)).words
    assert {"Chess", "100 000 011", "1,234", "Ming", "Bo", "#g100000011:example.org"} <= set(shown)
    assert texts.text("group.cap", language, cap="5,678") in shown
    assert texts.text("group.category", language) not in shown
    assert {texts.text("group.category", language), "Study"} <= set(Outline(page(language, category="Study")).words)
    assert texts.text("group.standing.none", language) in shown
    assert texts.text("page.complaint.report", language) in shown


@pytest.mark.parametrize("language", texts.LANGUAGES)
def test_the_page_says_the_size_tier_where_there_are_any(language: str) -> None:
    shown = {
        members: set(Outline(page(language, size=size_tier(members, (50, 2000)))).words) for members in (1, 51, 2001)
    }
    label, facts = texts.text("group.size_tier", language), {"least": "51", "most": "2,000"}
    assert {label, texts.text("group.size.tier", language, number=1, of=3)} <= shown[1]
    assert texts.text("group.size.upto", language, most="50") in shown[1]
    assert texts.text("group.size.between", language, **facts) in shown[51]
    assert texts.text("group.size.over", language, least="2,001") in shown[2001]
    assert label not in Outline(page(language)).words
    two = set(Outline(page(language, size=size_tier(2, (1, 2)))).words)
    assert texts.text("group.size.exactly", language, most="2") in two


@pytest.mark.parametrize("language", texts.LANGUAGES)
def test_what_people_write_is_text_and_nothing_else(language: str) -> None:
    evil = page(language, name=EVIL, founder=EVIL, managers=(EVIL, EVIL), category=EVIL)
    outline, usual = Outline(evil), Outline(page(language, managers=("a", "b"), category="c"))
    assert outline.tags == usual.tags
    assert "49" not in evil.replace("49</", "")
    # A name that turns the direction of writing turns no other sentence.
    assert evil.count("<bdi>") == 5


def test_a_group_that_is_not_public_names_no_address() -> None:
    assert "#g" not in re.sub(r"<style>.*?</style>", "", page(public=False), flags=re.DOTALL)
    assert texts.text("group.closed", "en") in page(public=False)


def test_a_key_stays_in_the_links_to_other_languages() -> None:
    outline = Outline(page(key='a"&<b'))
    assert "?lang=ko&key=a%22%26%3Cb" in outline.values("href")


def test_people_who_left_or_are_many_are_told_of() -> None:
    shown = page(founder=None, founder_left=True, managers=(), more_managers=0)
    assert texts.text("group.founder_left", "en") in shown
    assert f"<dd>{texts.text('group.nobody', 'en')}</dd>" in shown
    suspended = page(founder=None)
    assert texts.text("group.founder_left", "en") not in suspended
    assert f"<dd>{texts.text('group.nobody', 'en')}</dd>" in suspended
    assert texts.text("group.more_managers", "en", count=7) in page(more_managers=7)
    assert texts.text("group.unnamed", "en") in page(name=None)


@pytest.mark.parametrize("language", texts.LANGUAGES)
@pytest.mark.parametrize("kind", ["blacklisted", "closed", "posting-suspended", "emergency", "new"])
def test_a_measure_is_shown_with_its_time(language: str, kind: str) -> None:
    lasting, ending = (Standing(kind=kind, since_ms=NOW, until_ms=until) for until in (None, NOW + LINK_MS))
    shown = page(language, standing=(lasting, ending))
    assert shown.count(lasting.text(language)) == 2
    since = texts.moment(NOW, language)
    assert texts.text("group.standing.since", language, since=since) in shown
    until = texts.moment(NOW + LINK_MS, language)
    assert texts.text("group.standing.between", language, since=since, until=until) in shown
    assert texts.text("group.standing.none", language) not in shown


@pytest.mark.parametrize("language", texts.LANGUAGES)
def test_the_missing_page_is_whole(language: str) -> None:
    outline = Outline(render_missing(language, "example.org", contact="mailto:a@b").decode())
    assert texts.text("group.missing.title", language) in outline.words
    assert "mailto:a@b" in outline.values("href")


# Who sees it.


@pytest.fixture
def box() -> Box:
    return Box(b"secret", b"links")


@pytest.fixture
def stage(sqlite_db: TestDatabase) -> Stage:
    stage = Stage(sqlite_db)
    for given, rule in ((PUBLIC, "public"), (CLOSED, "invite")):
        room_id = stage.do(seed.make_room, ALICE, kind=RoomKind.group, join_rule=rule, members=[BOB])
        stage.do(rooms.ensure, room_id)
        stage.do(numbers.give, given, room_id, NOW)
        stage.do(seed.set_state, room_id, ALICE, "m.room.name", {"name": f"Room {given}"})
    return stage


@pytest.fixture
def links(stage: Stage, box: Box) -> Links:
    return Links(box, stage.homeserver)  # type: ignore[arg-type]  # no more of a homeserver is needed


@pytest.fixture
def server(stage: Stage, links: Links) -> Server:
    pages = GroupPages(stage.config, stage.database, stage.homeserver, links)  # type: ignore[arg-type]  # as above
    return Server(stage, groups=pages)


def see(server: Server, written: str, **query: str) -> Reply:
    asked = "&".join(f"{name}={value}" for name, value in {"lang": "en", **query}.items())
    return server.raw("GET", f"{PREFIX}/g/{written}?{asked}")


def key_of(link: str) -> str:
    return link.partition("?key=")[2]


def test_everybody_sees_the_page_of_a_public_group(server: Server) -> None:
    reply = see(server, PUBLIC)
    assert reply.status == 200
    assert f"Room {PUBLIC}" in reply.content.decode()
    assert reply.headers["content-language"] == "en"
    assert reply.headers["content-security-policy"].startswith("default-src 'none'")
    assert reply.headers["cache-control"] == "public, max-age=5"
    assert server.raw("HEAD", f"{PREFIX}/g/{PUBLIC}").content == b""


def test_what_nobody_may_see_looks_like_what_does_not_exist(server: Server) -> None:
    replies = [see(server, one) for one in (CLOSED, FREE, "123", "%2e%2e%2f")]
    told = [({**reply.headers, "date": ""}, reply.content) for reply in replies]
    assert told == [told[0]] * len(told)
    reply = replies[0]
    assert reply.status == 404
    assert texts.text("group.missing.title", "en") in reply.content.decode()


def test_a_number_that_cannot_be_one_costs_no_sql(server: Server) -> None:
    server.stage.database.runs.clear()
    see(server, "100000012")
    assert server.stage.database.runs == []


def test_a_member_sees_it_by_a_link_until_that_ends_or_they_leave(server: Server, links: Links) -> None:
    signed = links.signed(CLOSED, BOB)
    assert signed.startswith("https://matrix.example.org/_synapse/client/groupreg/g/100000022?key=")
    key = key_of(signed)
    reply = see(server, CLOSED, key=key)
    assert (reply.status, reply.headers["cache-control"]) == (200, "private, no-store")
    assert "@bob" not in signed
    server.stage.homeserver.now = NOW + LINK_MS
    assert see(server, CLOSED, key=key).status == 404
    server.stage.homeserver.now = NOW
    room_id = server.stage.do(numbers.find, CLOSED)
    server.stage.do(seed.set_membership, room_id, BOB, "leave")
    assert see(server, CLOSED, key=key).status == 404


def test_a_link_works_whatever_its_length(links: Links) -> None:
    for length in range(1, 5):
        user_id = f"@{'a' * length}:test.example.org"
        assert links.bearer(key_of(links.signed(CLOSED, user_id)), CLOSED) == user_id


def test_no_other_link_opens_it(server: Server, links: Links, box: Box) -> None:
    key = key_of(links.signed(CLOSED, BOB))
    said = json.dumps({"number": CLOSED, "user": BOB, "until_ms": NOW + LINK_MS}).encode()
    forged = [
        key_of(links.signed(CLOSED, CAROL)),
        key_of(links.signed(PUBLIC, BOB)),
        base64.urlsafe_b64encode(Box(b"secret", b"outbox").seal(said)).decode(),
        base64.urlsafe_b64encode(Box(b"other", b"links").seal(said)).decode(),
        base64.urlsafe_b64encode(said).decode(),
        key[:-4] + "AAAA",
        key[:-1],
        "",
        "é",
        "A" * 5000,
    ]
    answers = [see(server, CLOSED, key=one.replace("é", "%C3%A9")).status for one in forged]
    assert answers == [404] * len(forged)
    assert see(server, CLOSED, key=base64.urlsafe_b64encode(box.seal(said)).decode()).status == 200


def test_an_operator_may_show_every_page_to_everybody(links: Links, stage: Stage) -> None:
    groups = stage.config.groups.model_copy(update={"pages": "everybody"})
    config = stage.config.model_copy(update={"groups": groups})
    server = Server(stage, groups=GroupPages(config, stage.database, stage.homeserver, links))  # type: ignore[arg-type]  # as above
    assert see(server, CLOSED).status == 200


def test_many_who_look_at_once_cost_one_look(server: Server) -> None:
    see(server, PUBLIC)
    server.stage.database.runs.clear()
    for _ in range(20):
        assert see(server, PUBLIC).status == 200
    assert server.stage.database.runs == []
    server.stage.homeserver.now += 5_000
    see(server, PUBLIC)
    assert server.stage.database.runs == ["groupreg_page"]


def test_it_follows_the_group(server: Server) -> None:
    stage = server.stage
    room_id = stage.do(numbers.find, PUBLIC)
    stage.act(actions.Impose(entity=room_id, reason="spam", basis="11.3"))
    stage.do(seed.set_state, room_id, ALICE, "m.room.power_levels", {"users": {ALICE: 100, BOB: 50}})
    stage.act(actions.CapRoom(room_id=room_id, members=4321))
    shown = see(server, PUBLIC).content.decode()
    assert texts.text("group.standing.blacklisted", "en") in shown
    assert "4,321" in shown
    assert "<bdi>alice</bdi>" in shown
    assert "<bdi>bob</bdi>" in shown


def test_where_everybody_is_a_manager_all_are_counted_and_some_are_named(server: Server) -> None:
    stage = server.stage
    room_id = stage.do(numbers.find, PUBLIC)
    for name in range(60):
        stage.do(seed.set_membership, room_id, seed.local(f"u{name:02}"), "join")
    stage.do(seed.set_state, room_id, ALICE, "m.room.power_levels", {"users_default": 50, "users": {CAROL: 100}})
    shown = see(server, PUBLIC).content.decode()
    assert "<bdi>u00</bdi>" in shown
    assert "carol" not in shown, "she is not in it"
    assert texts.text("group.more_managers", "en", count=11) in shown
