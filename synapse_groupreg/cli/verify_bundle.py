# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Verify a bundle of records with nothing but Python's standard library and the `openssl` program, 3.0 or newer.

    python3 verify_bundle.py BUNDLE [--vkey VKEY] [--server-key ed25519:ID=BASE64]

It shares no code with `groupreg verify`, so that each checks the other, and stops at the first thing that is wrong.
docs/bundle.md describes the format. Exit codes: 0 verified, 1 failed, 2 no bundle, or it could not be checked.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import re
import subprocess
import sys
import tempfile
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

MADE = {"key", "tally", "close", "epoch"}  # kinds of records that the log makes itself
NUMBER, TEXT, PREV = (int,), (str,), (int, type(None))
MANIFEST = dict.fromkeys("origin log mode case basis by checkpoint vkey".split(), TEXT) | {  # noqa: SIM905 - shorter
    "bundle": NUMBER, "made_ms": NUMBER, "identities": (bool,), "endorsement": (dict,), "anchors": (list,)
}  # fmt: skip
HEADER = {"_sd": (dict,), "k": TEXT, "pos": NUMBER, "src": TEXT, "ts": NUMBER, "v": NUMBER}
OPTIONAL = {"actor": TEXT, "room": TEXT, "actor_prev": PREV, "room_prev": PREV, "count": NUMBER, "type": TEXT,
            "verdict": TEXT, "facts": (dict, list, str, int, bool, type(None))}  # fmt: skip
Check = Callable[[bytes, bytes, bytes], bool]  # of a public key, a message and a signature
Record = tuple[dict[str, Any], dict[str, Any], dict[str, str]]  # a line, its header, its disclosed values


class Wrong(ValueError):
    """What does not hold."""


def need(holds: object, text: str) -> None:
    """Stop unless something holds."""
    if not holds:
        raise Wrong(text)


def openssl(public: bytes, message: bytes, signature: bytes) -> bool:
    """Whether an Ed25519 signature holds, as the openssl program says. Raises OSError if it can't."""
    with tempfile.TemporaryDirectory() as folder:
        key, said, signed = (str(Path(folder, name)) for name in ("key.der", "message", "signature"))
        der = bytes.fromhex("302a300506032b6570032100") + public  # RFC 8410
        _ = [Path(path).write_bytes(data) for path, data in ((key, der), (said, message), (signed, signature))]
        command = "openssl pkeyutl -verify -rawin -pubin -keyform DER".split()  # noqa: SIM905 - as one types it
        command += ["-inkey", key, "-in", said, "-sigfile", signed]
        done = subprocess.run(command, capture_output=True, check=False)  # noqa: S603 - no shell
    if done.returncode and b"Verification Failure" not in done.stdout:  # else the signature was looked at
        raise OSError(f"the openssl program here can't check signatures; 3.0 or newer is needed: {done.stderr[:80]!r}")
    return done.returncode == 0


def sha256(*parts: bytes) -> bytes:
    """SHA-256. A leaf of a tree is hashed after a byte 0, two subtrees after a byte 1 (RFC 6962, section 2.1)."""
    return hashlib.sha256(b"".join(parts)).digest()


