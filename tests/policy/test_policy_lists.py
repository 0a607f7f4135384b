# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Policy lists: what counts as a rule, whom it means, and that nothing is lost on the way out and in again."""

from __future__ import annotations

import json
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from synapse_groupreg.errors import Invalid
from synapse_groupreg.policy import policy_files
from synapse_groupreg.policy.actions import Follow, ImportRules, Impose
from synapse_groupreg.policy.blacklist import matches, server_names
from synapse_groupreg.policy.globs import Globs
from synapse_groupreg.policy.measures import Scope, SubjectKind
from synapse_groupreg.policy.policy_lists import (
    ALL_TYPES,
    EXPORTED,
    TYPES,
    PolicyRule,
    RuleEvent,
    RuleKind,
    Target,
    cleaned,
    covered,
    current,
    event_of,
    kind_of,
    maybe_of_server,
    target,
    to_send,
    written,
)
from synapse_groupreg.policy.proposals import payload, restored
from tests.policy.samples import measure

BANNED: dict[str, Any] = {"entity": "@eve:evil.example", "reason": "spam", "recommendation": "m.ban"}
EVE = PolicyRule(kind=RuleKind.user, entity="@eve:evil.example", reason="spam")

names = st.text("ab.:-", min_size=1, max_size=5)
entities = st.sampled_from(["@", "!", ""]).flatmap(lambda sigil: st.text("ab*?", max_size=4).map(sigil.__add__))
rules = st.builds(
    lambda entity, server, reason: PolicyRule(kind=kind_of(entity), entity=f"{entity}x{server}", reason=reason),
    st.sampled_from(["@", "@*", "@a?b", "!", "!a*", "*.", ""]),
    st.sampled_from([":evil.example", ":a.example:8448"]),
    st.text("reason, \"'#;:\u7fa4", max_size=12).map(cleaned),
).map(lambda rule: attrs.evolve(rule, entity=rule.entity.replace("x:", "") if rule.kind == "server" else rule.entity))


def said(event_type: str = "m.policy.rule.user", state_key: str = "key", **content: Any) -> RuleEvent:
    return RuleEvent(type=event_type, state_key=state_key, content=BANNED | content)


@pytest.mark.parametrize("event_type", ALL_TYPES)
@pytest.mark.parametrize("recommendation", ["m.ban", "org.matrix.mjolnir.ban"])
def test_rules_of_every_type_are_read(event_type: str, recommendation: str) -> None:
    [rule] = current([said(event_type, recommendation=recommendation)])
    assert rule == attrs.evolve(EVE, kind=RuleKind(event_type.rpartition(".")[2]))


@pytest.mark.parametrize(
    "event",
    [
        RuleEvent(type="m.policy.rule.user", state_key="key", content={}),
        said(recommendation="m.takedown"),
        said(recommendation=None),
        said(entity=None),
        said(entity=["@eve:evil.example"]),
        said(entity=""),
        said("m.room.member"),
    ],
)
def test_what_was_withdrawn_or_is_no_ban_is_no_rule(event: RuleEvent) -> None:
    assert current([event]) == []


@pytest.mark.parametrize("kind", RuleKind)
def test_the_newest_type_of_a_state_key_counts_even_if_it_was_withdrawn(kind: RuleKind) -> None:
    newest, older, oldest = TYPES[kind]
    withdrawn = RuleEvent(type=newest, state_key="key", content={})
    for events in ([said(older), withdrawn], [withdrawn, said(oldest)]):
        assert current(events) == []
    assert [rule.reason for rule in current([said(oldest, reason="old"), said(older, reason="new")])] == ["new"]
    assert len(current([said(older), attrs.evolve(withdrawn, state_key="other")])) == 1


