# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The server that `groupreg up` sets up for trying things out: its folder, servers, sample people and guide."""
