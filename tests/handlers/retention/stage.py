# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""A retention store to try use cases on: real logs on a real engine, with throw-away keys and a clock that is told."""

from __future__ import annotations

import hashlib
import secrets
from typing import TYPE_CHECKING, Any

from synapse_groupreg.handlers.retention.log import Log
from synapse_groupreg.handlers.retention.published import Published
from synapse_groupreg.handlers.retention.reading import Opener, Openers, OpenRecord
from synapse_groupreg.retention import ed25519
from synapse_groupreg.retention.endorsement import endorse
from synapse_groupreg.retention.records import Entry, Kind, LogName, b64, canonical, log_of
from synapse_groupreg.retention.sealing import KeyRing, WrappingKey
from synapse_groupreg.storage.store import Selection

if TYPE_CHECKING:
    from pathlib import Path

    from tests.storage.store_places import Place

SERVER = "example.org"
NOVEMBER_MS = 1_793_800_000_000
"""A moment in November 2026; a month later is December."""
MONTH_MS = 30 * 86_400_000
ALICE, BOB, CAROL = (f"@{name}:{SERVER}" for name in ("alice", "bob", "carol"))
GARDEN, KITCHEN = (f"!{name}:{SERVER}" for name in ("garden", "kitchen"))


class ThrowAwayKeys:
    """`LogKeys` that lie nowhere."""

    def __init__(self) -> None:
        self._seed = secrets.token_bytes(32)
        self._server_seed = secrets.token_bytes(32)
        self.public = ed25519.public_key(self._seed)
        self.server_public = ed25519.public_key(self._server_seed)
        self.ring = KeyRing((WrappingKey("first", secrets.token_bytes(32)),))
        self.in_files = self.ring
        """What another process may have made of them meanwhile."""

    def sign(self, message: bytes) -> bytes:
        return ed25519.sign(self._seed, message)

    def endorse(self, origin: str, vkey: str, valid_from_ms: int) -> dict[str, Any]:
        return endorse(
            origin=origin,
            vkey=vkey,
            valid_from_ms=valid_from_ms,
            server=SERVER,
            key_id="ed25519:a_test",
            sign=lambda message: ed25519.sign(self._server_seed, message),
        )

    def reload(self) -> None:
        self.ring = self.in_files

    def renew_signing_key(self) -> None:
        """Forget the old one."""
        self._seed = secrets.token_bytes(32)
        self.public = ed25519.public_key(self._seed)


class Archive:
    """Both logs of a store, open; `put` writes into the one where a record belongs."""

    def __init__(self, place: Place, folder: Path, now_ms: int = NOVEMBER_MS) -> None:
        self.place = place
        self.keys = ThrowAwayKeys()
        self.published = Published(folder)
        self.now_ms = now_ms
        self.openers = Openers(place.reader, SERVER, self.keys)
        self.logs = {
            name: Log(name.value, place.store(name.value), SERVER, self.keys, self.published) for name in LogName
        }
        self._position = 0
        for log in self.logs.values():
            log.open(now_ms, {})

    def put(self, *entries: Entry) -> None:
        """Record these, in order, as the recorder does."""
        for name, log in self.logs.items():
            mine = [entry for entry in entries if log_of(entry.kind) is name]
            log.append(mine, {entry.source: entry.position for entry in mine}, self.now_ms)

    def entry(self, kind: Kind, **given: Any) -> Entry:
        """An entry, a second after the one before."""
        self._position += 1
        made: dict[str, Any] = {
            "kind": kind,
            "source": "events/master" if kind is Kind.event else "outbox",
            "position": self._position,
            "ts_ms": self.now_ms + self._position * 1000,
        }
        return Entry(**{**made, **given})

    def message(self, sender: str = ALICE, room: str = GARDEN, text: str = "hello", **given: Any) -> Entry:
        content = canonical({"body": text, "msgtype": "m.text"}).encode()
        details = {
            "event_id": f"${self._position + 1}",
            "content_sha256": b64(hashlib.sha256(content).digest()),
        }
        made: dict[str, Any] = {"type": "m.room.message", "actor": sender, "room": room, "details": details}
        return self.entry(Kind.event, **{**made, "content": content, **given})

    def login(self, account: str = ALICE, ip: str = "192.0.2.7", **given: Any) -> Entry:
        details = {"ip": ip, "user_agent": "Cinny/4.2", "device_id": "ABCDEF"}
        made: dict[str, Any] = {"type": "m.login.password", "actor": account, "details": details}
        return self.entry(Kind.login, **{**made, **given})

    def refusal(self, account: str = ALICE, room: str = GARDEN, code: str = "room-full", **given: Any) -> Entry:
        made: dict[str, Any] = {"type": "join", "verdict": f"refused:{code}", "actor": account, "room": room}
        return self.entry(Kind.refusal, **{**made, **given})

    def look(self, looker: str = CAROL, at: str = ALICE, **given: Any) -> Entry:
        return self.entry(Kind.look, **{"type": "read accounts", "actor": looker, "target": at, **given})

    def records(self, log: LogName = LogName.events, **wanted: Any) -> list[OpenRecord]:
        """What stands in a log, opened, the oldest first."""
        with self.openers.lend(log.value) as opener:
            return read(opener, **wanted)

    def roll(self) -> None:
        """Let a month pass: the next record begins a period."""
        self.now_ms += MONTH_MS

    def close(self) -> None:
        for log in self.logs.values():
            log.release()


def read(opener: Opener, **wanted: Any) -> list[OpenRecord]:
    """Every record of a log, opened, the oldest first."""
    found = []
    for info in opener.reader.periods():
        rows = opener.reader.select(info.period, Selection(**wanted), 10_000, newest_first=False)
        found += opener.open(info.period, rows)
    return found
