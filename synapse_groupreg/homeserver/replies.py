# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What Synapse is answered: the one place where an answer of the gate becomes a status and a body."""

from __future__ import annotations

import logging
import secrets
from typing import TYPE_CHECKING, Any, Literal

from synapse.api.errors import Codes
from synapse.module_api import NOT_SPAM
from synapse.module_api.errors import SynapseError

from synapse_groupreg.handlers import metrics
from synapse_groupreg.handlers.gate import GO_ON, Answer

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from synapse_groupreg.config import GroupRegConfig, Mode
    from synapse_groupreg.handlers.wording import Wording, Words

logger = logging.getLogger(__name__)

AttemptName = Literal["send", "join", "found", "invite", "manage"]
Verdict = Literal["NOT_SPAM"] | tuple[Codes, dict[str, Any]]
_FORBIDDEN = 403
_NOT_INVITED = "You are not invited to this room."


class Replies:
    """Runs a judgement and words its outcome; whatever goes wrong on the way is caught here, once."""

    def __init__(self, config: GroupRegConfig, words: Words, server_name: str, mode: Callable[[], Mode]) -> None:
        self._on_error = config.on_error
        self._words = words
        self._server_name = server_name
        self._mode = mode

    async def give(self, attempt: AttemptName, user_id: str, judging: Callable[[], Awaitable[Answer]]) -> Verdict:
        """The answer in the form that spam-checker callbacks return."""
        try:
            return await self._word(user_id, await judging())
        except SynapseError:
            raise
        except Exception:
            reference = secrets.token_hex(4)
            # No identity in the log: the reference is what a person can quote.
            logger.exception("A check (%s) failed, reference %s", attempt, reference)
            return await self._failed(attempt, user_id, reference)

    async def insist(self, attempt: AttemptName, user_id: str, judging: Callable[[], Awaitable[Answer]]) -> None:
        """Raise the answer, where a callback can't return a body."""
        verdict = await self.give(attempt, user_id, judging)
        if isinstance(verdict, tuple):
            code, body = verdict
            raise SynapseError(_FORBIDDEN, body["error"], code, additional_fields=body)

    async def refuse(self, code: str, user_id: str, **facts: object) -> Verdict:
        """Refuse for a reason that is no rule of the regulation."""
        language = await self._words.language(user_id)
        return Codes.FORBIDDEN, _body(self._words.word(code, language, **facts))

    async def _word(self, user_id: str, answer: Answer) -> Verdict:
        if answer is GO_ON:
            return NOT_SPAM
        if answer.violation is not None:
            return Codes.FORBIDDEN, _body(await self._words.refusal(answer.violation, user_id, answer.attempt))
        if answer.not_welcome:
            return Codes.FORBIDDEN, {"errcode": Codes.FORBIDDEN, "error": _NOT_INVITED}
        assert answer.unavailable
        return await self.refuse("unavailable", user_id)

    async def _failed(self, attempt: AttemptName, user_id: str, reference: str) -> Verdict:
        # A dry run refuses nothing, whatever fails.
        choice = getattr(self._on_error, attempt) if self._mode() == "enforce" else "allow"
        metrics.FAILURES.labels(server_name=self._server_name, attempt=attempt).inc()
        if choice == "allow":
            return NOT_SPAM
        try:
            return await self.refuse("unavailable", user_id)
        except Exception:  # the database may be what failed: then the language is unknown too
            logger.exception("The refusal could not be worded either, reference %s", reference)
            return Codes.FORBIDDEN, _body(self._words.word("unavailable", self._words.default))


def _body(wording: Wording) -> dict[str, Any]:
    return {
        "errcode": Codes.FORBIDDEN,
        "error": wording.error,
        "org.groupreg.code": wording.code,
        "org.groupreg.info": wording.info,
    }