def spell(value: object) -> str:
    """Canonical JSON: the one spelling, so that no two readers can read different things."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True, allow_nan=False)


def parse(text: str) -> Any:
    """JSON in its one spelling, which rules out keys that stand there twice, and floating point numbers."""
    try:
        value = json.loads(text, parse_int=lambda one: int(one[:18]), parse_float=lambda _: need(0, "a float"))
        need(spell(value) == text, "it is not canonical JSON")
    except (ValueError, RecursionError) as error:
        raise Wrong(f"it can't be read: {str(error)[:80]}") from None
    return value


def decode(text: Any, size: int | None = None, others: bytes = b"-_", pad: str = "") -> bytes:
    """Bytes from base64 in its one spelling: base64url without padding, unless said otherwise."""
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), others)
    except (ValueError, TypeError):
        raise Wrong("something is not base64") from None
    need(base64.b64encode(data, others).decode().replace("=", pad) == text, "something has another spelling in base64")
    need(size is None or len(data) == size, f"{text[:50]} has not {size} bytes")
    return data


def shape(value: Any, needed: dict[str, Any], optional: dict[str, Any], what: str) -> None:
    """Check that an object has its keys, no others, and the types of their values; numbers are not below 0."""
    need(type(value) is dict and needed.keys() <= value.keys() <= {*needed, *optional}, f"{what} has not its keys")
    for key, one in value.items():
        need(type(one) in (needed.get(key) or optional[key]), f"{what}: {key} is of the wrong type")
        need(type(one) is not int or ((key == "pos" or one >= 0) and abs(one) < 2**53), f"{key} is out of bounds")


def subtree(first: int, end: int, indexes: Sequence[int], leaves: Sequence[bytes], proof: Iterator[bytes]) -> bytes:
    """The hash over the leaves [first, end); where none of them is known, it is the next of the proof."""
    at = bisect_left(indexes, first)
    if at == len(indexes) or indexes[at] >= end:
        found = next(proof, b"")
        need(found, "a proof has too few hashes")
        return found
    if end - first == 1:
        return leaves[at]
    middle = first + (1 << (end - first - 1).bit_length() - 1)
    return sha256(b"\1", *(subtree(*part, indexes, leaves, proof) for part in ((first, middle), (middle, end))))


def root(size: int, indexes: Sequence[int], leaves: Sequence[bytes], proof: Iterable[str] = ()) -> bytes:
    """The root of a tree of that size, from some of its leaves and a proof, all of which is used."""
    rest = iter([decode(one, 32) for one in proof])
    found = subtree(0, size, indexes, leaves, rest) if size else sha256()
    need(next(rest, None) is None, "a proof has too many hashes")
    return found


def checkpoint(note: str, vkey: str, check: Check) -> tuple[str, int, bytes, bytes]:
    """Origin, size and root of a signed note, and the key (c2sp.org/tlog-checkpoint, c2sp.org/signed-note)."""
    name, key_id, key = [*vkey.split("+", 2), "", ""][:3]
    typed = decode(key, 33, b"+/", "=")
    need(typed[0] == 1 and key_id == sha256(name.encode(), b"\n", typed)[:4].hex(), "vkey is no key")
    text, _, signatures = note.rpartition("\n\n")
    found = re.fullmatch(r"([^\x00-\x1f]+)\n(0|[1-9][0-9]{0,18})\n([A-Za-z0-9+/]{43}=)", text)
    lines = [re.fullmatch(r"— ([^+\s]+) (\S+)", line) for line in signatures.split("\n")[:-1]]
    if not found or not all(lines) or not signatures.endswith("\n"):
        raise Wrong("the checkpoint has not the form of a signed note")
    blobs = [(line[1], decode(line[2], None, b"+/", "=")) for line in lines if line]
    ours = [blob[4:] for signer, blob in blobs if (signer, blob[:4].hex()) == (name, key_id)]
    need(ours and all(check(typed[1:], f"{text}\n".encode(), one) for one in ours), "the checkpoint is not signed")
    return found[1], int(found[2]), decode(found[3], 32, b"+/", "="), typed[1:]


def manifest(said: Any, given: str | None, keys: dict[str, str], check: Check) -> tuple[int, bytes, bytes]:
    """Check the first line; size and root of the tree, and the log's key."""
    mode = said.get("mode") if type(said) is dict else None
    need(mode in ("range", "subject", "filter"), "the manifest's mode is unknown")
    shape(said, {**MANIFEST, str(mode): (list,) if mode == "range" else (dict,)}, {}, "the manifest")
    need(said["bundle"] == 1 and "" not in said.values(), "the manifest has an empty text, or is of another version")
    for anchor in said["anchors"]:
        shape(anchor, {"kind": TEXT, "where": TEXT}, {}, "an anchor")
        need(anchor["kind"] in ("file", "room") and anchor["where"], "an anchor is of an unknown kind")
    origin, size, root_, public = checkpoint(said["checkpoint"], said["vkey"], check)
    need(origin == said["origin"] == said["vkey"].split("+")[0], "the checkpoint or the key is of another log")
    form = re.fullmatch(r"([^/]+)/retention/(events|acts)(/[1-9][0-9]*)?", origin)
    need(form and form[2] == said["log"], "the origin is not that of the log")
    need(given in (None, said["vkey"]), "the bundle is signed by another key than the one given")
    endorsement(said, origin.split("/")[0], keys, check)
    if mode == "range":
        first, end = said["range"] if len(said["range"]) == 2 else (0, -1)  # noqa: PLR2004 - from, to
        need(type(first) is type(end) is int and 0 <= first <= end <= size, "the range is not possible")
    if mode == "subject":
        shape(said["subject"], {"kind": TEXT, "name": TEXT}, {}, "the subject")
        need(said["subject"]["kind"] in ("room", "account") and said["subject"]["name"], "the subject is not possible")
    return size, root_, public


