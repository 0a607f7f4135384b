# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""An event as Synapse stores it, as an entry for the retention store. Nothing that an event may be makes this fail."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from synapse_groupreg.retention.records import Entry, Kind, b64
from synapse_groupreg.storage.entries import clean

if TYPE_CHECKING:
    from collections.abc import Iterable

    from synapse_groupreg.config.retention import Content

ROW = (
    "e.stream_ordering, e.event_id, e.room_id, e.type, e.sender, e.state_key, e.received_ts, e.origin_server_ts,"
    " e.outlier, e.rejection_reason, j.json, j.internal_metadata"
)
"""The columns of a row, of `events AS e` and `event_json AS j`."""
_FLAGS = {"soft_failed": "soft-failed", "redacted": "redacted"}
"""What Synapse notes beside an event -> our word for it."""
_MEMBER = "m.room.member"


def entries(source: str, rows: Iterable[Any], *, content: Content = "hash") -> list[Entry]:
    """The entries of rows; `full`: with what was said, as far as Synapse still has it; `none`: not even its digest."""
    return [_entry(source, row, content) for row in rows]


def received_ms(row: Any) -> int:
    """When this server received the event of a row; when it was sent, if that is not known."""
    return int(row[6] or row[7] or 0)


def _entry(source: str, row: Any, keep: Content) -> Entry:
    ordering, event_id, room, type_, sender, state_key, received_ms, sent_ms, outlier, rejection, said, noted = row
    event = _parse(said)
    content = event.get("content") if event is not None else None
    canonical = None if content is None else _canonical(content)
    details = {"event_id": event_id}
    if canonical is not None and keep != "none":
        details["content_sha256"] = b64(hashlib.sha256(canonical).digest())
    member = type_ == _MEMBER
    if member:
        _put(details, "membership", content.get("membership") if isinstance(content, dict) else None)
    elif state_key:
        details["state_key"] = clean(state_key)
    if type_ == "m.room.redaction" and event is not None:
        _put(details, "redacts", event.get("redacts") or (isinstance(content, dict) and content.get("redacts")))
    return Entry(
        kind=Kind.event,
        source=source,
        position=abs(ordering),
        ts_ms=received_ms or sent_ms or 0,
        type=clean(type_),
        verdict=_verdict(rejection, noted, outlier, canonical),
        room=clean(room),
        actor=clean(sender) if sender else None,
        target=clean(state_key) if member and state_key else None,
        details=details,
        content=canonical if keep == "full" else None,
    )


def _verdict(rejection: str | None, noted: str | None, outlier: object, canonical: bytes | None) -> str | None:
    words = ["rejected"] if rejection is not None else []
    if noted is not None and any(flag in noted for flag in _FLAGS):
        flags = _parse(noted) or {}
        words += [word for flag, word in _FLAGS.items() if flags.get(flag)]
    if outlier:
        words.append("outlier")
    if canonical is None:
        words.append("unreadable")
    return ",".join(words) or None


def _put(details: dict[str, str], name: str, value: object) -> None:
    if value and isinstance(value, str):
        details[name] = clean(value)


def _parse(text: str | None) -> dict[str, Any] | None:
    """A JSON object; None for what is none, or is nested too deeply to be read."""
    try:
        found = json.loads(text) if text is not None else None
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


# Numbers with a fraction or beyond all bounds are in old events, whatever canonical JSON says of them.
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode


def _canonical(content: object) -> bytes | None:
    """Canonical JSON of what an event says; None if it can't be."""
    try:
        text = _encode(content)
    except (ValueError, RecursionError):
        return None
    try:
        return text.encode()
    except UnicodeEncodeError:
        return clean(text).encode()
