# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Delegated authentication (MAS): shows our guard each request, where Synapse's `is_user_expired` never fires.

Synapse asks one object of each process whose token a request carries: `get_user_by_req` tells accounts of appservices
apart, then awaits `get_user_by_access_token`. Without MAS, `is_user_expired` comes right after that; here we come after
it, by taking its place. It costs one call a request, and no SQL.
"""

from __future__ import annotations

import secrets
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from twisted.web.http_headers import Headers

from synapse_groupreg.homeserver import compat
from synapse_groupreg.values import frozen

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from synapse.module_api import ModuleApi
    from synapse.synapse_rust.types import Requester

ADMIN_SCOPE = "urn:synapse:admin:*"
"""Makes its bearer a server admin; the column in the users table says nothing under MAS."""
_administering: ContextVar[str | None] = ContextVar("groupreg_administering", default=None)


def in_use(api: ModuleApi) -> bool:
    """Whether accounts live in the Matrix Authentication Service."""
    config = compat.synapse_settings(api)
    mas = getattr(getattr(config, "mas", None), "enabled", False)
    return bool(mas or getattr(getattr(config.experimental, "msc3861", None), "enabled", False))


def administers(user_id: str) -> bool:
    """Whether the request being served is of this account, with a token that makes it a server admin."""
    return _administering.get() == user_id


def guard_requests(api: ModuleApi, guard: Callable[[str], Awaitable[object]]) -> None:
    """Have each request of an account judged before it is served, but for those that expired ones may make."""
    auth: Any = compat.authentication(api)
    whose_token = auth.get_user_by_access_token

    async def judged(token: str, allow_expired: bool = False) -> Requester:  # noqa: FBT001, FBT002 - Synapse's signature
        requester: Requester = await whose_token(token, allow_expired)
        user_id = requester.user.to_string()
        _administering.set(user_id if ADMIN_SCOPE in requester.scope else None)
        if not allow_expired:
            await guard(user_id)
        return requester

    auth.get_user_by_access_token = judged


def holds(api: ModuleApi) -> bool:
    """Whether the token of a request comes by the place that `guard_requests` takes: tried with one of our own."""
    auth: Any = compat.authentication(api)
    token = secrets.token_hex(16)
    seen: list[tuple[str, bool]] = []

    async def look(token: str, allow_expired: bool = False) -> Requester:  # noqa: FBT001, FBT002 - as above
        seen.append((token, allow_expired))
        raise _SeenError

    auth.get_user_by_access_token = look
    try:
        for expired in (False, True):
            _step(auth.get_user_by_req(_Bearer.of(token), allow_expired=expired))
    except Exception:  # noqa: BLE001 - whatever it is, Synapse works in another way than we know
        return False
    finally:
        del auth.get_user_by_access_token
    return seen == [(token, False), (token, True)]


class _SeenError(Exception):
    """Ends a request of our own."""


@frozen
class _Bearer:
    """As much of a request as it takes to find its token."""

    requestHeaders: Headers  # noqa: N815 - Twisted's name
    args: dict[bytes, list[bytes]]

    @classmethod
    def of(cls, token: str) -> _Bearer:
        """A request with a token."""
        return cls(Headers({b"Authorization": [f"Bearer {token}".encode()]}), {})


def _step(request: Any) -> None:
    """Run a coroutine, which ends where it is looked at, before it waits for anything."""
    try:
        request.send(None)
    except _SeenError:
        return
    finally:
        request.close()
