# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""`groupreg blacklist import|export|follow|…` and `groupreg proposal`: what they ask, send and print."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from synapse_groupreg.cli import policy_lists
from synapse_groupreg.policy import policy_files

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from click.testing import Result

ROOM, STATE = "!r:fake.test", "/_matrix/client/v3/rooms/!r:fake.test/state"
TOUCHES = {
    "accounts": {"count": 21, "first": ["@spam1:fake.test"]},
    "others": {"count": 0, "first": []},
    "rooms": {"count": 0, "first": []},
    "servers": {"count": 0, "first": []},
}
TRIED: dict[str, Any] = {
    "dry_run": True,
    "changed": True,
    "before": None,
    "after": {},
    "needs_second": True,
    "counts": {"new": 1, "already": 2, "refused": 1, "unreadable": 0},
    "rules": [
        {"entity": "@spam*:fake.test", "kind": "user", "result": "new", "why": "", "reason": "", "touches": TOUCHES},
        {"entity": "fake.test", "kind": "server", "result": "refused", "why": "it touches this server itself"}
        | {"reason": "", "touches": {}},
    ],
    "rules_total": 5,
}
PROPOSAL = {
    "id": 3,
    "state": "open",
    "action": "blacklist",
    "subject": "@spam*:fake.test",
    "author": "@anna:fake.test",
    "accounts": 21,
    "sample": ["@spam1:fake.test"],
    "reason": "bots",
    "created_ms": 1_772_366_400_000,
    "expires_ms": 1_772_366_400_000,
    "decided_by": None,
}
ENTRIES = [
    {"id": 1, "subject_kind": "account_glob", "subject": "@spam*:x", "reason": "bots"},
    {"id": 2, "subject_kind": "server", "subject": "evil.example", "reason": "spam"},
]


def test_an_import_sends_the_rules_of_a_file(server: Any, groupreg: Callable[..., Result], tmp_path: Path) -> None:
    server.replies["POST blacklist/import"] = TRIED
    file = tmp_path / "list.txt"
    file.write_text("@spam*:fake.test bots\nevil.example\n")
    result = groupreg("blacklist", "import", str(file), "--basis", "11.3", "--dry-run", "--skip-refused")
    assert result.exit_code == 0
    [request] = server.sent("POST", "blacklist/import")
    assert request.query == {"dry_run": "true"}
    assert request.body == {
        "basis": "11.3",
        "skip_refused": True,
        "source": "list.txt",
        "rules": [
            {"kind": "user", "entity": "@spam*:fake.test", "reason": "bots"},
            {"kind": "server", "entity": "evil.example", "reason": ""},
        ],
    }
    for part in ("21: @spam1:fake.test, ...", "this server itself", "... and 3 more.", "Another member of staff"):
        assert part in result.stdout
    assert "Dry run, nothing was changed. 1 new entry, 2 on the blacklist already; 1 left out" in result.stdout


def test_an_import_from_a_room_names_it(server: Any, groupreg: Callable[..., Result]) -> None:
    server.replies["POST blacklist/import"] = {"changed": False, "proposal": PROPOSAL, "counts": {"new": 1}}
    result = groupreg("blacklist", "import", "#bans:fake.test", "--basis", "11.3")
    assert server.sent("POST", "blacklist/import")[0].body == {"basis": "11.3", "room": "#bans:fake.test"}
    assert "groupreg proposal approve 3" in result.stdout


@pytest.mark.parametrize(
    ("content", "said"), [("@bad\n", "line 1"), ("", "no rule"), (None, "Can't read"), ("[]", "no rule")]
)
def test_a_file_that_is_no_list_is_not_sent(
    server: Any, groupreg: Callable[..., Result], tmp_path: Path, content: str | None, said: str
) -> None:
    file = tmp_path / "list"
    if content is not None:
        file.write_text(content)
    result = groupreg("blacklist", "import", str(file), "--basis", "11.3")
    assert (result.exit_code, said in result.stderr, server.requests) == (2, True, [])


def test_what_is_named_json_and_is_none_bars_nobody(
    server: Any, groupreg: Callable[..., Result], tmp_path: Path
) -> None:
    file = tmp_path / "list.json"
    file.write_text("404 Not Found\n")
    result = groupreg("blacklist", "import", str(file), "--basis", "11.3")
    assert (result.exit_code, "must be JSON" in result.stderr, server.requests) == (2, True, [])


