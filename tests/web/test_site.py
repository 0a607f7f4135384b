# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Requests as they come over the wire: addresses, tokens, errors, and bodies that are not what they should be."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
from openapi_spec_validator import validate

from synapse_groupreg import errors
from synapse_groupreg.config.documented import meanings
from synapse_groupreg.policy.types import RoomKind
from synapse_groupreg.web.site import _STATUS, PREFIX
from tests.handlers.stage import ALICE, BOB
from tests.storage import seed

if TYPE_CHECKING:
    from tests.web.server import Server

SECRET = "110101199003077777"


def test_a_real_answer(server: Server) -> None:
    reply = server.ask("GET", f"accounts/{ALICE}")
    assert reply.status == 200
    assert reply.json["user_id"] == ALICE
    assert reply.headers["content-type"] == "application/json"


# Addresses.


@pytest.mark.parametrize(
    "written", [ALICE, quote(ALICE), quote(ALICE, safe=""), ALICE.replace("a", "%61"), ALICE.replace(":", "%3a")]
)
def test_ids_come_encoded_in_many_ways(server: Server, written: str) -> None:
    assert server.ask("GET", f"accounts/{written}").json["user_id"] == ALICE


def test_an_id_with_a_slash_comes_encoded_and_is_one_segment(server: Server) -> None:
    user_id = seed.local("a/b%2F")
    server.stage.do(seed.make_user, user_id)
    assert server.ask("GET", f"accounts/{quote(user_id, safe='')}").json["user_id"] == user_id
    assert server.ask("GET", f"accounts/{user_id}").status == 404


def test_rooms_of_version_12_and_older_ones(server: Server) -> None:
    for room_id in ("!31hneApxJ_1o-63DmFrpeqnkFfWppnzWso1JvH3ogLM", "!a/b+c:test.example.org"):
        server.stage.do(seed.make_room, ALICE, room_id=room_id, kind=RoomKind.group)
        assert server.ask("GET", f"rooms/{quote(room_id, safe='')}").json["room_id"] == room_id


@pytest.mark.parametrize(
    "path",
    [
        "",
        "nothing",
        "policy/",
        "policy/x",
        "accounts",
        "accounts/",
        "accounts/a/b",
        "accounts/@a%00b:test.example.org",
        "../v1/policy",
        "Policy",
        "policy%2F",
    ],
)
def test_there_is_nothing_elsewhere(server: Server, path: str) -> None:
    reply = server.ask("GET", path)
    assert (reply.status, reply.json["errcode"]) == (404, "M_UNRECOGNIZED")


def test_paths_outside_of_version_1_lead_nowhere(server: Server) -> None:
    for path in ("/v2/policy", "/policy", "", "/", "/v1", "/rulesx"):
        assert server.raw("GET", PREFIX + path, token="admin").status == 404


@pytest.mark.parametrize(
    ("method", "path", "takes"),
    [("DELETE", "policy", "GET"), ("GET", "mode", "PUT"), ("PATCH", "blacklist", "GET, POST")],
)
def test_a_method_that_an_address_does_not_take(server: Server, method: str, path: str, takes: str) -> None:
    reply = server.ask(method, path)
    assert (reply.status, reply.json["error"]) == (405, f"This address takes {takes}.")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("DELETE", "blacklist/x"),
        ("DELETE", "blacklist/-1"),
        ("DELETE", "blacklist/0"),
        ("DELETE", "blacklist/%D9%A1"),
        ("DELETE", "blacklist/1e3"),
        ("DELETE", "blacklist/" + "9" * 18),
        ("DELETE", "blacklist/" + "9" * 6000),
        ("GET", "accounts/@ghost:test.example.org"),
        ("GET", "accounts/x"),
        ("GET", "rooms/!ghost"),
        ("PUT", "staff/@ghost:test.example.org"),
        ("POST", "imports/ghost/commit"),
    ],
)
def test_what_is_not_there_is_404_with_a_sentence(server: Server, method: str, path: str) -> None:
    reply = server.ask(method, path, {"roles": []} if method == "PUT" else None)
    assert (reply.status, reply.json["errcode"], reply.json["org.groupreg.code"]) == (404, "M_NOT_FOUND", "not-found")
    assert reply.json["error"].startswith("There is no") or "is in no room" in reply.json["error"]


# Errors.


def test_every_error_that_a_request_can_cause_has_its_status() -> None:
    def below(kind: type) -> set[type]:
        return {kind}.union(*(below(child) for child in kind.__subclasses__()))

    at_start = below(errors.CannotStart) | {errors.BadConfig}
    asked = below(errors.GroupRegError) - at_start - {errors.GroupRegError, errors.WithProblems}
    assert set(_STATUS) <= asked
    assert [kind for kind in asked if not set(_STATUS) & set(kind.__mro__)] == []