def test_a_reason_is_one_line_that_a_database_can_keep() -> None:
    [rule] = current([said(reason="first\n\x00second\ud800 \u202ethird")])
    assert rule.reason == "first second third"
    assert current([said(reason=["no", "text"])])[0].reason == ""
    assert len(current([said(reason="x" * 5000)])[0].reason) == 1000


@pytest.mark.parametrize(
    ("kind", "entity", "expected"),
    [
        ("user", "@eve:evil.example", SubjectKind.account),
        ("user", "@eve*:evil.example", SubjectKind.account_glob),
        ("user", "*:evil.example", SubjectKind.account_glob),
        ("user", "eve:evil.example", None),
        ("user", "@eve", None),
        ("user", "evil*", None),
        ("room", "!room:evil.example", SubjectKind.room),
        ("room", "!room_of_version_12", SubjectKind.room),
        ("room", "!a*", SubjectKind.room_glob),
        ("room", "#alias:evil.example", SubjectKind.room),
        ("room", "#al*:evil.example", None),
        ("server", "Evil.example", SubjectKind.server),
        ("server", "*.evil.example:8448", SubjectKind.server),
        ("server", "[2001:db8::1]", SubjectKind.server),
        ("server", "@eve:evil.example", None),
        ("server", "evil example", None),
        ("user", "@e\nve:evil.example", None),
        ("user", f"@{'e' * 255}:evil.example", None),
    ],
)
def test_what_a_rule_bars(kind: str, entity: str, expected: SubjectKind | None) -> None:
    found = target(PolicyRule(kind=RuleKind(kind), entity=entity))
    assert (found and found.kind) == expected
    if found is not None and found.kind is SubjectKind.server:
        assert found.subject == entity.lower()


@given(glob=st.text("@ab:.*?", min_size=1, max_size=8), local=st.text("ab", max_size=3))
def test_a_glob_that_may_not_cover_this_server_covers_nobody_of_it(glob: str, local: str) -> None:
    user_id = f"@{local}:a.b"
    if not maybe_of_server(glob, "a.b"):
        assert not matches(glob, user_id)
    assert covered(Target(SubjectKind.account_glob, glob), [user_id]) == [user_id] * matches(glob, user_id)


@given(st.lists(st.text("ab.*?", min_size=1, max_size=5), max_size=8), st.lists(names, max_size=8))
def test_globs_are_found_as_if_each_were_tried(globs: list[str], things: list[str]) -> None:
    """By name, by pattern, and from memory."""
    entries = [measure(SubjectKind.server, id=number, subject=glob) for number, glob in enumerate(globs)]
    known = Globs(entries, names=server_names)
    for thing in (*things, *things):
        tried = {one.id for one in entries if any(matches(one.subject, name) for name in server_names(thing))}
        assert {one.id for one in known.covering(thing)} == tried
    assert len(known) == len(globs)


def test_a_glob_of_many_stars_takes_no_time() -> None:
    """A stranger who maintains a list could stop the server with one otherwise."""
    assert not matches("*a" * 60 + "b", "a" * 250)
    assert matches("*a" * 60, "a" * 250)


@given(st.lists(rules, max_size=6, unique_by=lambda rule: (rule.kind, rule.entity)))
def test_what_is_written_to_a_file_is_read_again(listed: list[PolicyRule]) -> None:
    assert all(target(rule) is not None for rule in listed)
    for text in (policy_files.to_json(listed), policy_files.to_csv(listed)):
        assert policy_files.read(text) == [attrs.evolve(rule, event_id=None) for rule in listed]


