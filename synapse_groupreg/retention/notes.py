# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Signed notes and the checkpoints of a log in them (c2sp.org/signed-note, c2sp.org/tlog-checkpoint).

Signing and verifying are handed in as functions (`ed25519.py` has them), so that a verifier can bring its own.
Everything is read strictly: there is one spelling of each note, key and checkpoint, and the others are refused.
"""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from binascii import Error as BadBase64
from collections.abc import Callable, Iterable
from hashlib import sha256
from typing import TypeAlias

import attrs

from synapse_groupreg.retention.tree import HASH_BYTES
from synapse_groupreg.values import frozen

Sign: TypeAlias = Callable[[bytes], bytes]
"""The Ed25519 signature of a message by a key that the function knows."""
Verify: TypeAlias = Callable[[bytes, bytes, bytes], bool]
"""Whether (public key, message, signature) fit."""

_ED25519 = b"\x01"
"""The type of signature and of key, before the key's own bytes."""
_ID_BYTES = 4
_KEY_BYTES = 32
_DASH = "\N{EM DASH} "
_LINES = 100
"""Signature lines of a note. The specification wants at least 16 to be accepted, and some limit."""
_LARGEST = 2**63 - 1
"""The largest tree of Go's implementation, and of every database."""
_CONTROL = re.compile(r"[\x00-\x1f]")
_SIZE = re.compile(r"0|[1-9][0-9]{0,18}")
_NAME = re.compile(r"[!-*,-~]+")


class NoteError(ValueError):
    """A note, key or checkpoint that is malformed, or a note that nobody whom we trust has signed."""


def _ours(_: object, __: object, name: str) -> None:
    """The specification allows all of Unicode but spaces and plus; a key that is trusted must not look like another."""
    if not _NAME.fullmatch(name):
        raise NoteError("the name of a key is made of printable ASCII characters other than space and plus")


def _key_bytes(_: object, __: object, public: bytes) -> None:
    if len(public) != _KEY_BYTES:
        raise NoteError(f"a public Ed25519 key has {_KEY_BYTES} bytes")


@frozen
class Key:
    """A public key that notes are verified with, under the name of who signs with it. Raises NoteError."""

    name: str = attrs.field(validator=_ours)
    public: bytes = attrs.field(validator=_key_bytes)

    @property
    def id(self) -> bytes:
        """Four bytes that, with the name, tell which key a signature is of; no proof of anything."""
        return sha256(self.name.encode() + b"\n" + _ED25519 + self.public).digest()[:_ID_BYTES]

    @property
    def vkey(self) -> str:
        """The key as text: name, id and key, as operators and verifiers exchange it."""
        return f"{self.name}+{self.id.hex()}+{_b64(_ED25519 + self.public)}"

    @classmethod
    def parse(cls, vkey: str) -> Key:
        """The inverse of `vkey`. Raises NoteError."""
        parts = vkey.split("+", 2)
        if len(parts) != 3:  # noqa: PLR2004 - name, id, key
            raise NoteError("a verifier key has the form name+id+key")
        blob = _unb64(parts[2], "a verifier key")
        if blob[:1] != _ED25519:
            raise NoteError("the verifier key is not an Ed25519 key, whose first byte is 1")
        key = cls(parts[0], blob[1:])
        if parts[1] != key.id.hex():
            raise NoteError(f"the id of the verifier key does not fit its name and key, which have {key.id.hex()}")
        return key


def _origin(_: object, __: object, origin: str) -> None:
    if not origin or _CONTROL.search(origin):
        raise NoteError("the origin of a checkpoint is one line that is not empty")


def _size(_: object, __: object, size: int) -> None:
    if not 0 <= size <= _LARGEST:
        raise NoteError(f"the size of a tree is a number from 0 to {_LARGEST}")


def _root(_: object, __: object, root: bytes) -> None:
    if len(root) != HASH_BYTES:
        raise NoteError(f"the root of a tree has {HASH_BYTES} bytes")


def _extensions(_: object, __: object, lines: tuple[str, ...]) -> None:
    if not all(lines) or any(map(_CONTROL.search, lines)):
        raise NoteError("an extension of a checkpoint is one line that is not empty")


