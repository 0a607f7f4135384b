# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The first line of a bundle: its shape, and who vouches for the log's key and its checkpoint."""

from __future__ import annotations

from binascii import a2b_base64, b2a_base64
from typing import TYPE_CHECKING, Any

import attrs

from synapse_groupreg.retention.bundle import FILTERS, VERSION
from synapse_groupreg.retention.endorsement import ENDORSEMENT_TYPE
from synapse_groupreg.retention.findings import Broken, Findings, NoBundle
from synapse_groupreg.retention.notes import Checkpoint, Key, NoteError, open_note
from synapse_groupreg.retention.records import FROM_URL, TO_URL, LogName, canonical
from synapse_groupreg.retention.strict_json import SpellingError, parse, unb64_strict
from synapse_groupreg.retention.tree import HASH_BYTES
from synapse_groupreg.values import frozen

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from synapse_groupreg.retention.notes import Verify

_TEXTS = ("origin", "log", "mode", "case", "basis", "by", "checkpoint", "vkey")
_KEYS = frozenset({*_TEXTS, "bundle", "made_ms", "identities", "endorsement", "anchors"})
_LIST_FILTERS = frozenset({"kinds", "types", "verdicts"})
_TIME_FILTERS = frozenset({"from_ms", "to_ms"})
_ENDORSEMENT = frozenset({"type", "origin", "vkey", "valid_from_ms", "signatures"})
_SIGNATURE_BYTES = 64
_HASH_CHARS = 43
_NO_HASH = f"a hash is {HASH_BYTES} bytes in base64url, without padding"
_PROOF, _PROVED = b'{"proof":["', b'"]}\n'


@frozen
class Trust:
    """What the verifier was given to trust."""

    vkey: str | None = None
    """The log's key, known from elsewhere than the bundle."""
    server_keys: Mapping[str, bytes] = attrs.field(factory=dict)
    """Keys of the homeserver by id, like `ed25519:a_AbCd`."""


@frozen(kw_only=True)
class Provenance:
    """What the first line establishes for the rest."""

    manifest: dict[str, Any]
    key: Key
    checkpoint: Checkpoint
    endorsed: bool
    """Whether a given key of the homeserver has signed the log's key."""


def is_number(value: object, lowest: int = 0) -> bool:
    """Whether a value of JSON is a whole number that is not below another; true and false are none."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= lowest


def texts(value: object) -> bool:
    """Whether a value of JSON is a list of strings."""
    return isinstance(value, list) and all(isinstance(one, str) for one in value)


def read_manifest(text: str) -> dict[str, Any]:
    """The first line's value, in its right shape. Raises NoBundle or Broken."""
    try:
        manifest = parse(text)
    except SpellingError as error:
        raise NoBundle(f"its first line is no manifest: {error}") from None
    if not isinstance(manifest, dict) or "bundle" not in manifest:
        raise NoBundle("its first line is no manifest")
    if not is_number(manifest["bundle"]) or manifest["bundle"] != VERSION:
        raise Broken(f"the bundle has another format than version {VERSION}, which this verifier knows")
    wrong = _shape(manifest)
    if wrong:
        raise Broken(f"the manifest's {wrong}")
    return manifest


def _shape(manifest: Mapping[str, Any]) -> str | None:
    """What is wrong with the shape of a manifest, beginning with the field."""
    mode = manifest.get("mode")
    if not isinstance(mode, str) or mode not in _MODES:
        return "mode is not range, subject or filter"
    keys = _KEYS | {mode}
    if manifest.keys() != keys:
        wrong = min(manifest.keys() ^ keys)
        return f"{wrong[:40]} {'must not be there' if wrong in manifest else 'is missing'} in mode {mode}"
    for key in _TEXTS:
        if not isinstance(manifest[key], str) or not manifest[key]:
            return f"{key} is not a text"
    tests: Mapping[str, bool] = {
        "log": manifest["log"] in set(LogName),
        "made_ms": is_number(manifest["made_ms"]),
        "identities": isinstance(manifest["identities"], bool),
        "endorsement": isinstance(manifest["endorsement"], dict),
        "anchors": isinstance(manifest["anchors"], list) and all(map(_is_anchor, manifest["anchors"])),
        mode: _MODES[mode](manifest[mode]),
    }
    return next((f"{key} has not the right form" for key, right in tests.items() if not right), None)


