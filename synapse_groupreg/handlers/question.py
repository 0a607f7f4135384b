# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What somebody asks in a chat, once it is known whom and what it is about."""

from __future__ import annotations

from typing import TYPE_CHECKING

from synapse_groupreg import texts
from synapse_groupreg.values import frozen

if TYPE_CHECKING:
    from synapse_groupreg.handlers.group_pages import Group


@frozen(kw_only=True)
class Question:
    """Who asks, in which language, about which group, if about one."""

    user_id: str
    language: str
    group: Group | None
    word: str
    written: str = ""
    text: str = ""
    mentions: tuple[str, ...] = ()
    """Whom the client of who asks linked."""

    def say(self, key: str, /, **facts: object) -> str:
        """A sentence in the language of who asks."""
        return texts.text(f"command.{key}", self.language, **facts)

    @property
    def name(self) -> str:
        """What the group is called."""
        assert self.group is not None
        return self.group.name or texts.text("group.unnamed", self.language)