@frozen
class Checkpoint:
    """What a log was at some moment: its name, how many leaves it had and the root of the tree. Raises NoteError."""

    origin: str = attrs.field(validator=_origin)
    size: int = attrs.field(validator=_size)
    root: bytes = attrs.field(validator=_root)
    extensions: tuple[str, ...] = attrs.field(default=(), validator=_extensions)
    """Lines of others, kept so that the text stays the one that was signed. Ours has none: monitors cannot check them.
    """

    @property
    def text(self) -> str:
        """What is signed."""
        return "".join(f"{line}\n" for line in (self.origin, self.size, _b64(self.root), *self.extensions))

    @classmethod
    def parse(cls, text: str) -> Checkpoint:
        """The inverse of `text`; of a note, once it was opened. Raises NoteError."""
        origin, size, root, *extensions = _lines(text, "a checkpoint", at_least=3)
        if not _SIZE.fullmatch(size):
            raise NoteError("the size of a tree is a decimal number without leading zeros")
        return cls(origin, int(size), _unb64(root, "the root of a tree"), tuple(extensions))


@frozen
class Note:
    """A text and who of those that were asked about has signed it."""

    text: str
    keys: tuple[Key, ...]


def sign(text: str, key: Key, sign: Sign) -> str:
    """A note of a text that ends with a newline, signed by one key. Raises NoteError."""
    message = _encoded(text)
    if not text.endswith("\n"):
        raise NoteError("the text of a note ends with a newline")
    return f"{text}\n{_DASH}{key.name} {_b64(key.id + sign(message))}\n"


def open_note(note: str, keys: Iterable[Key], verify: Verify) -> Note:
    """A note that at least one of the keys has signed. Raises NoteError, also if a signature by one of them is bad.

    Signatures by other keys are passed over: witnesses add theirs. Nothing of the text may be believed before.
    """
    _encoded(note)
    # The text may have empty lines too: the last one is where it ends.
    text, separator, signatures = note.rpartition("\n\n")
    if not separator:
        raise NoteError("a note has an empty line before its signatures")
    text += "\n"
    trusted = _by_name(keys)
    signers: list[Key] = []
    for name, key_id, signature in _signatures(signatures):
        key = trusted.get((name, key_id))
        if key is None:
            continue
        if not verify(key.public, text.encode(), signature):
            raise NoteError(f"the signature by {name}+{key_id.hex()} is not one of this text")
        signers.append(key)
    if not signers:
        raise NoteError("the note is signed by none of the keys that it was to be verified with")
    return Note(text, tuple(dict.fromkeys(signers)))


def _by_name(keys: Iterable[Key]) -> dict[tuple[str, bytes], Key]:
    found: dict[tuple[str, bytes], Key] = {}
    for key in keys:
        if found.setdefault((key.name, key.id), key) != key:
            raise NoteError(f"two of the keys share the name and id {key.name}+{key.id.hex()}")
    return found


def _signatures(text: str) -> list[tuple[str, bytes, bytes]]:
    """The name of the key, its id and the signature of each line. Raises NoteError."""
    lines = _lines(text, "the end of a note", at_least=1)
    if len(lines) > _LINES:
        raise NoteError(f"a note has at most {_LINES} signatures")
    return [_signature(line) for line in lines]


def _signature(line: str) -> tuple[str, bytes, bytes]:
    name, space, blob = line.removeprefix(_DASH).partition(" ")
    # Names of others may be any that the specification allows.
    if not (line.startswith(_DASH) and space and name) or "+" in name or any(map(str.isspace, name)):
        raise NoteError("a signature of a note is a line of an em dash, the name of a key and base64")
    payload = _unb64(blob, "a signature")
    if len(payload) <= _ID_BYTES:
        raise NoteError("a signature of a note begins with the four bytes of a key's id")
    return name, payload[:_ID_BYTES], payload[_ID_BYTES:]


def _lines(text: str, what: str, *, at_least: int) -> list[str]:
    """Lines of which none is empty. Not by `splitlines`, which breaks at characters that are no newline."""
    lines = text.split("\n")
    if lines.pop() or len(lines) < at_least or not all(lines):
        raise NoteError(f"{what} is at least {at_least} lines, none empty, each ended by a newline")
    return lines


def _encoded(text: str) -> bytes:
    if _CONTROL.search(text.replace("\n", "")):
        raise NoteError("a note has no control characters other than newlines")
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise NoteError("a note is valid UTF-8") from None


def _b64(data: bytes) -> str:
    """Base64 as in RFC 4648, section 4."""
    return b64encode(data).decode()


def _unb64(text: str, what: str) -> bytes:
    """The inverse of `_b64`: not what decodes to the same bytes by unused bits or missing padding."""
    try:
        data = b64decode(text, validate=True)
    except (BadBase64, ValueError):
        data = b""
    if not text or _b64(data) != text:
        raise NoteError(f"{what} is not written in base64 as RFC 4648 has it")
    return data
