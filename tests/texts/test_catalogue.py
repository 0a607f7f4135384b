# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The catalogue of sentences: the same in every language, and each in its own."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from importlib import resources

import pytest

from synapse_groupreg import texts
from synapse_groupreg.config import CODES
from synapse_groupreg.policy.assurance import Assurance

OTHERS = [language for language in texts.LANGUAGES if language != "en"]
# Names that are written in Latin letters everywhere.
NAMES = re.compile(r"\{[a-z_]+\}|org\.groupreg|Matrix|UTC")


def _strings(path: str, value: object) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield path, value
        return
    branches = value.items() if isinstance(value, dict) else enumerate(value)  # type: ignore[arg-type]  # a list then
    for name, branch in branches:
        yield from _strings(f"{path}.{name}", branch)


def catalogue(language: str) -> dict[str, str]:
    """All strings of a language, read from its file without the code under test."""
    content = resources.files("synapse_groupreg.texts").joinpath(f"{language}.toml").read_text(encoding="utf-8")
    return dict(_strings("", tomllib.loads(content)))


def placeholders(sentence: str) -> set[str]:
    return set(re.findall(r"\{([a-z_]+)\}", sentence))


@pytest.mark.parametrize("language", OTHERS)
def test_every_language_has_the_same_keys_with_the_same_placeholders(language: str) -> None:
    english, other = catalogue("en"), catalogue(language)
    assert other.keys() == english.keys()
    for key, sentence in english.items():
        assert placeholders(other[key]) == placeholders(sentence), key


@pytest.mark.parametrize("language", texts.LANGUAGES)
def test_braces_stand_only_around_placeholders(language: str) -> None:
    for key, sentence in catalogue(language).items():
        assert sentence.strip() or key == ".format.gap", key
        assert not set("{}<>&") & set(re.sub(r"\{[a-z_]+\}", "", sentence)), key


@pytest.mark.parametrize("language", OTHERS)
def test_nothing_is_left_in_english(language: str) -> None:
    for key, sentence in catalogue(language).items():
        assert not re.search(r"[A-Za-z]{2,}", NAMES.sub("", sentence)), key


def test_chinese_uses_full_width_punctuation() -> None:
    for key, sentence in catalogue("zh-CN").items():
        assert not re.search(r"[,;()?!]|[^\x00-\x7f]:|:[^\x00-\x7f]", sentence), key


def test_korean_has_no_particle_that_would_have_to_agree_with_a_value() -> None:
    for key, sentence in catalogue("ko").items():
        assert not re.search(r"\}[\u2019)]?(은|는|이|가|을|를|와|과|로|으로)[\s.,]", sentence), key


def test_every_code_of_the_rules_has_texts() -> None:
    assert set(CODES) | {"unavailable", "reserved-state"} == set(texts.codes())


def test_every_assurance_has_words() -> None:
    for level in Assurance:
        assert texts.text(f"assurance.{level.name}", "en")


@pytest.mark.parametrize("language", texts.LANGUAGES)
@pytest.mark.parametrize("code", texts.codes())
def test_an_explanation_has_two_to_four_sentences_and_says_what_helps(code: str, language: str) -> None:
    explanation = texts.text(f"code.{code}.explanation", language)
    assert 2 <= len(re.findall(r"[。.](?:\s|$|(?<=。))", explanation)) <= 4
    assert texts.sentences(f"code.{code}.helps", language)
