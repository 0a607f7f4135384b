# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a group is about: one of the names in the configuration (article 7.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from synapse_groupreg.config.types import NO_CATEGORY, folded

if TYPE_CHECKING:
    from collections.abc import Iterable

NONE = NO_CATEGORY


def choose(said: str, categories: Iterable[str]) -> str | None:
    """The category that somebody means, however typed, as the operator wrote it; None if there is no such one."""
    return next((one for one in categories if folded(one) == folded(said)), None)
