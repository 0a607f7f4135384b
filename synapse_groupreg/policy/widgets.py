# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The page of a group as a widget of the room, as Element writes one (article 8.3)."""

from __future__ import annotations

from typing import Any

WIDGETS = "im.vector.modular.widgets"
"""State event of a room that clients show as a widget; one without content is none."""
WIDGET = "org.groupreg.page"
"""Its state key."""
PAGE_PATH = "_synapse/client/groupreg/g/"
"""Where the page of a group is, with its number behind."""


def widget(url: str, name: str) -> dict[str, Any]:
    """What makes a page a widget."""
    return {"type": "m.custom", "url": url, "name": name, "data": {}}
