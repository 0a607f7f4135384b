# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The keys of the retention store, in files outside of it: what wraps its data keys, and what signs its checkpoints."""

from __future__ import annotations

import json
import secrets
from base64 import b64decode, b64encode
from pathlib import Path
from typing import TYPE_CHECKING, Any

from synapse_groupreg.errors import CannotStart
from synapse_groupreg.homeserver.keys import make_file, replace_file, secret_file
from synapse_groupreg.retention import ed25519
from synapse_groupreg.retention.endorsement import endorse
from synapse_groupreg.retention.sealing import KEY_BYTES, KeyRing, WrappingKey

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    ServerKey = tuple[str, Callable[[bytes], bytes]]
    """Id, like `ed25519:a_AbCd`, and the signature of bytes."""

_OPTION = "retention.keys_path"
_WRAPPING, _SIGNING = "retention.keys", "retention-signing.key"


def missing_files(folder: Path) -> list[str]:
    """The names of the key files that are not there."""
    return [name for name in (_WRAPPING, _SIGNING) if not (folder / name).exists()]


class RetentionKeys:
    """`handlers.retention.keys.LogKeys`, and the rotation of both. Made on the very first start."""

    def __init__(self, folder: str, server_name: str, server_key: Callable[[], ServerKey]) -> None:
        """Raises CannotStart."""
        self._wrapping, self._signing = Path(folder) / _WRAPPING, Path(folder) / _SIGNING
        self._server_name = server_name
        self._server_key = server_key
        self._seed = secret_file(self._signing, _OPTION)
        self.public = ed25519.public_key(self._seed)
        make_file(self._wrapping, _dump([_new_key()]))
        self.ring = self._read()

    def sign(self, message: bytes) -> bytes:
        """See `LogKeys`."""
        return ed25519.sign(self._seed, message)

    def endorse(self, origin: str, vkey: str, valid_from_ms: int) -> dict[str, Any]:
        """See `LogKeys`."""
        key_id, sign = self._server_key()
        return endorse(
            origin=origin, vkey=vkey, valid_from_ms=valid_from_ms, server=self._server_name, key_id=key_id, sign=sign
        )

    def reload(self) -> None:
        """Read the files again: another process may have rotated the keys."""
        self._seed = secret_file(self._signing, _OPTION)
        self.public = ed25519.public_key(self._seed)
        self.ring = self._read()

    def add_wrapping_key(self) -> None:
        """From now on a new key wraps; the old ones still unwrap."""
        replace_file(self._wrapping, _dump([_new_key(), *self.ring.keys]))
        self.ring = self._read()

    def drop_old_wrapping_keys(self) -> None:
        """Once everything is wrapped by the newest."""
        replace_file(self._wrapping, _dump(self.ring.keys[:1]))
        self.ring = self._read()

    def renew_signing_key(self) -> None:
        """From now on a new key signs checkpoints and bundles; the old one is destroyed."""
        replace_file(self._signing, secrets.token_bytes(KEY_BYTES))
        self.reload()

    def _read(self) -> KeyRing:
        try:
            lines = json.loads(self._wrapping.read_text(encoding="utf-8"))
            return KeyRing(tuple(WrappingKey(line["id"], b64decode(line["key"], validate=True)) for line in lines))
        except (OSError, ValueError, KeyError, TypeError):
            message = f"{_OPTION}: {self._wrapping} can't be read as a list of keys; put the original file back"
            raise CannotStart(message) from None


def _new_key() -> WrappingKey:
    return WrappingKey(secrets.token_hex(4), secrets.token_bytes(KEY_BYTES))


def _dump(keys: Sequence[WrappingKey]) -> bytes:
    return json.dumps([{"id": key.id, "key": b64encode(key.secret).decode()} for key in keys]).encode()
