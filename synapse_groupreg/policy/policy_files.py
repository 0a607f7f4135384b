# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Policy lists as files: JSON as Matrix has it, CSV with a header, or one entity a line.

JSON is a list of state events, `[{"type", "state_key", "content"}]`, as a room's state comes from a homeserver, or of
rules, `[{"entity", "kind"?, "reason"?}]`. CSV has the columns entity, kind and reason, of which only entity must be
there. Else each line is an entity, and after a space its reason; a line that begins with `# ` is a comment.
"""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING, Any

from synapse_groupreg.errors import Invalid, Problem
from synapse_groupreg.policy.policy_lists import (
    BAN,
    TYPES,
    PolicyRule,
    RuleEvent,
    RuleKind,
    cleaned,
    current,
    kind_of,
    target,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

_COLUMNS = ("kind", "entity", "reason")
_EXAMPLES = {
    RuleKind.user: "accounts, like @a:example.org or @spam*:example.org",
    RuleKind.room: "a room, like !r:example.org or #a:example.org",
    RuleKind.server: "servers, like example.org or *.example.org",
}


def read(text: str, *, as_json: bool = False) -> list[PolicyRule]:
    """The rules of a file, by what it looks like, or `as_json`. Raises Invalid with every line that is wrong."""
    stripped = text.lstrip("\ufeff \t\r\n")
    as_json = as_json or (stripped[:1] in ("[", "{") and _is_json(stripped))
    found = list(_json(text.lstrip("\ufeff"))) if as_json else _lines(text)
    problems = [Problem(where, f"must name {_EXAMPLES[rule.kind]}") for where, rule in found if target(rule) is None]
    if problems:
        raise Invalid(problems)
    return list(dict.fromkeys(rule for _, rule in found))


def to_json(rules: Iterable[PolicyRule]) -> str:
    """Rules as state events, as they would stand in a policy room."""
    events = [
        {
            "type": TYPES[rule.kind][0],
            "state_key": f"rule:{rule.entity}",
            "content": {"entity": rule.entity, "reason": rule.reason, "recommendation": BAN},
        }
        for rule in rules
    ]
    return json.dumps(events, ensure_ascii=False, indent=2) + "\n"


def to_csv(rules: Iterable[PolicyRule]) -> str:
    """Rules as CSV with a header."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(_COLUMNS)
    writer.writerows((rule.kind.value, rule.entity, rule.reason) for rule in rules)
    return out.getvalue()


def _is_json(text: str) -> bool:
    """An IPv6 server name begins with a bracket too."""
    return text[1:].lstrip()[:1] in ("{", "]", '"')


def _json(text: str) -> Iterator[tuple[str, PolicyRule]]:
    try:
        data = json.loads(text)
    except ValueError as error:
        raise Invalid([Problem("file", f"must be JSON: {error}")]) from None
    listed = data.get("rules") if isinstance(data, dict) else data
    if not isinstance(listed, list) or not all(isinstance(one, dict) for one in listed):
        raise Invalid([Problem("file", "must be a list of state events or of rules with an entity")])
    events = [one for one in listed if "content" in one]
    yield from (("file", rule) for rule in current(_event(one) for one in events))
    for number, one in enumerate(listed, 1):
        if "content" not in one:
            yield f"entry {number}", _rule(f"entry {number}", one)


def _event(one: Mapping[str, Any]) -> RuleEvent:
    content, state_key = one["content"], one.get("state_key")
    return RuleEvent(
        type=str(one.get("type")),
        state_key=state_key if isinstance(state_key, str) else "",
        content=content if isinstance(content, dict) else {},
    )


def _lines(text: str) -> list[tuple[str, PolicyRule]]:
    text = text.removeprefix("\ufeff")
    header = [name.strip().lower() for name in text.lstrip().partition("\n")[0].split(",")]
    if "entity" in header:
        if unknown := sorted(set(header) - {*_COLUMNS, "recommendation"}):
            raise Invalid([Problem("line 1", f"must name the columns {', '.join(_COLUMNS)}, not {unknown[0]!r}")])
        reader = csv.reader(io.StringIO(text.lstrip(), newline=""))
        next(reader)
        rows = ((reader.line_num, dict(zip(header, fields, strict=False))) for fields in reader if any(fields))
        return [(f"line {number}", _rule(f"line {number}", row)) for number, row in rows]
    rows_of_words = ((number, line.split(None, 1)) for number, line in enumerate(text.splitlines(), 1))
    return [
        (f"line {number}", PolicyRule(kind=kind_of(words[0]), entity=words[0], reason=cleaned("".join(words[1:]))))
        for number, words in rows_of_words
        if words and words[0] != "#"
    ]


def _rule(where: str, row: Mapping[str, Any]) -> PolicyRule:
    entity, kind, reason = (str(row.get(name) or "").strip() for name in ("entity", "kind", "reason"))
    if kind and kind not in list(RuleKind):
        raise Invalid([Problem(f"{where}, kind", f"must be one of {', '.join(RuleKind)}")])
    return PolicyRule(kind=RuleKind(kind) if kind else kind_of(entity), entity=entity, reason=cleaned(reason))
