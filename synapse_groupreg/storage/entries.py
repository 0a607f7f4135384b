# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""How what is stored in Synapse's database becomes entries for the retention store."""

from __future__ import annotations

from typing import Any

from synapse_groupreg.retention.records import Entry, Kind

OUTBOX = "outbox"
"""The source of what comes by way of the outbox; the position is the number given there."""


def draft(kind: Kind, ts_ms: int, **fields: Any) -> Entry:
    """An entry for the outbox, which has no number yet."""
    return Entry(kind=kind, source=OUTBOX, position=0, ts_ms=ts_ms, **fields)


def clean(text: str) -> str:
    """The text with every lone surrogate and NUL replaced: the first has no encoding, the second PostgreSQL refuses."""
    if not text.isascii():
        text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}")


def cleaned(value: Any) -> Any:
    """The same for all texts in what JSON can say."""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, dict):
        return {clean(str(name)): cleaned(one) for name, one in value.items()}
    return [cleaned(one) for one in value] if isinstance(value, list | tuple) else value


def given(**details: str | None) -> dict[str, str]:
    """Those details that are known."""
    return {name: value for name, value in details.items() if value}