def endorsement(said: dict[str, Any], server: str, server_keys: dict[str, str], check: Check) -> None:
    """Check what the homeserver's key says of the log's key."""
    text = {"type": TEXT, "origin": TEXT, "vkey": TEXT, "valid_from_ms": NUMBER}
    shape(said["endorsement"], text | {"signatures": (dict,)}, {}, "the endorsement")
    body = {key: value for key, value in said["endorsement"].items() if key in text}
    expected = {"type": "org.groupreg.retention.key", "origin": said["origin"], "vkey": said["vkey"]}
    need(body | expected == body and body["valid_from_ms"] <= said["made_ms"], "the endorsement is not of this key")
    signed = said["endorsement"]["signatures"]
    need(signed.keys() == {server} and type(signed[server]) is dict and signed[server], "the endorsement is not signed")
    for key_id, one in signed[server].items():
        need(key_id.startswith("ed25519:") and decode(one, 64, b"+/"), "the endorsement's signature has not its form")
    known = [key_id for key_id in signed[server] if key_id in server_keys]
    need(known or not server_keys, "the endorsement is signed by none of the keys given")
    for key_id in known:
        key, signature = decode(server_keys[key_id], 32, b"+/"), decode(signed[server][key_id], 64, b"+/")
        need(check(key, spell(body).encode(), signature), "the endorsement's signature does not hold")


def record(text: str, lowest: int, size: int) -> Record:
    """A record's line, its header and its disclosed values, each of which the header has the digest of."""
    line = parse(text)
    shape(line, {"h": TEXT, "i": NUMBER}, {"c": TEXT, "d": (list,), "t": (dict,)}, "the record")
    need(lowest <= line["i"] < size, "the record is out of order, or beyond the checkpoint")
    header, values = parse(line["h"]), {}
    shape(header, HEADER, OPTIONAL, "the header")
    need(header["v"] == 1 and header.get("count", 2) > 1, "the header's v or count is not possible")
    need(all(type(digest) is str and len(digest) == 43 for digest in header["_sd"].values()), "a digest is none")  # noqa: PLR2004 - SHA-256 in base64url
    for place in ("actor", "room"):
        need((place in header) == (f"{place}_prev" in header), f"{place} or {place}_prev is missing")
        need(place not in header or decode(header[place], 16), f"{place} is no token")
        need((-1 if (one := header.get(f"{place}_prev")) is None else one) < line["i"], f"{place}_prev is not before")
    need(line.get("d") != [], "there is an empty list of disclosures")
    for disclosed in line.get("d", ()):
        parts = parse(decode(disclosed).decode())
        need(type(parts) is list and [type(one) for one in parts] == [str] * 3, "a disclosure is not three texts")
        salt, field, value = parts
        need(re.fullmatch(r"[A-Za-z0-9_-]{22,}", salt), "a salt is not at least 16 bytes in base64url")
        need(field not in values, f"{field} is disclosed twice")
        digest = base64.urlsafe_b64encode(sha256(disclosed.encode())).decode().rstrip("=")
        need(header["_sd"].get(field) == digest, f"the header does not commit to the disclosed {field}")
        values[field] = value
    digest = base64.urlsafe_b64encode(sha256(line.get("c", "").encode())).decode().rstrip("=")
    need("c" not in line or values.get("content_sha256") == digest, "the content is not the one that was recorded")
    return line, header, values


