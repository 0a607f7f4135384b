# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Assurance: how well the identity behind an account is verified (article 6)."""

from __future__ import annotations

import enum


class Assurance(enum.IntEnum):
    """An ordered scale; each step includes those below it."""

    none = 0
    contact = 1
    """An e-mail address or a telephone number was verified."""
    real_name = 2
    """A civil identity was checked, by document or by a provider that did."""
    in_person = 3
    """The document was checked with its holder present."""


def parse_assurance(word: str) -> Assurance:
    """The assurance of this name. Raises ValueError with the names that exist."""
    try:
        return Assurance[word]
    except KeyError:
        names = ", ".join(level.name for level in Assurance)
        message = f"must be one of {names}"
        raise ValueError(message) from None
