# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a log needs to keep secrets and to sign: wrapping keys, its signing key, the homeserver's word for it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Protocol

from synapse_groupreg.retention.sealing import KEY_BYTES, NONCE_BYTES, PeriodKeys, Purpose
from synapse_groupreg.storage.store import KeyRow

if TYPE_CHECKING:
    from collections.abc import Sequence

    from synapse_groupreg.retention.sealing import KeyRing


class LogKeys(Protocol):
    """The keys that lie outside the store."""

    @property
    def ring(self) -> KeyRing:
        """What wraps the data keys."""

    @property
    def public(self) -> bytes:
        """The public half of the key that signs checkpoints and bundles."""

    def sign(self, message: bytes) -> bytes:
        """An Ed25519 signature."""

    def endorse(self, origin: str, vkey: str, valid_from_ms: int) -> dict[str, Any]:
        """The homeserver's word that this is a log's key: `retention.bundle.endorse` with the homeserver's own key."""

    def reload(self) -> None:
        """Read them again: another process may have rotated them. Raises CannotStart."""


def about(origin: str, month: str) -> str:
    """What data keys, and all that they seal, are bound to."""
    return f"{origin}|{month}"


def new_period_keys(ring: KeyRing, place: str) -> list[KeyRow]:
    """Fresh data keys for a period, wrapped."""
    return [wrapped(ring, place, purpose, os.urandom(KEY_BYTES)) for purpose in Purpose]


def wrapped(ring: KeyRing, place: str, purpose: str, data_key: bytes) -> KeyRow:
    """A data key under the newest wrapping key."""
    return KeyRow(purpose, *ring.wrap(data_key, f"{place}|{purpose}", os.urandom(NONCE_BYTES)))


def unwrapped(ring: KeyRing, place: str, row: KeyRow) -> bytes:
    """A data key. Raises SealError."""
    return ring.unwrap(row.wrapped_by, bytes(row.wrapped), f"{place}|{row.purpose}")


def open_period_keys(ring: KeyRing, place: str, rows: Sequence[KeyRow]) -> PeriodKeys:
    """The data keys of a period, ready for use. Raises SealError."""
    return PeriodKeys(place, {Purpose(row.purpose): unwrapped(ring, place, row) for row in rows})