def counted(line: dict[str, Any], header: dict[str, Any]) -> tuple[int, list[Any], str]:
    """What a tally or close record counts, [token, kind, count, last], if anything; from where on; until when."""
    facts: Any = header.get("facts")
    if header["k"] == "tally":
        shape(facts, {"token": TEXT, "kind": TEXT, "count": NUMBER, "last": NUMBER}, {}, "the tally")
        return 0, [facts[key] for key in ("token", "kind", "count", "last")], f"as of record {line['i']}"
    said, until = line.get("t"), f"in the period that record {line['i']} ends"
    shape(facts, {"first": NUMBER, "count": NUMBER, "tokens": NUMBER, "tally": TEXT}, {}, "the close record")
    need(facts["first"] + facts["count"] == line["i"] and decode(facts["tally"], 32), "the close record miscounts")
    if said is None:
        return facts["first"], [], until
    shape(said, {"entry": (list,), "index": NUMBER, "size": NUMBER, "proof": (list,)}, {}, "t")
    need([type(one) for one in said["entry"]] == [str, str, int, int] and said["index"] < said["size"], "t is wrong")
    found = root(said["size"], [said["index"]], [sha256(b"\0", spell(said["entry"]).encode())], said["proof"])
    need((said["size"], found) == (facts["tokens"], decode(facts["tally"])), "the close record does not commit to t")
    return facts["first"], said["entry"], until


def check_range(said: list[int], records: list[Record]) -> list[str]:
    """Mode range: no record is missing, and outside of the range are only those that the log makes itself."""
    here = sum(line["i"] in range(*said) for line, *_ in records)  # in ascending order, so that none is here twice
    need(here == said[1] - said[0], "a record of the range is missing")
    need({header["k"] for line, header, _ in records if line["i"] not in range(*said)} <= MADE, "one is outside of it")
    return [f"No record from {said[0]} to {said[1] - 1} is missing."]


def check_filter(said: dict[str, Any], records: list[Record]) -> list[str]:
    """Mode filter: every record meets all conditions."""
    lists = {"kinds": "k", "types": "type", "verdicts": "verdict"}
    names = {"room": ("room_id",), "account": ("sender", "target")}
    forms = {**dict.fromkeys(lists, (list,)), **dict.fromkeys(names, TEXT), "from_ms": NUMBER, "to_ms": NUMBER}
    shape(said, {}, forms, "the filter")
    need(all(type(one) is str for key in said if key in lists for one in said[key]), "the filter is not of texts")
    for line, header, values in records:
        right = [header.get(lists[key]) in said[key] for key in said if key in lists]
        right += [said[key] in [values.get(one) for one in names[key]] for key in said if key in names]
        right += [said.get("from_ms", 0) <= header["ts"] <= said.get("to_ms", 2**53)]
        need(all(right) or header["k"] in MADE, f"record {line['i']} does not meet the filter")
    return ["Each record stands in the log. Whether others were left out, this bundle does not show."]


class Token:
    """What is shown of one token of the subject, which it has for one period."""

    def __init__(self, first: int) -> None:
        self.last: int | None = None
        self.names: set[str | None] = set()
        self.first, self.count, self.until, self.whole, self.counted, self.stranger = first, 0, "", True, False, False

    def tally(self, entry: list[Any], kind: str, first: int, until: str) -> None:
        """Check what somebody counted, [token, kind, count, last], against what is shown."""
        need(entry[1:] == [kind, self.count, self.last] and self.first >= first, "a tally counts other records")
        self.until, self.counted = until, True


def check_subject(said: dict[str, str], records: list[Record]) -> list[str]:
    """Mode subject: every record is about it, and of each of its tokens none is missing up to a place."""
    kind, tokens = said["kind"], dict[str, Token]()
    place, field = ("room", "room_id") if kind == "room" else ("actor", "sender")
    for line, header, values in records:
        index, target = line["i"], kind == "account" and values.get("target") == said["name"]
        if header["k"] in ("tally", "close"):
            first, entry, until = counted(line, header)
            tokens.get(entry[0], Token(0)).tally(entry, kind, first, until) if entry else None
        if place not in header:
            need(header["k"] in MADE or target, f"nothing shows that record {index} is about the subject")
            continue
        token = tokens.setdefault(header[place], Token(index))
        token.whole = token.whole and header[f"{place}_prev"] == token.last
        token.stranger = token.stranger or not target
        token.count, token.last, token.names = token.count + 1, index, token.names | {values.get(field)} - {None}
    ours = [token for token in tokens.values() if said["name"] in token.names]
    need(ours, "no disclosure shows that a record is of the subject")
    for token in tokens.values():
        need(token in ours or not (token.stranger or token.counted), "nothing shows that a record is about the subject")
        need(token not in ours or (len(token.names) == 1 and token.whole), "a record of the subject is missing")
    found = [token.until or f"up to record {token.last} only: what follows is not proven" for token in ours]
    return [f"None of the subject's records is missing ({one}). Periods not named may have some." for one in found]