def test_a_contradiction_is_409(server: Server) -> None:
    reply = server.ask("POST", "blacklist", {"entity": "*", "reason": "r", "basis": "b"})
    assert (reply.status, reply.json["errcode"]) == (409, "ORG_GROUPREG_CONFLICT")
    assert "covers this server itself" in reply.json["error"]


def test_an_unexpected_failure_tells_a_reference_and_nothing_else(
    server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    server.stage.database.fail = RuntimeError(SECRET)
    with caplog.at_level(logging.ERROR):
        reply = server.ask("GET", f"accounts/{ALICE}")
    assert (reply.status, reply.json["errcode"]) == (500, "M_UNKNOWN")
    reference = reply.json["error"].removeprefix("Internal error; the log has it under reference ").rstrip(".")
    assert len(reference) == 8
    assert reference in caplog.text
    assert SECRET not in reply.content.decode()


# Bodies.


@pytest.mark.parametrize("content", [b"{", b"\xff\xfe", b"{'a': 1}", b"[" * 100_000, b'"\\ud8', b"{} {}"])
def test_what_is_no_json_is_400(server: Server, content: bytes) -> None:
    reply = server.raw("PUT", f"{PREFIX}/v1/mode", token="admin", content=content)
    assert (reply.status, reply.json["errcode"]) == (400, "M_NOT_JSON")


def test_a_body_without_end_is_413(server: Server) -> None:
    reply = server.raw("PUT", f"{PREFIX}/v1/mode", token="admin", content=b" " * (4 * 1024 * 1024 + 1))
    assert (reply.status, reply.json["errcode"]) == (413, "M_TOO_LARGE")


ACCOUNT = f"accounts/{ALICE}"
NESTED: Any = [[[[{}]]]]


@pytest.mark.parametrize(
    ("request_", "body", "fields"),
    [
        ("PUT mode", None, ["mode"]),
        ("PUT mode", [], ["body"]),
        ("PUT mode", SECRET, ["body"]),
        ("PUT mode", {"mode": SECRET, SECRET[:3]: 1}, ["mode", SECRET[:3]]),
        ("PUT mode", {"mode": "dry", "reason": 5}, ["reason"]),
        ("PUT mode", {"mode": "dry", "reason": "x" * 1001}, ["reason"]),
        ("PUT mode", {"mode": "dry", "reason": f"{SECRET}\0"}, ["reason"]),
        ("PUT mode", {"mode": "dry", "rea\0son": "x"}, ["body"]),
        (f"PUT {ACCOUNT}/identity", {}, ["assurance"]),
        (f"PUT {ACCOUNT}/identity", {"assurance": SECRET}, ["assurance"]),
        (f"PUT {ACCOUNT}/identity", {"assurance": 2}, ["assurance"]),
        (f"PUT {ACCOUNT}/identity", {"assurance": "none"}, ["assurance"]),
        (f"PUT {ACCOUNT}/identity", {"assurance": "contact", "reference": int(SECRET)}, ["reference"]),
        (f"PUT {ACCOUNT}/identity", {"assurance": "contact", "reference": [SECRET]}, ["reference"]),
        (f"PUT {ACCOUNT}/identity", {"assurance": "contact", "reference": ""}, ["reference"]),
        (f"PUT {ACCOUNT}/identity", {"assurance": "contact", "reference": SECRET * 30}, ["reference"]),
        (f"PUT {ACCOUNT}/identity", {"assurance": "contact", "reference": f"{SECRET}\ud800"}, ["reference"]),
        (f"PUT {ACCOUNT}/identity", {"assurance": "contact", "provider": SECRET + " X"}, ["provider"]),
        (f"PUT {ACCOUNT}/identity", {"assurance": "contact", "provider": "threepid"}, ["provider"]),
        (f"PUT {ACCOUNT}/quotas", {"rooms_founded": -1, "rooms_joined": SECRET}, ["rooms_founded", "rooms_joined"]),
        (f"PUT {ACCOUNT}/quotas", {"rooms_founded": 1.5}, ["rooms_founded"]),
        (f"PUT {ACCOUNT}/quotas", {"rooms_founded": True, "members": 5}, ["rooms_founded", "members"]),
        ("PUT rooms/!r/quotas", {}, ["members"]),
        ("PUT rooms/!r/quotas", {"members": 0}, ["members"]),
        ("PUT rooms/!r/quotas", {"members": 10**7}, ["members"]),
        ("POST blacklist", {}, ["entity", "reason", "basis"]),
        ("POST blacklist", {"entity": "", "reason": "", "basis": ""}, ["entity", "reason", "basis"]),
        ("POST blacklist", {"entity": BOB, "reason": "r", "basis": "b", "scope": SECRET}, ["scope"]),
        ("POST blacklist", {"entity": BOB, "reason": "r", "basis": "b", "until_ms": 10**20}, ["until_ms"]),
        ("POST blacklist", {"entity": BOB, "reason": "r", "basis": "b", "until_ms": SECRET}, ["until_ms"]),
        ("POST blacklist", {"entity": BOB, "reason": "r", "basis": "b", "until_ms": 1}, ["until_ms"]),
        ("POST blacklist", {"entity": "@a b:x", "reason": "r", "basis": "b"}, ["entity"]),
        (f"PUT staff/{ALICE}", {}, ["roles"]),
        (f"PUT staff/{ALICE}", {"roles": "operator"}, ["roles"]),
        (f"PUT staff/{ALICE}", {"roles": ["operator", SECRET, None]}, ["roles.1", "roles.2"]),
        (f"PUT staff/{ALICE}", {"roles": NESTED}, ["roles.0"]),
        ("POST imports", {"reason": [SECRET]}, ["reason"]),
        ("PUT imports/x/rows", {"rows": []}, ["rows"]),
        ("PUT imports/x/rows", {"rows": [{}]}, ["rows.0.line", "rows.0.user_id", "rows.0.assurance"]),
        (
            "PUT imports/x/rows",
            {"rows": [{"line": 10**12, "user_id": SECRET, "assurance": "none", "reference": {SECRET: 1}}]},
            ["rows.0.line", "rows.0.user_id", "rows.0.assurance", "rows.0.reference"],
        ),
        ("PUT imports/x/rows", {"rows": [{"line": 1, "user_id": ALICE, "assurance": "contact"}] * 1001}, ["rows"]),
        ("GET acts?limit=0&from=-1", None, ["from", "limit"]),
        (f"GET acts?limit=5000&from={10**30}", None, ["from", "limit"]),
        (f"GET acts?limit={SECRET}x", None, ["limit"]),
        (f"GET acts?author={SECRET}%00", None, ["author"]),
        (f"GET rooms?search={'x' * 256}", None, ["search"]),
        ("PUT mode?dry_run=perhaps", {"mode": "dry"}, ["dry_run"]),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_field_by_field_and_never_what_was_sent(
    server: Server, request_: str, body: object, fields: list[str]
) -> None:
    method, path = request_.split(" ")
    before = server.stage.contents()
    reply = server.ask(method, path, body)
    assert (reply.status, reply.json["errcode"], reply.json["org.groupreg.code"]) == (400, "M_INVALID_PARAM", "invalid")
    assert sorted(reply.fields) == sorted(fields)
    assert all(reply.fields.values())
    assert SECRET not in reply.content.decode()
    assert server.stage.contents() == before


def test_parameters_that_nobody_knows_are_passed_over_as_matrix_has_it(server: Server) -> None:
    assert server.ask("GET", "policy?access_token=x&unknown=1").status == 200


# The documents that need no login.


def test_the_openapi_document_is_valid_and_complete(server: Server) -> None:
    reply = server.ask("GET", "openapi.json", token=None)
    assert reply.status == 200
    document = reply.json
    validate(document)
    described = {(method.upper(), path[1:]) for path, methods in document["paths"].items() for method in methods}
    assert described == {(endpoint.method, endpoint.path) for endpoint in server.endpoints}
    assert document["servers"] == [{"url": f"{PREFIX}/v1"}]
    identifiers = [one["operationId"] for methods in document["paths"].values() for one in methods.values()]
    assert len(set(identifiers)) == len(identifiers)
    for endpoint in server.endpoints:
        operation = document["paths"][f"/{endpoint.path}"][endpoint.method.lower()]
        assert ("requestBody" in operation) == (endpoint.body is not None)
        named = {one["name"] for one in operation["parameters"]}
        assert {field.alias or name for name, field in endpoint.query.model_fields.items()} <= named


def test_every_field_and_parameter_is_described(server: Server) -> None:
    for endpoint in server.endpoints:
        for model in (endpoint.query, *([endpoint.body] if endpoint.body else [])):
            assert set(meanings(model)) == set(model.model_fields), model


@pytest.mark.parametrize(
    ("query", "accept", "language"),
    [("", None, "en"), ("", "ko,en;q=0.5", "ko"), ("?lang=zh-CN", "ko", "zh-CN"), ("?lang=fr", "ko", "en")],
)
def test_the_rules_are_for_everybody_in_their_language(
    server: Server, query: str, accept: str | None, language: str
) -> None:
    headers = {} if accept is None else {"Accept_Language": accept}
    for path in ("/rules", "/rules/"):
        reply = server.raw("GET", PREFIX + path + query, **headers)
        assert reply.status == 200
        assert reply.headers["content-language"] == language
        assert reply.headers["content-type"] == "text/html; charset=utf-8"
        assert "default-src 'none'" in reply.headers["content-security-policy"]
        assert f'lang="{language}"'.encode() in reply.content


def test_the_page_has_a_head(server: Server) -> None:
    reply = server.raw("HEAD", f"{PREFIX}/rules")
    assert (reply.status, reply.content) == (200, b"")
    assert int(reply.headers["content-length"]) > 1000
