# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Records as rows: of a table for people, of CSV for a spreadsheet."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING, Any

from synapse_groupreg.cli.output import clean
from synapse_groupreg.cli.times import utc_second
from synapse_groupreg.retention.records import FIELDS, NAMES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from synapse_groupreg.cli.output import Cell

RECORD_COLUMNS = ("when (UTC)", "record", "kind", "what", "who", "to whom", "where", "times", "more")
LOOK_COLUMNS = ("when (UTC)", "what", "in which role")
_SHOWN = ("membership", "state_key", "ip", "user_agent", "device_id", "subject", "reason", "text", "before", "after")
"""Further fields that a table has room for; the others are in --json and --csv."""
_WORDS = {"user_agent": "client", "device_id": "device", "state_key": "key"}
_HEAD = ("log", "index", "period", "shard", "kind", "ts_ms", "time", "type", "verdict", "count")
CSV_COLUMNS = (*_HEAD, "sender", "room_id", "target", *FIELDS, "content", "facts", "erased")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""How a cell begins that a spreadsheet would carry out."""
_NAMING = frozenset({"log", "index", "period", "shard", "kind", "ts_ms", "time", "count", *NAMES, "event_id"})
"""Columns that hold no text of strangers, or a name that is to be matched."""


def record_row(record: Mapping[str, Any]) -> list[Cell]:
    """Write one record."""
    erased = record.get("erased") or []
    more = [f"{_WORDS.get(field, field)} {record[field]}" for field in _SHOWN if record.get(field)]
    return [
        utc_second(record.get("ts_ms")),
        f"{record.get('log')} {record.get('index')}",
        record.get("kind"),
        " ".join(str(record[field]) for field in ("type", "verdict") if record.get(field)),
        _name(record, "sender"),
        _name(record, "target"),
        _name(record, "room_id"),
        record.get("count"),
        "; ".join([*more, *([f"erased: {', '.join(erased)}"] if erased else [])]),
    ]


def look_row(look: Mapping[str, Any]) -> list[Cell]:
    """Write that somebody looked."""
    what = " ".join(dict.fromkeys(str(look[field]) for field in ("kind", "type") if look.get(field)))
    return [utc_second(look.get("ts_ms")), what, ", ".join(look.get("roles") or ["staff"])]


def csv_line(record: Mapping[str, Any]) -> str:
    """Write one record as a line of CSV_COLUMNS."""
    values = {**record, "time": utc_second(record.get("ts_ms")), "erased": " ".join(record.get("erased") or [])}
    return _line([_cell(column, values.get(column)) for column in CSV_COLUMNS])


def _name(record: Mapping[str, Any], field: str) -> Cell:
    return "(erased)" if field in (record.get("erased") or []) else record.get(field)


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
