# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""How fast bundles verify: one about a room and one of a range, by `groupreg verify` and by the standalone script.

    .venv/bin/python bench/verify.py [--records 50000] [--runs 5]

Each record discloses five fields. Signatures are checked by the library in all: there are three of them in a bundle.
`groupreg verify` takes all processors for a file of 20 MB or more.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from functools import partial
from typing import TYPE_CHECKING

from synapse_groupreg.cli import verify_bundle as standalone
from synapse_groupreg.cli.processes import spread_over
from synapse_groupreg.retention import ed25519, notes, tree
from synapse_groupreg.retention.bundle import BundleRecord, BundleWriter, Manifest, Subject, endorse
from synapse_groupreg.retention.records import Header, Kind, b64, digests, disclosure, quoted, salt
from synapse_groupreg.retention.tally import Tally, tallied, tally_root
from synapse_groupreg.retention.verifier import verify_bundle

if TYPE_CHECKING:
    from collections.abc import Callable

ORIGIN = "example.org/retention/events"
ROOM = "!room:example.org"
PEOPLE = 50
ROOMS = 5


def log_of(count: int) -> tuple[list[BundleRecord], list[Tally]]:
    """Records of five rooms in turn, with the close record that ends their period."""
    records, seen = [], dict[bytes, tuple[str, int, int]]()
    rooms, people = ([os.urandom(16) for _ in range(number)] for number in (ROOMS, PEOPLE))
    for index in range(count):
        room, person = rooms[index % ROOMS], people[index % PEOPLE]
        seed = os.urandom(16)
        values = {
            "room_id": ROOM if index % ROOMS == 0 else f"!other{index % ROOMS}:example.org",
            "sender": f"@person{index % PEOPLE}:example.org",
            "event_id": "$" + b64(os.urandom(32)),
            "content_sha256": b64(os.urandom(32)),
            "ip": "2001:db8::17",
        }
        text = Header(
            kind=Kind.event,
            source="events/master",
            position=index,
            ts_ms=1_790_000_000_000 + index,
            type="m.room.message",
            verdict=None,
            count=1,
            room=b64(room),
            room_prev=index - ROOMS if index >= ROOMS else None,
            actor=b64(person),
            actor_prev=index - PEOPLE if index >= PEOPLE else None,
            facts=None,
            digests=digests(seed, {name: quoted(value) for name, value in values.items()}),
        ).text()
        shown = [disclosure(salt(seed, name), name, value) for name, value in values.items()]
        records.append(BundleRecord(index=index, header=text, disclosures=shown))
        for token, kind in ((room, "room"), (person, "account")):
            seen[token] = (kind, seen.get(token, ("", 0, 0))[1] + 1, index)
    tallies = sorted((token, *tally) for token, tally in seen.items())
    tokens, root = tally_root(tallies)
    close = Header(
        kind=Kind.close,
        source="log",
        position=count,
        ts_ms=1_790_000_000_000 + count,
        type=None,
        verdict=None,
        count=1,
        room=None,
        room_prev=None,
        actor=None,
        actor_prev=None,
        facts={"first": 0, "count": count, "tokens": tokens, "tally": b64(root)},
        digests={},
    )
    token = next(iter(seen))
    end = BundleRecord(index=count, header=close.text(), tallied=tallied(tallies, token))
    return [*records, end], tallies


def bundles(count: int) -> dict[str, list[bytes]]:
    """A bundle about a room with so many records, and one of a range with as many."""
    records, _ = log_of(count * ROOMS)
    leaves = [tree.leaf_hash(record.header.encode()) for record in records]
    levels = [leaves]
    while len(levels[-1]) > 1:
        row = levels[-1]
        levels.append([tree.node_hash(*pair) for pair in zip(row[::2], row[1::2], strict=False)])
    seed = os.urandom(32)
    sign = partial(ed25519.sign, seed)
    key = notes.Key(ORIGIN, ed25519.public_key(seed))
    root = tree.root(len(leaves), lambda level, index: levels[level][index])
    common = {
        "origin": ORIGIN,
        "log": "events",
        "case": "bench",
        "basis": "bench",
        "by": "bench",
        "made_ms": 1_800_000_000_000,
        "identities": True,
        "checkpoint": notes.sign(notes.Checkpoint(ORIGIN, len(leaves), root).text, key, sign),
        "vkey": key.vkey,
        "endorsement": endorse(
            origin=ORIGIN, vkey=key.vkey, valid_from_ms=0, server="example.org", key_id="ed25519:a", sign=sign
        ),
    }
    about = Manifest(mode="subject", subject=Subject("room", ROOM), **common)  # type: ignore[arg-type]  # of many types
    ranged = Manifest(mode="range", range=(0, count), **common)  # type: ignore[arg-type]  # as above
    made = {}
    for name, manifest, shown in (
        ("room", about, [*records[:-1:ROOMS], records[-1]]),
        (
            "range",
            ranged,
            [BundleRecord(index=one.index, header=one.header, disclosures=one.disclosures) for one in records[:count]],
        ),
    ):
        writer = BundleWriter()
        lines = [writer.begin(manifest), *map(writer.record, shown)]
        proof = tree.multiproof(writer.indexes, len(leaves), lambda level, index: levels[level][index])
        made[name] = lines + writer.end(proof, sign).splitlines(keepends=True)
    return made


def by_verifier(lines: list[bytes], processes: int = 1) -> None:
    """As `groupreg verify` does it."""
    report = verify_bundle(lines, ed25519.verify, spread=spread_over(processes))
    assert report.ok, report.findings


def by_script(lines: list[bytes]) -> None:
    """As the standalone script does it."""
    standalone.verify(lines, {}, None, {}, ed25519.verify)


def measure(run: Callable[[list[bytes]], None], lines: list[bytes], runs: int) -> dict[str, list[float]]:
    """Records a second, of each run: by the clock, and by the time that the processor was at it."""
    rates: dict[str, list[float]] = {"clock": [], "processor": []}
    for _ in range(runs):
        began, busy = time.perf_counter(), time.process_time()
        run(lines)
        rates["clock"].append((len(lines) - 3) / (time.perf_counter() - began))
        rates["processor"].append((len(lines) - 3) / (time.process_time() - busy))
    return rates


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=50_000, help="of each bundle")
    parser.add_argument("--runs", type=int, default=5)
    given = parser.parse_args()
    for name, lines in bundles(given.records).items():
        print(
            f"{name}: {len(lines) - 3:,} records, {sum(map(len, lines)) / len(lines):,.0f} bytes each; records a second"
        )
        every = os.cpu_count() or 1
        for who, run in (
            (f"groupreg verify, {every} processes", partial(by_verifier, processes=every)),
            ("groupreg verify, one", by_verifier),
            ("standalone script", by_script),
        ):
            for how, rates in measure(run, lines, given.runs).items():
                figures = " / ".join(f"{rate:,.0f}" for rate in (min(rates), statistics.median(rates), max(rates)))
                print(f"  {who:28} by {how:10} min / median / max {figures}")


if __name__ == "__main__":
    main()
