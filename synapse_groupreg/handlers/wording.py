# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""A refusal in the language of who reads it: their account's setting, else their client's language, else ours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from synapse_groupreg import texts
from synapse_groupreg.policy.commands import write
from synapse_groupreg.storage import people
from synapse_groupreg.values import frozen

if TYPE_CHECKING:
    from synapse_groupreg.handlers import Homeserver
    from synapse_groupreg.policy.types import Violation
    from synapse_groupreg.storage.database import Database

_KEEP_MS = 300_000
_MOST = 10_000
RULES_PATH = "_synapse/client/groupreg/rules"


@frozen
class Wording:
    """What a refusal says: a sentence, a code for programs, and a page that explains it."""

    error: str
    code: str
    info: str


class Words:
    """Finds the language of an account and words refusals in it."""

    def __init__(self, database: Database, homeserver: Homeserver, default_language: str) -> None:
        self._database = database
        self._homeserver = homeserver
        self.default = default_language
        self._languages: dict[str, tuple[str, int]] = {}

    async def refusal(self, violation: Violation, user_id: str, attempt: str) -> Wording:
        """Word a violation for an account. `attempt` is the name of what it tried."""
        language = await self.language(user_id)
        return self.word(violation.code, language, attempt=attempt, **violation.facts())

    def word(self, code: str, language: str, **facts: object) -> Wording:
        """Word a code in a language."""
        info = f"{self._homeserver.public_baseurl}{RULES_PATH}#{code}"
        return Wording(texts.refusal(code, language, info=info, **facts), code, info)

    def news(self, news: str, kind: str, language: str, *, room: str | None, **facts: Any) -> str:
        """Word what happened to a measure."""
        info = f"{self._homeserver.public_baseurl}{RULES_PATH}#appeal"
        return texts.news(news, kind, language, room=room, info=info, **facts)

    def decision(self, language: str, *, outcome: str, **facts: Any) -> str:
        """Word how an appeal was decided."""
        said = [texts.text(f"appeal.{outcome}", language, **facts), texts.text("appeal.why", language, **facts)]
        return "\n\n".join(said)

    def handover(self, news: str, language: str, *, room: str | None, number: str | None, **facts: Any) -> str:
        """Word an offer to hand a group over, or what became of it."""
        told = {
            **facts,
            "name": room or texts.text("group.unnamed", language),
            "until": texts.moment(facts["until_ms"], language),
            "accept": write("transfer", number or "", "accept"),
            "decline": write("transfer", number or "", "decline"),
        }
        return texts.text(f"handover.{news}", language, **told)

    async def language(self, user_id: str) -> str:
        """The language of an account; unknown and remote ones get the default. Kept for five minutes."""
        if not self._homeserver.is_mine(user_id):
            return self.default
        now_ms = self._homeserver.now_ms()
        kept = self._languages.get(user_id)
        if kept is not None and now_ms < kept[1]:
            return kept[0]
        wanted = await self._database.run("groupreg_language", people.language, user_id)
        if len(self._languages) >= _MOST:
            self._languages.clear()
        found = texts.best_language(wanted, self.default)
        self._languages[user_id] = (found, now_ms + _KEEP_MS)
        return found
