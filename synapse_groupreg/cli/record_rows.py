# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Records as rows: of a table for people, of CSV for a spreadsheet."""

from __future__ import annotations

import contextlib
import csv
import io
import json
from typing import TYPE_CHECKING, Any

from synapse_groupreg.cli.changes import flat, words
from synapse_groupreg.cli.output import clean
from synapse_groupreg.cli.times import utc_second
from synapse_groupreg.retention.records import FIELDS, NAMES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from synapse_groupreg.cli.output import Cell

RECORD_COLUMNS = ("when (UTC)", "record", "what", "who", "to whom, or where")
LOOK_COLUMNS = ("when (UTC)", "what", "in which role")
_WHAT, _WHOM = 39, 20
"""Widest cells: a row has 119 characters. Details show all of it."""
CHANGED = "changed in the store: groupreg fsck says which, and what helps"
_WORDS = {"user_agent": "client", "device_id": "device", "state_key": "key"}
_PLAIN = ("log", "index", "kind", "type", "verdict", "count", "sender", "target", "room_id")
"""What a detailed record begins with."""
_HEAD = ("log", "index", "period", "shard", "kind", "ts_ms", "time", "type", "verdict", "count")
CSV_COLUMNS = (*_HEAD, "sender", "room_id", "target", *FIELDS, "content", "facts", "erased", "changed")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""How a cell begins that a spreadsheet would carry out."""
_NAMING = frozenset(
    {"log", "index", "period", "shard", "kind", "ts_ms", "time", "count", "changed", *NAMES, "event_id"}
)
"""Columns that hold no text of strangers, or a name that is to be matched."""


def record_row(record: Mapping[str, Any]) -> list[Cell]:
    """Write one record in short."""
    fields = ("type", "verdict") if record.get("kind") == "refusal" else ("kind", "type", "verdict")
    said = [str(record[field]) for field in fields if record.get(field)]
    times = [f"({record['count']:,} times)"] if (record.get("count") or 1) > 1 else []
    changed = ["CHANGED"] if record.get("changed") else []
    return [
        utc_second(record.get("ts_ms")),
        f"{record.get('log')} {record.get('index')}",
        shortened(" ".join([*changed, *said, *times]), _WHAT),
        _name(record, "sender"),
        _name(record, "target") or _name(record, "room_id"),
    ]


def record_facts(record: Mapping[str, Any]) -> dict[str, Cell]:
    """Write one record in full, a value a line."""
    shown: dict[str, Cell] = {"when (UTC)": utc_second(record.get("ts_ms"))}
    if record.get("changed"):
        shown["warning"] = CHANGED
    for field in (*_PLAIN, *(one for one in record if one not in (*_HEAD, *_PLAIN, "erased", "changed"))):
        for name, value in flat({_WORDS.get(field, field): _read(record.get(field))}):
            if value is not None:
                shown[words(name)] = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    erased = record.get("erased") or []
    return {**shown, **({"erased": ", ".join(map(words, erased))} if erased else {})}


def _read(value: object) -> object:
    """What an act changed is recorded as JSON."""
    if isinstance(value, str) and value.startswith("{"):
        with contextlib.suppress(ValueError):
            return json.loads(value)
    return value


def shortened(text: str, most: int) -> str:
    """Cut a text in the middle: names differ at both ends."""
    if len(text) <= most:
        return text
    head = (most - 1) * 2 // 3
    return f"{text[:head]}…{text[head + 1 - most :]}"


def look_row(look: Mapping[str, Any]) -> list[Cell]:
    """Write that somebody looked."""
    what = " ".join(dict.fromkeys(str(look[field]) for field in ("kind", "type") if look.get(field)))
    what += f" ({CHANGED})" if look.get("changed") else ""
    return [utc_second(look.get("ts_ms")), what, ", ".join(look.get("roles") or ["staff"])]


def csv_line(record: Mapping[str, Any]) -> str:
    """Write one record as a line of CSV_COLUMNS."""
    values = {
        **record,
        "time": utc_second(record.get("ts_ms")),
        "erased": " ".join(record.get("erased") or []),
        "changed": "yes" if record.get("changed") else None,
    }
    return _line([_cell(column, values.get(column)) for column in CSV_COLUMNS])


def _name(record: Mapping[str, Any], field: str) -> Cell:
    if field in (record.get("erased") or []):
        return "(erased)"
    name = record.get(field)
    return None if name is None else shortened(str(name), _WHOM)


def _cell(column: str, value: object) -> str:
    if value is None:
        return ""
    text = clean(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True))
    return "'" + text if column not in _NAMING and text.startswith(_FORMULA) else text


def _line(cells: Sequence[str]) -> str:
    held = io.StringIO()
    csv.writer(held, lineterminator="\n").writerow(cells)
    return held.getvalue()


CSV_HEADING = _line(CSV_COLUMNS)