def _is_anchor(anchor: object) -> bool:
    return (
        isinstance(anchor, dict)
        and anchor.keys() == {"kind", "where"}
        and anchor["kind"] in ("file", "room")
        and isinstance(anchor["where"], str)
        and bool(anchor["where"])
    )


def _is_range(value: object) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(map(is_number, value)) and value[0] <= value[1]  # noqa: PLR2004 - from and to


def _is_subject(value: object) -> bool:
    return (
        isinstance(value, dict)
        and value.keys() == {"kind", "name"}
        and value["kind"] in ("room", "account")
        and isinstance(value["name"], str)
        and bool(value["name"])
    )


def _is_filter(value: object) -> bool:
    return isinstance(value, dict) and value.keys() <= FILTERS and all(map(_is_condition, value, value.values()))


def _is_condition(key: str, value: object) -> bool:
    if key in _LIST_FILTERS:
        return texts(value)
    return is_number(value) if key in _TIME_FILTERS else isinstance(value, str)


_MODES: Mapping[str, Callable[[object], bool]] = {
    "range": _is_range,
    "subject": _is_subject,
    "filter": _is_filter,
}
"""The key that says more of each mode, which has its name, and what it may hold."""


def check_provenance(manifest: dict[str, Any], trust: Trust, verify: Verify, findings: Findings) -> Provenance:
    """Check the log's key, its endorsement and the checkpoint. Raises Broken if one can't be read."""
    key = _key(manifest, trust, findings)
    checkpoint = _checkpoint(manifest["checkpoint"], key, verify)
    if checkpoint.origin != manifest["origin"]:
        findings.add(1, "the checkpoint is of another log than the manifest's origin")
    if manifest["mode"] == "range" and manifest["range"][1] > checkpoint.size:
        findings.add(1, f"the manifest's range reaches beyond the checkpoint, which covers {checkpoint.size} records")
    endorsed = _endorsement(manifest, trust, verify, findings)
    return Provenance(manifest=manifest, key=key, checkpoint=checkpoint, endorsed=endorsed)


def _key(manifest: Mapping[str, Any], trust: Trust, findings: Findings) -> Key:
    origin, vkey = manifest["origin"], manifest["vkey"]
    try:
        key = Key.parse(vkey)
    except NoteError as error:
        raise Broken(f"the manifest's vkey can't be used: {error}") from None
    if key.name != origin:
        findings.add(1, "the manifest's vkey is the key of another log than its origin")
    if not _is_origin(origin, manifest["log"]):
        findings.add(1, f"the manifest's origin is not that of a log {manifest['log']}")
    if trust.vkey is not None and trust.vkey != vkey:
        findings.add(1, "the bundle is signed by another key than the one that was given with --vkey")
    return key


def _is_origin(origin: str, log: str) -> bool:
    """<server name>/retention/<log>, and /<n> for each shard after the first."""
    server, *rest = origin.split("/")
    if not server or rest[:2] != ["retention", log]:
        return False
    return not rest[2:] or (len(rest) == 3 and rest[2].isascii() and rest[2].isdigit() and rest[2][0] != "0")  # noqa: PLR2004 - with a shard


def _checkpoint(note: str, key: Key, verify: Verify) -> Checkpoint:
    try:
        checkpoint = Checkpoint.parse(open_note(note, (key,), verify).text)
    except NoteError as error:
        raise Broken(f"the manifest's checkpoint does not hold: {error}") from None
    if checkpoint.extensions:
        raise Broken("the manifest's checkpoint has more lines than a checkpoint of this log")
    return checkpoint


