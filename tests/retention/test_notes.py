# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Signed notes, keys and checkpoints: one spelling of each, and no other is read."""

from __future__ import annotations

from base64 import b64decode, b64encode
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synapse_groupreg.retention import ed25519
from synapse_groupreg.retention.notes import Checkpoint, Key, Note, NoteError, open_note, sign

# The example in the documentation of Go's golang.org/x/mod/sumdb/note, its keys included.
PETER = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
PETERS_SEED = b64decode("AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz")[1:]
ENOCH = "EnochRoot+af0cfe78+ATtqJ7zOtqQtYqOo0CpvDXNlMhV3HeJDpjrASKGLWdop"
TEXT = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
BY_PETER = (
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)
BY_ENOCH = "— EnochRoot rwz+eBzmZa0SO3NbfRGzPCpDckykFXSdeX+MNtCOXm2/5n2tiOHp+vAF1aGrQ5ovTG01oOTGwnWLox33WWd1RvMc+QQ=\n"
NOTE = TEXT + "\n" + BY_PETER

# The example of c2sp.org/tlog-checkpoint.
SOFA = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"

SEED = sha256(b"a key for tests").digest()
KEY = Key("hs.example.org/retention", ed25519.public_key(SEED))
ROOT = b64encode(bytes(32)).decode()


def signed(text: str, key: Key = KEY, seed: bytes = SEED) -> str:
    return sign(text, key, lambda message: ed25519.sign(seed, message))


def opened(note: str, *vkeys: str) -> Note:
    return open_note(note, [Key.parse(vkey) for vkey in vkeys], ed25519.verify)


# Keys.


@pytest.mark.parametrize("vkey", [PETER, ENOCH, KEY.vkey])
def test_a_key_is_written_as_it_was_read(vkey: str) -> None:
    assert Key.parse(vkey).vkey == vkey


def test_the_id_of_a_key_is_of_its_name_and_type_too() -> None:
    assert KEY.id == sha256(b"hs.example.org/retention\n\x01" + KEY.public).digest()[:4]
    assert Key("hs.example.org/other", KEY.public).id != KEY.id
    assert Key.parse(PETER).id.hex() == "c74f20a3"


def test_no_part_of_a_key_and_no_key_with_a_changed_character_is_read() -> None:
    parts = {PETER[start:stop] for start in range(len(PETER)) for stop in range(start + 1, len(PETER) + 1)} - {PETER}
    changed = {PETER[:at] + chr(ord(one) + 1) + PETER[at + 1 :] for at, one in enumerate(PETER)}
    for vkey in parts | changed:
        with pytest.raises(NoteError):
            Key.parse(vkey)


@pytest.mark.parametrize(
    ("vkey", "complaint"),
    [
        ("", "the form name"),
        (PETER.replace("c74f20a3", "C74F20A3"), "does not fit its name and key, which have c74f20a3"),
        (PETER.replace("PeterNeumann", "PeterNewmann"), "does not fit"),
        (PETER + "=", "not written in base64"),
        (PETER + "\n", "not written in base64"),
        ("PeterNeumann+cc469956+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TWBADKEY==", "32 bytes|base64"),
        ("PeterNeumann+173116ae+ZRpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW", "not an Ed25519 key"),
    ],
)
def test_a_key_that_is_malformed_says_why(vkey: str, complaint: str) -> None:
    with pytest.raises(NoteError, match=complaint):
        Key.parse(vkey)


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a\u00a0b", "a\u3000b", "a\nb", "a\x00b", "а.example", "\x7f"])
def test_a_key_that_is_trusted_has_a_name_that_looks_like_no_other(name: str) -> None:
    with pytest.raises(NoteError, match="printable ASCII"):
        Key(name, KEY.public)


def test_a_key_has_32_bytes() -> None:
    with pytest.raises(NoteError, match="32 bytes"):
        Key("name", bytes(31))


# Notes.


def test_a_note_is_signed_as_go_signs_it() -> None:
    assert signed(TEXT, Key.parse(PETER), PETERS_SEED) == NOTE
    assert Key("PeterNeumann", ed25519.public_key(PETERS_SEED)).vkey == PETER


