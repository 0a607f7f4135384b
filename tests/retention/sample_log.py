# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""A log in memory, with keys made for it: entries become headers, a tree, closes, checkpoints and bundles.

Nothing here is random: the same calls make the same bytes.
"""

from __future__ import annotations

import hashlib
from functools import partial
from typing import Any

import attrs

from synapse_groupreg.retention import ed25519, notes, tree
from synapse_groupreg.retention.bundle import (
    SIGNED_PREFIX,
    BundleRecord,
    BundleWriter,
    Manifest,
    Subject,
)
from synapse_groupreg.retention.endorsement import endorse
from synapse_groupreg.retention.records import (
    SEED_BYTES,
    TOKEN_BYTES,
    Entry,
    Header,
    Kind,
    b64,
    canonical,
    digests,
    disclosure,
    quoted,
    salt,
    unb64,
)
from synapse_groupreg.retention.tally import Tallied, Tally, tallied, tally_root

SERVER = "example.org"
SERVER_KEY_ID = "ed25519:a_test"
START_MS = 1_790_000_000_000
IDENTITIES = ("room_id", "sender", "target", "event_id", "ip", "content_sha256")


def seed_of(name: str) -> bytes:
    """32 bytes that stand for a private key."""
    return hashlib.sha256(name.encode()).digest()


@attrs.frozen
class Kept:
    """A record as the log keeps it."""

    header: Header
    text: str
    leaf: bytes
    seed: bytes
    fields: dict[str, str]
    content: str | None

    def disclosures(self, wanted: tuple[str, ...] = IDENTITIES) -> list[str]:
        return [disclosure(salt(self.seed, name), name, value) for name, value in self.fields.items() if name in wanted]


class SampleLog:
    """One shard of a log of `SERVER`. Its first record is the key's."""

    def __init__(self, log: str = "events", *, key: str = "the log's", server_key: str = "the server's") -> None:
        self.log = log
        self.origin = f"{SERVER}/retention/{log}"
        self.sign = partial(ed25519.sign, seed_of(key))
        self.key = notes.Key(self.origin, ed25519.public_key(seed_of(key)))
        self.server_public = ed25519.public_key(seed_of(server_key))
        self.endorsement = endorse(
            origin=self.origin,
            vkey=self.key.vkey,
            valid_from_ms=START_MS,
            server=SERVER,
            key_id=SERVER_KEY_ID,
            sign=partial(ed25519.sign, seed_of(server_key)),
        )
        self.records: list[Kept] = []
        self.first = 0
        self.closes: list[tuple[int, list[Tally]]] = []
        self._tokens: dict[tuple[str, str], str] = {}
        self._tallies: dict[str, list[Any]] = {}
        self._random = 0
        self.own(Kind.key, {"vkey": self.key.vkey, "endorsement": self.endorsement})

    @property
    def vkey(self) -> str:
        return self.key.vkey

    @property
    def server_key(self) -> str:
        """As `--server-key` takes it."""
        return f"{SERVER_KEY_ID}={b64(self.server_public).replace('-', '+').replace('_', '/')}"

    def random(self, size: int) -> bytes:
        self._random += 1
        return hashlib.sha256(f"random {self._random}".encode()).digest()[:size]

    # Writing.

    def event(
        self, sender: str = "@anna:example.org", room: str | None = "!r0:example.org", text: str = "hello", **more: Any
    ) -> int:
        """A message, the minute after the one before."""
        number = len(self.records)
        content = f'{{"body":{quoted(text)},"msgtype":"m.text"}}'
        details = {
            "event_id": "$" + b64(self.random(32)),
            "content_sha256": b64(hashlib.sha256(content.encode()).digest()),
            "ip": f"192.0.2.{number % 250}",
        }
        made: dict[str, Any] = {
            "kind": Kind.event,
            "source": "events/master",
            "position": number + 1,
            "ts_ms": START_MS + number * 60_000,
            "type": "m.room.message",
            "room": room,
            "actor": sender,
            "details": details,
            "content": content.encode(),
        }
        return self.add(Entry(**{**made, **more}))

    def own(self, kind: Kind, facts: dict[str, Any]) -> int:
        """A record that the log makes itself."""
        number = len(self.records)
        ts_ms = START_MS + number * 60_000
        return self.add(Entry(kind=kind, source="log", position=number, ts_ms=ts_ms, facts=facts))

    def add(self, entry: Entry) -> int:
        index, seed = len(self.records), self.random(SEED_BYTES)
        named = {"room_id": entry.room, "sender": entry.actor, "target": entry.target}
        fields = {**entry.details, **{name: value for name, value in named.items() if value is not None}}
        room, room_prev = self._stand("room", entry.room, index)
        actor, actor_prev = self._stand("account", entry.actor, index)
        header = Header(
            kind=entry.kind,
            source=entry.source,
            position=entry.position,
            ts_ms=entry.ts_ms,
            type=entry.type,
            verdict=entry.verdict,
            count=entry.count,
            room=room,
            room_prev=room_prev,
            actor=actor,
            actor_prev=actor_prev,
            facts=entry.facts,
            digests=digests(seed, {name: quoted(value) for name, value in fields.items()}),
        )
        return self.keep(header, seed=seed, fields=fields, content=entry.content.decode() if entry.content else None)

    def keep(self, header: Header, *, text: str | None = None, **more: Any) -> int:
        """Put a header in as it is; `text`, if it is to be another than the header's own."""
        text = header.text() if text is None else text
        made = {"seed": b"\0" * SEED_BYTES, "fields": {}, "content": None, **more}
        self.records.append(Kept(header, text, tree.leaf_hash(text.encode()), **made))
        return len(self.records) - 1

    def _stand(self, kind: str, name: str | None, index: int) -> tuple[str | None, int | None]:
        """A name's token, and the index of its record before."""
        if name is None:
            return None, None
        token = self._tokens.setdefault((kind, name), b64(self.random(TOKEN_BYTES)))
        tally = self._tallies.setdefault(token, [kind, 0, None])
        before = tally[2]
        tally[1:] = [tally[1] + 1, index]
        return token, before

    def tallies(self) -> list[Tally]:
        """Of the open period, as a store has them."""
        return sorted((unb64(token), *tally) for token, tally in self._tallies.items())

    def token(self, kind: str, name: str) -> str:
        """In the open period."""
        return self._tokens[kind, name]

    def tally(self, kind: str, name: str) -> int:
        """A tally record of the open period."""
        token = self.token(kind, name)
        _, count, last = self._tallies[token]
        return self.own(Kind.tally, {"token": token, "kind": kind, "count": count, "last": last})

    def close(self) -> int:
        """End the period."""
        tallies = self.tallies()
        tokens, root = tally_root(tallies)
        facts = {"first": self.first, "count": len(self.records) - self.first, "tokens": tokens, "tally": b64(root)}
        index = self.own(Kind.close, facts)
        self.closes.append((index, tallies))
        self.first = len(self.records)
        self._tokens, self._tallies = {}, {}
        return index

    # Reading.

    def node(self, level: int, index: int) -> bytes:
        subtree = tree.Frontier()
        subtree.extend(record.leaf for record in self.records[index << level : (index + 1) << level])
        return subtree.root()

    def checkpoint(self, size: int | None = None) -> str:
        size = len(self.records) if size is None else size
        text = notes.Checkpoint(self.origin, size, tree.root(size, self.node)).text
        return notes.sign(text, self.key, self.sign)

    def manifest(self, **more: Any) -> Manifest:
        made: dict[str, Any] = {
            "origin": self.origin,
            "log": self.log,
            "case": "2026-17",
            "basis": "article 13.1",
            "by": "@inspector:example.org",
            "made_ms": START_MS + 10**9,
            "identities": True,
            "checkpoint": self.checkpoint(),
            "vkey": self.vkey,
            "endorsement": self.endorsement,
        }
        return Manifest(**{**made, **more})

    def shown(self, index: int, *, content: bool = False, tally_of: str | None = None) -> BundleRecord:
        """A record's line; for a close record with the attachment for a token."""
        kept = self.records[index]
        attached: Tallied | None = None
        if tally_of is not None:
            attached = tallied(dict(self.closes)[index], unb64(tally_of))
        return BundleRecord(
            index=index,
            header=kept.text,
            disclosures=kept.disclosures(),
            content=kept.content if content else None,
            tallied=attached,
        )

    def bundle(self, manifest: Manifest, records: list[BundleRecord]) -> list[bytes]:
        """The lines."""
        writer = BundleWriter()
        lines = [writer.begin(manifest), *map(writer.record, records)]
        proof = tree.multiproof(writer.indexes, len(self.records), self.node)
        return [*lines, *writer.end(proof, self.sign).splitlines(keepends=True)]

    def resign(self, lines: list[bytes]) -> list[bytes]:
        """The lines with an end that fits them, as only who holds the log's key can make one."""
        digest = hashlib.sha256(b"".join(lines[:-1])).digest()
        end = {"records": len(lines) - 3, "sha256": b64(digest)}
        return [*lines[:-1], canonical({"end": end, "sig": b64(self.sign(SIGNED_PREFIX + digest))}).encode() + b"\n"]

    def export_range(self, first: int, end: int, **more: Any) -> list[bytes]:
        """A complete range, with content."""
        records = [self.shown(index, content=True) for index in range(first, end)]
        return self.bundle(self.manifest(mode="range", range=(first, end), **more), records)

    def export_filter(self, indexes: list[int], conditions: dict[str, Any], **more: Any) -> list[bytes]:
        records = [self.shown(index) for index in indexes]
        return self.bundle(self.manifest(mode="filter", filter=conditions, **more), records)

    def export_subject(self, kind: Any, name: str, **more: Any) -> list[bytes]:
        """Everything of a room or account, with the closes and tallies of its tokens."""
        place = "room_id" if kind == "room" else "sender"
        tokens: set[str | None] = set()
        records = []
        for index, kept in enumerate(self.records):
            token = kept.header.room if kind == "room" else kept.header.actor
            if kept.fields.get(place) == name:
                tokens.add(token)
                records.append(self.shown(index))
            elif kept.header.kind == Kind.close:
                tally_of = [token for token in tokens if token and self._has(index, token)]
                if tally_of:
                    records.append(self.shown(index, tally_of=tally_of[0]))
            elif kept.header.kind == Kind.tally and (kept.header.facts or {})["token"] in tokens:
                records.append(self.shown(index))
        return self.bundle(self.manifest(mode="subject", subject=Subject(kind, name), **more), records)

    def _has(self, index: int, token: str) -> bool:
        return any(tally[0] == unb64(token) for tally in dict(self.closes)[index])


def sample() -> SampleLog:
    """Two periods that were closed and one that is open: three people in two rooms, a refusal and a login between."""
    log = SampleLog()
    for period in range(3):
        for number in range(4):
            log.event(sender=f"@p{number % 3}:example.org", room=f"!r{number % 2}:example.org")
        log.event(kind=Kind.login, type="m.login.password", room=None, content=None, sender="@p1:example.org")
        log.event(kind=Kind.refusal, type="send", verdict="refused:room-full", count=3, sender="@p2:example.org")
        if period < 2:
            log.close()
    log.tally("room", "!r0:example.org")
    log.tally("account", "@p1:example.org")
    return log