def texts(lines: Iterable[bytes], state: dict[str, Any]) -> Iterator[str]:
    """The text of each line. `state` has its number, and the hash of all lines before it."""
    for line in lines:
        state["line"] += 1
        need(line[-1:] == b"\n" and line[-2:] != b"\r\n", "the line was cut off, it is too long, or it ends in CR LF")
        yield line[:-1].decode()
        state["hash"].update(line)


def verify(lines: Iterable[bytes], state: dict[str, Any], vkey: str | None, keys: dict[str, str], check: Check) -> None:
    """Verify a bundle. Raises ValueError; `state` then has the line, and else what is shown."""
    state.update(line=0, hash=hashlib.sha256(), manifest=None)
    rest, text, records = texts(lines, state), "", list[Record]()
    said = state["manifest"] = parse(next(rest, ""))
    size, signed, public = manifest(said, vkey, keys, check)
    for text in rest:
        if text.startswith('{"proof":'):
            break
        records.append(record(text, records[-1][0]["i"] + 1 if records else 0, size))
        line, header, _ = records[-1]
        need("t" not in line or (said["mode"], header["k"]) == ("subject", "close"), "t is out of place")
    shape(proof := parse(text), {"proof": (list,)}, {}, "the proof")
    leaves = [sha256(b"\0", line["h"].encode()) for line, _, _ in records]
    found = root(size, [line["i"] for line, _, _ in records], leaves, proof["proof"])
    need(found == signed, "the records do not lead to the root that the checkpoint signs")
    checks: Any = {"range": check_range, "filter": check_filter, "subject": check_subject}
    state["shown"] = checks[said["mode"]](said[said["mode"]], records)
    last, digest = parse(next(rest, "")), state["hash"].digest()
    shape(last, {"end": (dict,), "sig": TEXT}, {}, "the end")
    shape(last["end"], {"records": NUMBER, "sha256": TEXT}, {}, "the end")
    need(last["end"]["records"] == len(records), "the end counts other records than are here")
    need(decode(last["end"]["sha256"]) == digest, "some byte before the end was changed: its SHA-256 is another")
    need(check(public, b"groupreg-bundle-v1\n" + digest, decode(last["sig"], 64)), "the end is not signed by the key")
    need(next(rest, None) is None, "there is something after the end")


def main() -> int:
    """Verify the file that is named, and say what came of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--vkey", help="the log's key, known from elsewhere than the bundle")
    parser.add_argument("--server-key", action="append", default=[], help="a key of the homeserver, ed25519:ID=BASE64")
    asked, state = parser.parse_args(), dict[str, Any]()
    if not all(re.fullmatch(r"ed25519:[^=]+=[A-Za-z0-9+/]{43}=?", one) for one in asked.server_key):
        parser.error("--server-key must be like ed25519:a_AbCd=BASE64")
    try:
        with asked.bundle.open("rb") as file:  # what is read bounds the next line: the proof may be long
            lines = iter(lambda: file.readline(max(1 << 24, 8 * file.tell())), b"")
            verify(lines, state, asked.vkey, dict(one.rstrip("=").split("=", 1) for one in asked.server_key), openssl)
    except (OSError, ValueError) as error:
        said = "FAILED" if isinstance(error, ValueError) else "NOT CHECKED"
        print(f"{said}  line {state.get('line', 0)}: {error}")  # noqa: T201 - what a script does
        return 1 if said == "FAILED" and type(state.get("manifest")) is dict and "bundle" in state["manifest"] else 2
    told = {key: state["manifest"][key] for key in ("origin", "mode", "case", "basis", "by", "anchors")}
    doubt = "" if asked.vkey or asked.server_key else ", but nobody vouched for the key: it may be of who made the file"
    print(f"VERIFIED{doubt}", json.dumps(told, ensure_ascii=False), *state["shown"], sep="\n")  # noqa: T201 - as above
    if not told["anchors"]:
        print("UNANCHORED: only the operator vouches that the log was not rewritten as a whole.")  # noqa: T201 - as above
    return 0


if __name__ == "__main__":
    sys.exit(main())
