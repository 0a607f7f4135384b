# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The key that digests identity references. It lies outside the database, so that a stolen database tells nobody."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import unicodedata
from pathlib import Path

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from synapse_groupreg.errors import CannotStart

_NAME = "identity.key"
_BYTES = 32
_SALT_BYTES = 16
_OUTBOX = b"synapse_groupreg outbox 1"
_LINKS = b"synapse_groupreg links 1"
_NONCE = bytes(12)


class IdentityKey:
    """Digests references; made once, never remade while the database has digests made with it."""

    def __init__(self, secret: bytes, made: Path | None = None) -> None:
        """`made`: the file, if it was not there before."""
        self._secret = secret
        self._made = made
        self._outbox = Box(secret, _OUTBOX)
        self.links = Box(secret, _LINKS)
        """Encrypts what the links to the pages of groups say."""

    @property
    def is_new(self) -> bool:
        """Whether its file was not there before."""
        return self._made is not None

    def take_back(self) -> None:
        """Remove the file of a new key, which nothing was done with: it would pass for the original."""
        if self._made is not None:
            self._made.unlink(missing_ok=True)

    @property
    def fingerprint(self) -> str:
        """Tells keys apart without telling the key."""
        return hmac.new(self._secret, b"synapse_groupreg fingerprint", hashlib.sha256).hexdigest()

    def digest(self, reference: str) -> str:
        """The keyed digest of a reference; case, width of characters and surrounding space don't matter."""
        normal = unicodedata.normalize("NFKC", reference).strip().casefold()
        return hmac.new(self._secret, b"reference\0" + normal.encode(), hashlib.sha256).hexdigest()

    def seal(self, plain: bytes) -> bytes:
        """Encrypt what waits in the outbox."""
        return self._outbox.seal(plain)

    def open(self, sealed: bytes) -> bytes:
        """The inverse of `seal`. Raises cryptography's InvalidTag for what this key didn't seal."""
        return self._outbox.open(sealed)


class Box:
    """Encrypts for one purpose: what was sealed for another can't be opened."""

    def __init__(self, secret: bytes, purpose: bytes) -> None:
        self._purpose = purpose
        self._key = HKDF(algorithm=SHA256(), length=_BYTES, salt=None, info=purpose).derive(secret)

    def seal(self, plain: bytes) -> bytes:
        """Encrypt, so that nobody can change it either."""
        # A key a message: under a single one, random nonces would be safe for no more than 2**32 messages.
        salt = secrets.token_bytes(_SALT_BYTES)
        return salt + self._cipher(salt).encrypt(_NONCE, plain, self._purpose)

    def open(self, sealed: bytes) -> bytes:
        """The inverse of `seal`. Raises cryptography's InvalidTag for what wasn't sealed here."""
        salt, rest = sealed[:_SALT_BYTES], sealed[_SALT_BYTES:]
        return self._cipher(salt).decrypt(_NONCE, rest, self._purpose)

    def _cipher(self, salt: bytes) -> AESGCM:
        return AESGCM(hmac.digest(self._key, salt, "sha256"))


def load(folder: str) -> IdentityKey:
    """Read the key, or make it on the very first start. Raises CannotStart."""
    path = Path(folder) / _NAME
    made = None if path.exists() else path
    return IdentityKey(secret_file(path, "identity.keys_path"), made)


def secret_file(path: Path, option: str) -> bytes:
    """The random bytes in a file, which is made on the very first start. Raises CannotStart, naming the option."""
    try:
        _make_folder(path.parent)
        make_file(path, secrets.token_bytes(_BYTES))
        secret = path.read_bytes()
    except OSError as error:
        message = (
            f"{option}: {path} can't be read or made: {error.strerror}; name a folder that Synapse's user may write to"
        )
        raise CannotStart(message) from None
    if len(secret) != _BYTES:
        message = f"{option}: {path} must hold exactly {_BYTES} bytes; put the original key file back"
        raise CannotStart(message)
    return secret


def _make_folder(folder: Path) -> None:
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for path in missing:
        # Or a power failure could take the folder, and with it the key to all that was sealed by then.
        _sync(path.parent)


def make_file(path: Path, content: bytes) -> None:
    """Make a file of a secret unless it is there; a rival that is faster wins, and never shows half of it."""
    if path.exists():
        return
    draft = _draft(path, content)
    try:
        os.link(draft, path)
        _sync(path.parent)
    except FileExistsError:
        return
    finally:
        draft.unlink()


def replace_file(path: Path, content: bytes) -> None:
    """Put another secret in a file's place; whoever reads meanwhile sees one or the other, whole."""
    _draft(path, content).replace(path)
    _sync(path.parent)


def _draft(path: Path, content: bytes) -> Path:
    draft = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    return draft


def _sync(folder: Path) -> None:
    """A power failure must not bring back the key that was there before: what the new one sealed would be lost."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