@given(
    st.lists(rules, max_size=5, unique_by=lambda rule: (rule.kind, rule.entity)),
    st.lists(rules, max_size=5, unique_by=lambda rule: (rule.kind, rule.entity)),
    st.lists(rules, max_size=3, unique_by=lambda rule: (rule.kind, rule.entity)),
)
def test_an_export_brings_a_room_up_to_date_and_leaves_what_people_wrote(
    before: list[PolicyRule], after: list[PolicyRule], by_people: list[PolicyRule]
) -> None:
    """The same again sends nothing."""
    theirs = [attrs.evolve(event_of(rule), state_key=f"mine {rule.entity}") for rule in by_people]
    theirs = [attrs.evolve(event, content={**event.content, EXPORTED: False}) for event in theirs]
    room = {(event.type, event.state_key): event for event in theirs}
    for wanted in (before, after):
        room |= {(event.type, event.state_key): event for event in to_send(wanted, room.values())}
        assert to_send(wanted, room.values()) == []
    assert {(rule.kind, rule.entity) for rule in current(room.values())} == {
        (rule.kind, rule.entity) for rule in (*after, *by_people)
    }
    assert all(room[event.type, event.state_key] == event for event in theirs)


def test_every_kind_of_entry_can_be_written() -> None:
    for kind in SubjectKind:
        rule = written(measure(kind, entity="@eve:evil.example", reason="spam"))
        expected = {"server": "server", "room": "room", "room_glob": "room"}.get(kind, "user")
        assert (rule.kind, rule.entity, rule.reason) == (expected, "@eve:evil.example", "spam")


@pytest.mark.parametrize(
    "text",
    [
        "@eve:evil.example spam and more\n\n# a comment\n!r:x\n#alias:x\n*.evil.example\n[2001:db8::1]\n",
        (
            "entity,reason,kind\n@eve:evil.example,spam and more,user\n!r:x,,\n#alias:x,,room\n*.evil.example,,\n"
            "[2001:db8::1],,\n"
        ),
        json.dumps(
            [
                {"entity": "@eve:evil.example", "reason": "spam and more"},
                {"entity": "!r:x"},
                {"entity": "#alias:x"},
                {"entity": "*.evil.example"},
                {"entity": "[2001:db8::1]", "kind": "server"},
            ]
        ),
    ],
    ids=["lines", "csv", "json"],
)
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_forms_of_files(text: str, mark: str) -> None:
    found = policy_files.read(mark + text)
    assert [rule.entity for rule in found] == [
        "@eve:evil.example",
        "!r:x",
        "#alias:x",
        "*.evil.example",
        "[2001:db8::1]",
    ]
    assert (found[0].kind, found[0].reason) == (RuleKind.user, "spam and more")
    assert found[2].kind is RuleKind.room


def test_the_state_of_a_room_is_a_file_too() -> None:
    state = [
        {"type": "m.room.create", "state_key": "", "content": {"room_version": "11"}},
        {"type": "m.room.rule.user", "state_key": "a", "content": BANNED},
        {"type": "m.policy.rule.server", "state_key": "b", "content": {}},
    ]
    assert policy_files.read(json.dumps(state)) == [EVE]


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("fine.example\n@bad\n", "line 2"),
        ("entity,kind\nfine.example,user\n", "line 2"),
        ("entity,kind\nfine.example,planet\n", "line 2, kind"),
        ("entity,name\nfine.example,x\n", "line 1"),
        ('[{"entity": "@bad"}]', "entry 1"),
        ('[{"entity": ', "file"),
        ('["fine.example"]', "file"),
    ],
)
def test_what_is_wrong_in_a_file_is_named_by_its_line(text: str, where: str) -> None:
    with pytest.raises(Invalid) as caught:
        policy_files.read(text)
    assert [problem.path for problem in caught.value.problems] == [where]


@pytest.mark.parametrize(
    "action",
    [
        Impose(entity="@spam*:b", reason="bots", basis="11.3", scope=Scope.account, until_ms=9),
        ImportRules(rules=(EVE,), source="list.csv", basis="11.3", skip_refused=True, reason="neighbours"),
        Follow(room="!r:b"),
    ],
    ids=lambda action: action.name,
)
def test_an_act_that_waits_comes_back_as_it_was(action: Any) -> None:
    assert restored(action.name, json.loads(json.dumps(payload(action)))) == action
