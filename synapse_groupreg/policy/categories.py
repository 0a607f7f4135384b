# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a group is about: one of the names in the configuration (article 7.1)."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

NONE = "-"
"""What people write for no category."""


def choose(said: str, categories: Iterable[str]) -> str | None:
    """The category that somebody means, however typed, as the operator wrote it; None if there is no such one."""
    return next((one for one in categories if _normal(one) == _normal(said)), None)


def _normal(name: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())
