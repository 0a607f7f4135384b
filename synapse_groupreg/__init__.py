# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Synapse module: group caps, verified members, a blacklist, and staff who account for what they do."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from synapse_groupreg.module import GroupRegModule

__all__ = ["GroupRegModule"]


def __getattr__(name: str) -> object:
    """Import the module class only when Synapse asks for it, so that the CLI starts without Synapse."""
    if name == "GroupRegModule":
        from synapse_groupreg.module import GroupRegModule  # noqa: PLC0415 - lazy on purpose, see above

        return GroupRegModule
    raise AttributeError(name)
