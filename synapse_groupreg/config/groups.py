# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the operator says of what people see of groups."""

from __future__ import annotations

import itertools
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from synapse_groupreg.config.types import Categories, Section

_MOST_TIERS = 20


def _rising(bounds: tuple[int, ...]) -> tuple[int, ...]:
    if len(bounds) >= _MOST_TIERS:
        message = f"must have fewer than {_MOST_TIERS} numbers"
        raise ValueError(message)
    if any(later <= earlier for earlier, later in itertools.pairwise(bounds)):
        raise ValueError("must be numbers of members, each larger than the one before, like [50, 200, 500]")
    return bounds


Bounds = Annotated[tuple[Annotated[int, Field(ge=1, le=1_000_000)], ...], AfterValidator(_rising)]


class GroupsConfig(Section):
    """What people see of a group: its number and its page (articles 8.2 and 8.3)."""

    aliases: bool = True
    """Whether a group that anybody may enter or find has the alias `#g<number>`, for as long as that is so."""
    pages: Literal["members", "everybody"] = "members"
    """Who sees the page of any other group: members, by a link that they ask for and that ends, or everybody."""
    widgets: bool = False
    """Whether groups whose page everybody sees carry it as a widget, which Element shows; the module puts it there."""
    categories: Categories = ()
    """Names of which a founder may give one to a group (article 7.1); they differ by more than case."""
    size_tiers: Bounds = (50, 200, 500)
    """The most members of each size tier but the last (article 7.1), like `[50, 200, 500]`; none: no tiers."""
