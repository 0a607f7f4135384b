# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""`groupreg`: what operators and staff type. An HTTP client of the module's REST interface; a file a group of commands.

Importing this package imports neither Synapse nor a single command: see `app`.
"""

from __future__ import annotations

from synapse_groupreg.cli.app import main

__all__ = ["main"]
