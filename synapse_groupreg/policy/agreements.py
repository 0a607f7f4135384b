# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Measures rest on the law or on what was agreed (article 11): which of them rest on the agreement with a person."""

from __future__ import annotations

import unicodedata

_NAMES = ("agreement", "terms of service", "terms of use", "协议", "协定", "協議", "约定", "約定", "약관", "협약")
"""What staff call an agreement in a basis, in the languages of the module."""


def rests_on_agreement(basis: str) -> bool:
    """Whether a basis is a clause of the agreement, and not an article or a rule."""
    said = unicodedata.normalize("NFKC", basis).casefold()
    return any(name in said for name in _NAMES)
