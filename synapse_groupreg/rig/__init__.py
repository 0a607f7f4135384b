# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Starts real servers (PostgreSQL, Redis, Synapse) for `groupreg up` and for the tests.

The rig stands apart: it imports none of the module's layers, so what a test sees through it is what
a client sees. Everything listens on the loopback address only.
"""

from synapse_groupreg.rig.database import Database
from synapse_groupreg.rig.postgres import Postgres
from synapse_groupreg.rig.process import RigError
from synapse_groupreg.rig.redis import Redis
from synapse_groupreg.rig.synapse import Homeserver
from synapse_groupreg.rig.workers import WorkerHomeserver, deployment

__all__ = ["Database", "Homeserver", "Postgres", "Redis", "RigError", "WorkerHomeserver", "deployment"]