def _endorsement(manifest: Mapping[str, Any], trust: Trust, verify: Verify, findings: Findings) -> bool:
    said = manifest["endorsement"]
    wrong = _endorsement_shape(said, manifest)
    if wrong:
        findings.add(1, f"the endorsement of the log's key {wrong}")
        return False
    server = manifest["origin"].split("/")[0]
    signatures = said["signatures"][server]
    known = [key_id for key_id in signatures if key_id in trust.server_keys]
    if trust.server_keys and not known:
        findings.add(1, "the endorsement is signed by another key than those given with --server-key")
    message = canonical({key: value for key, value in said.items() if key != "signatures"}).encode()
    for key_id in known:
        if not verify(trust.server_keys[key_id], message, _unb64_standard(signatures[key_id])):
            findings.add(1, f"the endorsement's signature by the homeserver's key {key_id[:60]} does not hold")
    return bool(known)


def _endorsement_shape(said: Mapping[str, Any], manifest: Mapping[str, Any]) -> str | None:
    if said.keys() != _ENDORSEMENT:
        return "has not exactly the keys " + ", ".join(sorted(_ENDORSEMENT))
    server = manifest["origin"].split("/")[0]
    valid_from = said["valid_from_ms"]
    wrong = {
        f"is not of type {ENDORSEMENT_TYPE}": said["type"] != ENDORSEMENT_TYPE,
        "is for another log than the manifest's origin": said["origin"] != manifest["origin"],
        "is for another key than the manifest's vkey": said["vkey"] != manifest["vkey"],
        "is valid only after the bundle was made": not is_number(valid_from) or valid_from > manifest["made_ms"],
        f"is not signed by {server[:60]}, and by it alone": not _are_signatures(said["signatures"], server),
    }
    return next((text for text, is_so in wrong.items() if is_so), None)


def _are_signatures(signatures: object, server: str) -> bool:
    if not isinstance(signatures, dict) or signatures.keys() != {server}:
        return False
    by_key = signatures[server]
    return isinstance(by_key, dict) and bool(by_key) and all(map(_is_signature, by_key, by_key.values()))


def _is_signature(key_id: str, text: object) -> bool:
    return key_id.startswith("ed25519:") and isinstance(text, str) and len(_unb64_standard(text)) == _SIGNATURE_BYTES


def _unb64_standard(text: str) -> bytes:
    """Unpadded base64 as in the Matrix specification; no bytes if it is none."""
    if "-" in text or "_" in text:
        return b""
    try:
        return unb64_strict(text.replace("+", "-").replace("/", "_"))
    except ValueError:
        return b""


def hashes(proof: Sequence[str]) -> list[bytes]:
    """The hashes of a proof. Raises ValueError."""
    if not {_HASH_CHARS}.issuperset(map(len, proof)):
        raise ValueError(_NO_HASH)
    return _apart("".join([one + "A" for one in proof]).encode())


def plain_proof(line: bytes) -> list[bytes] | None:
    """The hashes of a proof from its line, with the newline; None if it has none, or anything is wrong with it."""
    listed = line[len(_PROOF) : -len(_PROVED)]
    between, apart = len(listed) // (_HASH_CHARS + 3), (b'"', b",", b'"')
    found = [listed[_HASH_CHARS + at :: _HASH_CHARS + 3] for at in range(3)]
    if line != _PROOF + listed + _PROVED or found != [one * between for one in apart]:
        return None
    try:
        return _apart(listed.replace(b'","', b"A") + b"A")
    except ValueError:
        return None


def _apart(text: bytes) -> list[bytes]:
    """The hashes of a text in which an A follows each. Raises ValueError."""
    # With the six zero bits that the A stands for, each is 44 characters, which are 33 bytes of its own.
    data = a2b_base64(text.translate(FROM_URL))
    spelled = b2a_base64(data, newline=False).translate(TO_URL) == text  # else something was passed over
    count, over = divmod(len(data), HASH_BYTES + 1)
    if not spelled or over or data[HASH_BYTES :: HASH_BYTES + 1] != bytes(count):
        raise ValueError(_NO_HASH)
    return [data[at : at + HASH_BYTES] for at in range(0, len(data), HASH_BYTES + 1)]
