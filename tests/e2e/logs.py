# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What loggers of ours wrote, and whom it names."""

from __future__ import annotations

import re


def our_lines(log: str) -> str:
    """Everything that loggers of ours said, tracebacks included, without what Synapse prints of the request."""
    entries = re.split(r"(?m)^(?=\d{4}-\d\d-\d\d )", log)
    ours = [entry for entry in entries if re.match(r"\S+ \S+ \w+ synapse_groupreg", entry)]
    return "".join(re.sub(r"^(\S+ \S+ \w+ \S+) \S+", r"\1", entry) for entry in ours)


def named_in(text: str) -> list[str]:
    """The accounts and rooms in a text; since room version 12 a room id names no server."""
    return re.findall(r"[@!][\w./+=-]+:[\w.-]+|![\w-]{43}", text)
