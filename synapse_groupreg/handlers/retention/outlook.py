# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What an erasure would take, month by month, and what waits until when: before anybody asks for it (article 6.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from synapse_groupreg.handlers.retention.erasing import concerns, kept_until
from synapse_groupreg.storage.store import Selection

if TYPE_CHECKING:
    from collections.abc import Sequence

    from synapse_groupreg.handlers.retention.reading import Opener
    from synapse_groupreg.storage.erasures import Erasure
    from synapse_groupreg.storage.keeping import Hold

COUNTED = 10_000
"""Records of a month that are counted; that there are more says enough."""


def outlook(opener: Opener, erasure: Erasure, *, duty_ms: int, holds: Sequence[Hold]) -> list[dict[str, Any]]:
    """The months of a log that have records of the account: how many, until when they wait, and why; blocks.

    Texts that name the account are not looked through, so there may be more records. Raises as `Opener.open`.
    """
    found = []
    mine = [one for one in holds if one.log == opener.log]
    for info in opener.reader.periods():
        assert erasure.account is not None
        name = opener.find(info.period, "account", erasure.account)
        if name is None or not concerns(erasure, info):
            continue
        rows = opener.reader.select(info.period, Selection(account=name.ref), COUNTED, newest_first=True)
        until_ms = kept_until(erasure, info, duty_ms, mine)
        waits = until_ms >= erasure.asked_ms
        by = next((f"hold {one.id}" for one in mine if one.until_ms == until_ms), "keep")
        found.append({
            "log": opener.log,
            "month": info.period.month,
            "records": len(rows),
            "until_ms": until_ms if waits else None,
            "kept_by": by if waits else None,
        })  # fmt: skip
    return found
