# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Files of age: written and read piece by piece, for their recipient only."""

from __future__ import annotations

import io
import sys
from typing import TYPE_CHECKING, Any

import pyrage
import pytest

from synapse_groupreg.cli.age import decrypted, encrypt
from synapse_groupreg.cli.failures import BadInput
from tests.retention.sample_log import sample

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def identity(tmp_path: Path) -> Any:
    """An identity, and the file that it is in."""
    made = pyrage.x25519.Identity.generate()
    (tmp_path / "me.txt").write_text(f"# created today\n{made}\n", "utf-8")
    return made


def sealed(identity: Any, chunks: list[bytes]) -> bytes:
    out = io.BytesIO()
    encrypt(chunks, out, [str(identity.to_public())])
    return out.getvalue()


def test_what_is_encrypted_comes_back_line_by_line(identity: Any, tmp_path: Path) -> None:
    chunks = [b"", b"one\ntw", b"o\n", b"x" * 300_000 + b"\n", b"end"]
    data = sealed(identity, chunks)
    assert b"one" not in data
    with decrypted(io.BytesIO(data), tmp_path / "me.txt") as plain:
        assert list(plain) == [b"one\n", b"two\n", b"x" * 300_000 + b"\n", b"end"]


def test_a_changed_file_is_refused(identity: Any, tmp_path: Path) -> None:
    data = bytearray(sealed(identity, [b"line\n" * 50_000]))
    data[-5] ^= 1
    with pytest.raises(BadInput, match="can't be decrypted"), decrypted(io.BytesIO(data), tmp_path / "me.txt") as plain:
        list(plain)


def test_reading_may_stop_in_the_middle(identity: Any, tmp_path: Path) -> None:
    with decrypted(io.BytesIO(sealed(identity, [b"line\n" * 500_000])), tmp_path / "me.txt") as plain:
        assert plain.readline() == b"line\n"


def test_what_goes_wrong_while_the_chunks_are_made_goes_through(identity: Any) -> None:
    def chunks() -> Iterator[bytes]:
        yield b"a"
        raise ConnectionError("the server went away")

    with pytest.raises(ConnectionError, match="went away"):
        encrypt(chunks(), io.BytesIO(), [str(identity.to_public())])


def test_a_recipient_that_is_none_is_bad_input() -> None:
    with pytest.raises(BadInput, match="is no recipient of age"):
        encrypt([], io.BytesIO(), ["age1nonsense"])


@pytest.mark.parametrize("content", ["", "# nothing\n", "AGE-SECRET-KEY-1NONSENSE\n"])
def test_a_file_without_an_identity_is_bad_input(tmp_path: Path, identity: Any, content: str) -> None:
    (tmp_path / "none.txt").write_text(content, "utf-8")
    with pytest.raises(BadInput), decrypted(io.BytesIO(sealed(identity, [b"a"])), tmp_path / "none.txt"):
        pass


def test_without_the_library_that_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyrage", None)
    with pytest.raises(BadInput, match=r"pip install 'synapse-groupreg\[age\]'"):
        encrypt([], io.BytesIO(), [])


def test_an_encrypted_bundle_verifies_for_its_recipient(logged_out: Any, identity: Any, tmp_path: Path) -> None:
    file = tmp_path / "bundle.age"
    file.write_bytes(sealed(identity, sample().export_range(0, 5)))
    assert logged_out("verify", file, "--identity", tmp_path / "me.txt").exit_code == 0
    unnamed = logged_out("verify", file)
    assert unnamed.exit_code == 2
    assert "bundle.age is encrypted: name the file with your identity by --identity." in unnamed.stderr
    (tmp_path / "other.txt").write_text(str(pyrage.x25519.Identity.generate()), "utf-8")
    other = logged_out("verify", file, "--identity", tmp_path / "other.txt")
    assert other.exit_code == 2
    assert "The file can't be decrypted: it is for somebody else" in other.stderr