def test_a_note_is_opened_with_those_of_its_keys_that_are_known() -> None:
    both = NOTE + BY_ENOCH
    assert opened(NOTE, PETER) == Note(TEXT, (Key.parse(PETER),))
    assert opened(both, PETER) == Note(TEXT, (Key.parse(PETER),))
    assert opened(both, ENOCH, PETER) == Note(TEXT, (Key.parse(PETER), Key.parse(ENOCH)))
    assert opened(NOTE + BY_PETER, PETER, PETER) == Note(TEXT, (Key.parse(PETER),))


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters=list(map(chr, range(32)))) | st.just("\n")))
def test_any_text_can_be_signed_and_comes_back(text: str) -> None:
    text += "\n"
    assert opened(signed(text), KEY.vkey) == Note(text, (KEY,))


@pytest.mark.parametrize("text", ["\n", "\n\n", "a\n\nb\n", "a\n\n\n\nb\n\n\n", f"a\n\n{BY_PETER}"])
def test_a_text_may_have_empty_lines_and_even_look_like_a_note(text: str) -> None:
    assert opened(signed(text), KEY.vkey).text == text


@pytest.mark.parametrize("text", ["", "no newline", "a\r\n", "a\tb\n", "a\x00\n", "\ud800\n"])
def test_other_text_cannot_be_signed(text: str) -> None:
    with pytest.raises(NoteError):
        signed(text)


def test_a_note_with_any_character_changed_or_dropped_or_added_is_refused() -> None:
    spoilt = {NOTE[:at] + chr(ord(one) + 1) + NOTE[at + 1 :] for at, one in enumerate(NOTE)}
    spoilt |= {NOTE[:at] + NOTE[at + 1 :] for at in range(len(NOTE))}
    spoilt |= {NOTE[:at] + one + NOTE[at:] for at in range(len(NOTE) + 1) for one in " \nA="}
    for note in spoilt - {NOTE}:
        with pytest.raises(NoteError):
            opened(note, PETER)


@pytest.mark.parametrize(
    ("note", "complaint"),
    [
        ("", "an empty line"),
        (TEXT, "an empty line"),
        (TEXT + "\n", "the end of a note"),
        (NOTE.removesuffix("\n"), "the end of a note"),
        (NOTE + "Unexpected line.\n", "an em dash"),
        (NOTE.replace("\n", "\r\n"), "control characters"),
        ("\x01" + NOTE, "control characters"),
        ("\udcff" + NOTE, "UTF-8"),
        (NOTE.replace("— ", "- "), "an em dash"),
        (NOTE.replace("PeterNeumann", "Peter+Neumann"), "an em dash"),
        (NOTE.replace("PeterNeumann", "Peter\u2003Neumann"), "an em dash"),
        (NOTE.replace("PeterNeumann", "Peter Neumann"), "base64"),
        (TEXT + "\n—  x08go/ZJ\n", "an em dash"),
        (TEXT + "\n— PeterNeumann\n", "an em dash"),
        (TEXT + "\n— PeterNeumann \n", "base64"),
        (TEXT + "\n— PeterNeumann x08gow==\n", "four bytes"),
        (NOTE.replace("nAM=", "nAN="), "base64"),  # bits that are not used
        (NOTE + BY_PETER.replace("x08go/ZJ", "x08go/ZK"), "is not one of this text"),
        (NOTE.replace("x08go/ZJ", "x08go/Z"), "base64"),
        (TEXT + "\n" + BY_ENOCH, "signed by none"),
        (NOTE.replace("PeterNeumann", "PeterNewmann"), "signed by none"),
        (NOTE.replace("x08go", "x08gp"), "signed by none"),
        (TEXT + "\n" + 101 * BY_PETER, "at most 100"),
    ],
)
def test_a_note_that_cannot_be_trusted_says_why(note: str, complaint: str) -> None:
    with pytest.raises(NoteError, match=complaint):
        opened(note, PETER)


def test_whatever_the_names_of_others_they_are_passed_over() -> None:
    """Witnesses may have any name without spaces and plus, and signatures of any length."""
    other = f"— свидетель.example/ключ {b64encode(bytes(3000)).decode()}\n"
    assert opened(NOTE + 16 * other, PETER).keys == (Key.parse(PETER),)


def test_a_signature_under_the_same_name_or_the_same_id_is_one_of_another_key() -> None:
    same_name = Key("PeterNeumann", KEY.public)
    assert opened(NOTE + signed(TEXT, same_name).removeprefix(TEXT + "\n"), PETER).keys == (Key.parse(PETER),)
    same_id = BY_PETER.replace("PeterNeumann", "SomebodyElse")
    assert opened(NOTE + same_id, PETER).keys == (Key.parse(PETER),)