@pytest.mark.parametrize("name", ["list.json", "list.csv", "-"])
def test_an_export_to_a_file_is_a_list(server: Any, groupreg: Callable[..., Result], tmp_path: Path, name: str) -> None:
    server.replies["GET blacklist"] = {"blacklist": ENTRIES, "total": 2}
    target = tmp_path / name
    where = name if name == "-" else str(target)
    if name != "-":
        assert "would write 2 rules" in groupreg("blacklist", "export", where, "--dry-run").stdout
        assert not target.exists()
    result = groupreg("blacklist", "export", where)
    text = result.stdout if name == "-" else target.read_text()
    assert [(rule.kind, rule.entity, rule.reason) for rule in policy_files.read(text)] == [
        ("user", "@spam*:x", "bots"),
        ("server", "evil.example", "spam"),
    ]
    again = groupreg("blacklist", "export", where)
    assert (again.exit_code, "is there already" in again.stderr) == ((0, False) if name == "-" else (2, True))
    assert groupreg("blacklist", "export", where, "--force").exit_code == 0
    assert "is a folder: name a file in it" in groupreg("blacklist", "export", str(tmp_path), "--force").stderr


def test_an_export_to_a_room_sends_what_is_missing_and_waits_when_told_to(
    server: Any, groupreg: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    server.replies["GET blacklist"] = {"blacklist": ENTRIES, "total": 2}
    ban = {"recommendation": "m.ban", "reason": ""}
    state = [
        {"type": "m.policy.rule.server", "state_key": "by hand", "content": {**ban, "entity": "evil.example"}},
        {
            "type": "m.policy.rule.user",
            "state_key": "rule:@old:x",
            "content": {**ban, "entity": "@old:x", "org.groupreg.exported": True},
        },
    ]
    server.replies[f"GET {STATE}"] = server.raw(200, json.dumps(state))
    answers = iter([server.error(429, "Too fast", "M_LIMIT_EXCEEDED", retry_after_ms=1500), {"event_id": "$1"}])
    server.replies[f"PUT {STATE}/m.policy.rule.user/rule:@spam*:x"] = lambda _: next(answers)
    server.replies[f"PUT {STATE}/m.policy.rule.user/rule:@old:x"] = {"event_id": "$2"}
    waited: list[int] = []
    monkeypatch.setattr(policy_lists.time, "sleep", waited.append)
    tried = groupreg("blacklist", "export", ROOM, "--dry-run")
    assert "nothing was sent. It would be: 1 rule added and 1 withdrawn" in tried.stdout
    assert [one for one in server.requests if one.method == "PUT"] == []
    result = groupreg("blacklist", "export", ROOM)
    assert "Done: 1 rule added and 1 withdrawn" in result.stdout
    assert waited == [2]
    assert [one.body for one in server.requests if one.path.endswith("@old:x")] == [{}]


def test_following(server: Any, groupreg: Callable[..., Result]) -> None:
    server.replies |= {
        f"PUT followed/{ROOM}": {"changed": True, "before": None, "after": {"name": "Bad company"}},
        f"DELETE followed/{ROOM}": {"changed": True, "before": {"name": "Bad company"}, "after": None},
        "GET followed": {
            "followed": [
                {"room_id": ROOM, "name": "Bad company", "follower": "@anna:fake.test", "rules": None, "entries": 7}
                | {"here": False, "skipped_total": 1, "skipped": [{"entity": "@anna:fake.test", "why": "it's staff"}]}
            ]
        },
    }
    assert f"Following {ROOM}: name Bad company." in groupreg("blacklist", "follow", ROOM, "--reason", "r").stdout
    assert server.sent("PUT", f"followed/{ROOM}")[0].body == {"reason": "r"}
    assert "not followed any more" in groupreg("blacklist", "unfollow", ROOM).stdout
    said = groupreg("blacklist", "followed").stdout
    assert all(part in said for part in ("Bad company", "WARNING", "it's staff"))


def test_proposals(server: Any, groupreg: Callable[..., Result]) -> None:
    server.replies |= {
        "GET proposals": {"proposals": [PROPOSAL], "total": 1},
        "GET proposals/3": {**PROPOSAL, "payload": {}},
        "POST proposals/3/approve": {"changed": True, "before": {"state": "open"}, "after": {"state": "approved"}},
        "POST proposals/3/reject": {"changed": True, "before": {"state": "open"}, "after": {"state": "rejected"}},
    }
    assert "@spam*:fake.test" in groupreg("proposal", "list").stdout
    assert "21 accounts" in groupreg("proposal", "show", "3").stdout
    assert "carried out: state open -> approved" in groupreg("proposal", "approve", "3").stdout
    assert "turned down: state open -> rejected" in groupreg("proposal", "reject", "3", "--reason", "no").stdout
    assert server.sent("POST", "proposals/3/reject")[0].body == {"reason": "no"}
    assert groupreg("proposal", "approve", "three").exit_code == 2


def test_an_entry_is_lifted_by_what_it_names(server: Any, groupreg: Callable[..., Result]) -> None:
    server.replies |= {
        "GET blacklist": {"blacklist": ENTRIES[:1], "total": 1},
        "DELETE blacklist/1": {"changed": True, "before": {}, "after": {}},
    }
    assert groupreg("blacklist", "lift", "@spam*:x").exit_code == 0
    assert server.sent("GET", "blacklist")[0].query["subject"] == "@spam*:x"
