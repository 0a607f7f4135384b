# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Synapse's callbacks about registrations, logins and logouts; none of them decides anything.

What no callback shows: wrong passwords, and sessions that go on by a refresh token. The login that a registration
implies shows as the registration alone. Under delegated authentication (MAS) only registrations show, without address.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Any

from synapse.module_api import NOT_SPAM

from synapse_groupreg.handlers.logins import Origin
from synapse_groupreg.homeserver import compat, delegated, guard
from synapse_groupreg.values import frozen

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from typing import Literal

    from synapse.module_api import ModuleApi

    from synapse_groupreg.handlers.logins import Logins

_AT_THE_REDIRECT = "m.login.sso"
_REMEMBERED = 1000
"""Logins under way, and logouts just done, that are remembered at most."""

_LOGOUTS = {
    "logout": "logout",
    "logout/all": "logout-all",
    "devices": "devices",
    "delete_devices": "devices",
    "account/deactivate": "deactivate",
    "account/password": "password",
}
"""Where in the client API a session was ended -> what the record says."""


@frozen
class _Begun:
    """A login of which the password was right, and that no rule refused so far."""

    device_id: str | None
    at_ms: int


class LoginCallbacks:
    """The callbacks of one process."""

    def __init__(self, api: ModuleApi, logins: Logins, now_ms: Callable[[], int]) -> None:
        self._api = api
        self._logins = logins
        self._now_ms = now_ms
        self._begun: OrderedDict[str, _Begun] = OrderedDict()
        """By the id of the request."""
        self._ended: OrderedDict[tuple[str, str, str | None], None] = OrderedDict()
        """Request, account and device of logouts: a device with several tokens is logged out once."""

    def register(self) -> None:
        """Hand the callbacks to Synapse."""
        self._api.register_spam_checker_callbacks(check_login_for_spam=self.check_login_for_spam)
        self._api.register_account_validity_callbacks(
            on_user_registration=self.on_user_registration, on_user_login=self.on_user_login
        )
        if not delegated.in_use(self._api):
            # Synapse refuses these under MAS. Alone, without a checker of passwords, it changes no login flow.
            self._api.register_password_auth_provider_callbacks(on_logged_out=self.on_logged_out)

    async def on_user_registration(self, user_id: str) -> None:
        """An account was made, by whatever way."""
        request = compat.current_request()
        await self._logins.registered(user_id, _registration(request), _origin(request, user_id))

    async def check_login_for_spam(
        self,
        _user_id: str,
        device_id: str | None,
        _device_name: str | None,
        _requests: Collection[tuple[str | None, str]],
        _provider: str | None = None,
    ) -> Literal["NOT_SPAM"]:
        """Remember what only this callback is told; whether the login goes through is not known yet."""
        request = compat.current_request()
        if request is not None:
            self._begun[request.id] = _Begun(device_id, self._now_ms())
            _trim(self._begun)
        return NOT_SPAM

    async def on_user_login(self, user_id: str, way: str | None, provider: str | None) -> None:
        """A login went through."""
        if way == _AT_THE_REDIRECT:
            return  # called again, with m.login.token, when there is a session
        request = compat.current_request()
        begun = None if request is None else self._begun.pop(request.id, None)
        await self._logins.logged_in(
            user_id,
            way or "unknown",
            _origin(request, user_id),
            device_id=None if begun is None else begun.device_id,
            provider=provider,
            since_ms=None if begun is None else begun.at_ms,
        )

    async def on_logged_out(self, user_id: str, device_id: str | None, access_token: str) -> None:  # noqa: ARG002 - Synapse names its arguments; a token is nobody's business
        """A token of a session was taken back."""
        request = compat.current_request()
        if request is not None:
            ended = (request.id, user_id, device_id)
            if ended in self._ended:
                return
            self._ended[ended] = None
            _trim(self._ended)
        await self._logins.logged_out(user_id, _logout(request), _origin(request, user_id), device_id=device_id)


def _trim(remembered: OrderedDict[Any, Any]) -> None:
    if len(remembered) > _REMEMBERED:
        remembered.popitem(last=False)


def _origin(request: compat.Request | None, user_id: str) -> Origin:
    """Where it came from; of what a service or an admin does, who it was instead."""
    if request is None or request.path.startswith("/_synapse/mas/"):
        return Origin()
    if request.requester not in (None, user_id):
        return Origin(author=request.requester)
    return Origin(ip=request.ip, user_agent=request.user_agent)


def _registration(request: compat.Request | None) -> str:
    if request is None:
        return "server"
    if request.path.startswith("/_synapse/"):
        area = request.path.split("/")[2]
        return {"admin": "admin", "mas": "service", "client": "sso"}.get(area, "server")
    match guard.within_client(request.path):
        case ("register" | "login" as way,):
            return way
        case ("login", _, *_):  # CAS and older forms of SSO come back here
            return "sso"
        case _:
            return "server"


def _logout(request: compat.Request | None) -> str:
    if request is None:
        return "server"
    if request.path.startswith("/_synapse/"):
        return "admin"
    segments = guard.within_client(request.path) or ()
    area = segments[0] if segments[:1] in (("devices",), ("delete_devices",)) else "/".join(segments)
    return _LOGOUTS.get(area, "server")