def test_a_key_is_not_tried_on_notes_of_its_other_name() -> None:
    with pytest.raises(NoteError, match="signed by none"):
        opened(signed(TEXT), Key("hs.example.org/other", KEY.public).vkey)


def test_two_keys_of_one_name_and_id_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Key, "id", bytes(4))
    with pytest.raises(NoteError, match="two of the keys"):
        open_note(NOTE, [Key("a", KEY.public), Key("a", bytes(32))], ed25519.verify)


def test_a_verifier_may_bring_its_own_ed25519() -> None:
    asked = []

    def verify(public: bytes, message: bytes, signature: bytes) -> bool:
        asked.append((public, message, len(signature)))
        return True

    open_note(NOTE, [Key.parse(PETER)], verify)
    assert asked == [(Key.parse(PETER).public, TEXT.encode(), 64)]


@pytest.mark.parametrize(("public", "signature"), [(bytes(31), bytes(64)), (KEY.public, b""), (KEY.public, bytes(65))])
def test_what_is_no_key_or_no_signature_verifies_nothing(public: bytes, signature: bytes) -> None:
    assert not ed25519.verify(public, b"", signature)


# Checkpoints.


def test_the_checkpoint_of_the_specification_is_read_and_written() -> None:
    found = Checkpoint.parse(SOFA)
    assert (found.origin, found.size, found.root.hex()[:8]) == ("example.com/behind-the-sofa", 20852163, "0ac5186a")
    assert found.text == SOFA
    assert Checkpoint(found.origin, found.size, found.root).text == SOFA


def test_extension_lines_stay_part_of_the_text() -> None:
    text = SOFA + "an extension\nanother \u2028\n"
    found = Checkpoint.parse(text)
    assert found.extensions == ("an extension", "another \u2028")
    assert found.text == text


@given(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters=list(map(chr, range(32)))), min_size=1),
    st.integers(0, 2**63 - 1),
    st.binary(min_size=32, max_size=32),
)
def test_every_checkpoint_comes_back_out_of_its_note(origin: str, size: int, root: bytes) -> None:
    checkpoint = Checkpoint(origin, size, root)
    assert Checkpoint.parse(opened(signed(checkpoint.text), KEY.vkey).text) == checkpoint


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "at least 3 lines"),
        ("a\n1\n", "at least 3 lines"),
        (f"\n1\n{ROOT}\n", "at least 3 lines"),
        (f"a\n1\n{ROOT}", "at least 3 lines"),
        (f"a\n1\n{ROOT}\n\n", "at least 3 lines"),
        (f"a\n1\n{ROOT}\nb\n\nc\n", "at least 3 lines"),
        (f"a\n01\n{ROOT}\n", "leading zeros"),
        (f"a\n+1\n{ROOT}\n", "leading zeros"),
        (f"a\n-1\n{ROOT}\n", "leading zeros"),
        (f"a\n 1\n{ROOT}\n", "leading zeros"),
        (f"a\n1_0\n{ROOT}\n", "leading zeros"),
        (f"a\n\u0661\n{ROOT}\n", "leading zeros"),
        (f"a\n{2**63}\n{ROOT}\n", "a number from 0"),
        (f"a\n{'9' * 5000}\n{ROOT}\n", "leading zeros"),
        (f"a\n1\n{ROOT[:-1]}\n", "base64"),
        (f"a\n1\n{ROOT} \n", "base64"),
        (f"a\n1\n{ROOT.replace('A=', 'B=')}\n", "base64"),
        ("a\n1\nAAAA\n", "32 bytes"),
        (f"a\t\n1\n{ROOT}\n", "origin"),
        (f"a\n1\n{ROOT}\nb\r\n", "extension"),
    ],
)
def test_a_checkpoint_that_is_malformed_says_why(text: str, complaint: str) -> None:
    with pytest.raises(NoteError, match=complaint):
        Checkpoint.parse(text)


@pytest.mark.parametrize(
    ("origin", "size", "extensions"), [("", 0, ()), ("a\nb", 0, ()), ("a", -1, ()), ("a", 0, ("",)), ("a", 0, ("b\n",))]
)
def test_a_checkpoint_that_could_not_be_read_again_is_not_made(
    origin: str, size: int, extensions: tuple[str, ...]
) -> None:
    with pytest.raises(NoteError):
        Checkpoint(origin, size, bytes(32), extensions)
