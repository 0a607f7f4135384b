# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""How records are encrypted at rest: data keys of a period, wrapped by a key that is not in the store (article 6.3).

AES-256-GCM throughout. Destroying a period's data keys destroys what they sealed, in backups and replicas too.
The tree commits to plaintext through the disclosures, so wrapping and sealing may change and every proof stays.
"""

from __future__ import annotations

import enum
import hmac
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

import attrs
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from typing_extensions import override

from synapse_groupreg.retention.records import (
    FIELDS,
    SEED_BYTES,
    b64,
    canonical,
    digest,
    digests,
    disclosure,
    quoted,
    salt,
    unb64,
)
from synapse_groupreg.values import frozen

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

KEY_BYTES = 32
NONCE_BYTES = 12
LOOKUP_BYTES = 16

_WHOLE, _PARTIAL = b"\x01", b"\x02"
_FIELD_OF = {letter: field for field, letter in FIELDS.items()}


class SealError(Exception):
    """A key is missing, or is not the one that something was sealed with."""


class Purpose(enum.StrEnum):
    """What a data key is for."""

    names = "names"
    """Rooms and accounts."""
    details = "details"
    """The other sensitive fields."""
    content = "content"
    """Contents of events, where they are kept."""
    lookup = "lookup"
    """Finding a name by a keyed digest."""


@frozen
class WrappingKey:
    """A key that wraps data keys; it lies outside the store."""

    id: str
    secret: bytes = attrs.field(repr=False)


@frozen
class KeyRing:
    """All wrapping keys: the first one wraps, each one unwraps what it wrapped."""

    keys: tuple[WrappingKey, ...]

    def wrap(self, data_key: bytes, about: str, nonce: bytes) -> tuple[str, bytes]:
        """Id of the newest wrapping key, and the data key under it. `about` binds it to its place."""
        newest = self.keys[0]
        return newest.id, nonce + AESGCM(newest.secret).encrypt(nonce, data_key, about.encode())

    def unwrap(self, key_id: str, wrapped: bytes, about: str) -> bytes:
        """The data key. Raises SealError."""
        for key in self.keys:
            if key.id == key_id:
                try:
                    return AESGCM(key.secret).decrypt(wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:], about.encode())
                except InvalidTag:
                    break
        raise SealError(f"the key {key_id}, by which {about} is sealed, is not in the key file")


class PeriodKeys:
    """The data keys of one period, ready for use."""

    def __init__(self, about: str, keys: Mapping[Purpose, bytes]) -> None:
        """`about` names log and period; it is bound into everything that is sealed."""
        self._lookup = keys[Purpose.lookup]
        self._ciphers: dict[Purpose, AESGCM] = {
            purpose: AESGCM(key) for purpose, key in keys.items() if purpose != Purpose.lookup
        }
        self._about = {purpose: f"{about}|{purpose.value}|".encode() for purpose in Purpose}

    def lookup(self, kind: str, name: str) -> bytes:
        """By what a name is found: tells nothing to who has no key."""
        return hmac.digest(self._lookup, f"{kind}|{name}".encode(), "sha256")[:LOOKUP_BYTES]

    def sealer(self, purpose: Purpose) -> Callable[[int, bytes, bytes], bytes]:
        """A function of (number of the row, nonce, plaintext)."""
        encrypt, about = self._ciphers[purpose].encrypt, self._about[purpose]

        def seal(number: int, nonce: bytes, plain: bytes) -> bytes:
            return nonce + encrypt(nonce, plain, about + number.to_bytes(8))

        return seal

    def open(self, purpose: Purpose, number: int, sealed: bytes) -> bytes:
        """The plaintext. Raises SealError if it was sealed elsewhere or changed."""
        about = self._about[purpose] + number.to_bytes(8)
        try:
            return self._ciphers[purpose].decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], about)
        except (InvalidTag, ValueError):
            where = self._about[purpose].decode().rstrip("|")
            raise SealError(f"row {number} of {where} is not what was sealed there") from None


class _Seeded(Mapping[str, bytes]):
    """Salts that are made of a seed when they are asked for: most of them never are."""

    __slots__ = ("_fields", "seed")

    def __init__(self, seed: bytes, fields: Sequence[str]) -> None:
        self.seed = seed
        self._fields = fields

    @override
    def __getitem__(self, field: str) -> bytes:
        if field not in self._fields:
            raise KeyError(field)
        return salt(self.seed, field)

    @override
    def __contains__(self, field: object) -> bool:
        return field in self._fields  # Mapping's own would make the salt

    @override
    def __iter__(self) -> Iterator[str]:
        return iter(self._fields)

    @override
    def __len__(self) -> int:
        return len(self._fields)


@frozen
class Details:
    """The sensitive fields of a record as they are kept: what can be disclosed, and digests of what was erased."""

    salts: Mapping[str, bytes]
    """By field; also of the fields whose values are names."""
    values: Mapping[str, str]
    """By field, but for names."""
    erased: Mapping[str, str]
    """By field, its digest."""

    def disclosure(self, field: str, value: str) -> str:
        """The disclosure of a field that is still there. Raises KeyError."""
        return disclosure(self.salts[field], field, value)

    def digests(self, names: Mapping[str, str]) -> dict[str, str]:
        """What the header says of all fields. `names`: the values of the fields that are names."""
        values = {**self.values, **names}
        if isinstance(self.salts, _Seeded):  # nothing was erased
            return digests(self.salts.seed, {field: quoted(values[field]) for field in self.salts})
        return {**self.erased, **{field: digest(self.disclosure(field, values[field])) for field in self.salts}}

    def without(self, fields: Sequence[str], names: Mapping[str, str]) -> Details:
        """These fields erased: of each only its digest stays."""
        gone = {field for field in fields if field in self.salts}
        all_digests = self.digests(names)
        return Details(
            {field: one for field, one in self.salts.items() if field not in gone},
            {field: value for field, value in self.values.items() if field not in gone},
            {**self.erased, **{field: all_digests[field] for field in gone}},
        )

    def packed(self) -> bytes:
        """As `pack`, once something was erased."""
        kept = {field: [b64(one), self.values.get(field)] for field, one in self.salts.items()}
        return _PARTIAL + canonical({"d": dict(self.erased), "v": kept}).encode()


def pack(seed: bytes, quoted: Mapping[str, str]) -> bytes:
    """What is sealed of a record's details: the seed of all salts, and the values as JSON strings by field."""
    values = ",".join([f'"{FIELDS[field]}":{value}' for field, value in quoted.items()])
    return b"".join((_WHOLE, seed, b"{", values.encode(), b"}"))


def unpack(plain: bytes, names: Sequence[str]) -> Details:
    """The inverse of `pack` and `Details.packed`. `names`: the fields of the record that are names."""
    if plain[:1] == _PARTIAL:
        kept = json.loads(plain[1:])
        salts = {field: unb64(one) for field, (one, _) in kept["v"].items()}
        return Details(salts, {field: value for field, (_, value) in kept["v"].items() if value is not None}, kept["d"])
    seed = plain[1 : 1 + SEED_BYTES]
    values = {_FIELD_OF[letter]: value for letter, value in json.loads(plain[1 + SEED_BYTES :].decode()).items()}
    return Details(_Seeded(seed, (*names, *values)), values, {})
