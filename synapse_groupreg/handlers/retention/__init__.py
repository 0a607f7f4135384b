# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The retention store at work: recording, keeping, searching, exporting, erasing (articles 13.1, 13.2, 11.4, 6.3)."""
