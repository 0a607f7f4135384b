# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the endpoints work with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from synapse_groupreg.values import frozen

if TYPE_CHECKING:
    from collections.abc import Callable

    from synapse_groupreg.config import GroupRegConfig
    from synapse_groupreg.handlers import Homeserver
    from synapse_groupreg.handlers.actions import Actions
    from synapse_groupreg.handlers.change import Setting
    from synapse_groupreg.handlers.exports import Store
    from synapse_groupreg.handlers.retention.recall import Recall
    from synapse_groupreg.handlers.snapshot import Snapshot
    from synapse_groupreg.policy.staff import Staff
    from synapse_groupreg.storage.database import Database


@frozen(kw_only=True)
class Services:
    """Made once by `module.py`."""

    config: GroupRegConfig
    database: Database
    homeserver: Homeserver
    snapshot: Snapshot
    actions: Actions
    digest: Callable[[str], str]
    """The keyed digest of an identity reference."""
    about: Callable[[], dict[str, Any]]
    """What the process knows about itself: versions, database, settings of Synapse that undercut the rules."""
    setting: Callable[[Staff], Setting]
    """The setting in which an account acts, or looks."""
    seal: Callable[[bytes], bytes] | None = None
    """Encrypts what waits for the retention store; None where no records are kept."""
    recall: Recall | None = None
    """Searches the retention store; None where no records are kept."""
    store: Store | None = None
    """What exports need of the retention store; None where no records are kept."""
