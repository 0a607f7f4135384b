# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Files that only one recipient can read, in the format of age (age-encryption.org/v1), piece by piece.

By `pyrage`, which is optional: the extra `age` installs it. Nothing unencrypted is ever written to a disk.
"""

from __future__ import annotations

import io
import os
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, BinaryIO

from typing_extensions import override

from synapse_groupreg.cli.failures import BadInput

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

MAGIC = b"age-encryption.org/v1"
"""What a file of age begins with."""


def encrypt(chunks: Iterable[bytes], out: BinaryIO, recipients: Sequence[str]) -> None:
    """Write what `chunks` yield to `out`, so that each of the recipients (`age1...`) can read it. Raises BadInput.

    What the chunks raise goes through; then `out` holds a part of a file, which doesn't decrypt.
    """
    age = _pyrage()
    keys = []
    for recipient in recipients:
        try:
            keys.append(age.x25519.Recipient.from_str(recipient))
        except age.RecipientError:
            raise BadInput(f"{recipient[:80]} is no recipient of age, which begins with `age1`.") from None
    reader = _Reader(chunks)
    try:
        age.encrypt_io(reader, out, keys)
    except Exception:
        # The library says only that reading failed.
        if reader.error is not None:
            raise reader.error from None
        raise


@contextmanager
def decrypted(file: BinaryIO, identities: Path) -> Iterator[BinaryIO]:
    """Open an encrypted file for reading, with the identities (`AGE-SECRET-KEY-1...`, one a line) of another.

    Raises BadInput, also from reading: a file of age says only at each piece whether it was changed.
    """
    age = _pyrage()
    keys = _identities(age, identities)
    source, sink = os.pipe()
    failed: list[Exception] = []

    def decrypt() -> None:
        try:
            with os.fdopen(sink, "wb") as out:
                age.decrypt_io(file, out, keys)
        except Exception as error:  # noqa: BLE001 - told to who reads
            failed.append(error)

    # The library pushes what we pull: a pipe and a thread turn one into the other.
    thread = threading.Thread(target=decrypt, daemon=True)
    with os.fdopen(source, "rb") as plain:
        thread.start()
        yield io.BufferedReader(_Checked(plain, thread, failed))
    thread.join()


class _Checked(io.RawIOBase):
    """The end of a pipe that, at its end, tells how the other one ended."""

    def __init__(self, plain: BinaryIO, thread: threading.Thread, failed: list[Exception]) -> None:
        self._plain = plain
        self._thread = thread
        self._failed = failed

    @override
    def readable(self) -> bool:
        return True

    @override
    def readinto(self, buffer: Any) -> int:
        """Fill the buffer with what is there."""
        data = self._plain.read1(len(buffer))  # type: ignore[attr-defined]  # it is a buffered reader
        if not data:
            self._thread.join()
            if self._failed:
                raise BadInput("The file can't be decrypted: it is for somebody else, or it was changed.")
        buffer[: len(data)] = data
        return len(data)


class _Reader:
    """What the library reads from."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = iter(chunks)
        self._rest = b""
        self.error: BaseException | None = None

    def read(self, size: int) -> bytes:
        """The next bytes, at most `size`; none at the end."""
        try:
            while not self._rest:
                self._rest = next(self._chunks)
        except StopIteration:
            return b""
        except BaseException as error:
            self.error = error
            raise
        found, self._rest = self._rest[:size], self._rest[size:]
        return found


def _identities(age: Any, path: Path) -> list[Any]:
    try:
        lines = [line.strip() for line in path.read_text("utf-8").splitlines()]
    except (OSError, UnicodeDecodeError):
        raise BadInput(f"Can't read the identities in {path.name}.") from None
    try:
        keys = [age.x25519.Identity.from_str(line) for line in lines if line and not line.startswith("#")]
    except age.IdentityError:
        raise BadInput(f"{path.name} holds a line that is no identity of age (AGE-SECRET-KEY-1...).") from None
    if not keys:
        raise BadInput(f"{path.name} holds no identity of age.")
    return keys


def _pyrage() -> Any:
    try:
        import pyrage  # noqa: PLC0415 - optional
    except ImportError:
        raise BadInput("This needs pyrage: pip install 'synapse-groupreg[age]'.") from None
    return pyrage
