# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The retention store's mathematics: records, the tree over them, signed checkpoints, bundles (article 13).

Pure: no clock, no SQL, no Synapse. The verifier of bundles is here too, and runs in production and in tests alike.
"""
