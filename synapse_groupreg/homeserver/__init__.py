# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The Synapse side: translation between Synapse's callbacks and the use cases, and nothing else."""
