# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""HTTP on Synapse's listeners: who asks, which endpoint, and each kind of error as a status, once."""

from __future__ import annotations

import json
import logging
import secrets
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from synapse.http.server import DirectServeJsonResource
from synapse.module_api.errors import SynapseError
from typing_extensions import override

from synapse_groupreg import errors, texts
from synapse_groupreg.handlers.exports import Download
from synapse_groupreg.policy.staff import Staff
from synapse_groupreg.web import group_page, openapi, pages, rules, streaming
from synapse_groupreg.web.endpoint import Call, find
from synapse_groupreg.web.front import PREFIX

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from synapse.http.site import SynapseRequest
    from synapse.module_api import ModuleApi
    from synapse.util.clock import Clock

    from synapse_groupreg.handlers.group_pages import GroupPages
    from synapse_groupreg.web.endpoint import Endpoint
    from synapse_groupreg.web.services import Services

logger = logging.getLogger(__name__)

BASE = f"{PREFIX}/v1"
_MAX_BODY = 4 * 1024 * 1024
_STATUS: dict[type[errors.GroupRegError], tuple[int, str]] = {
    errors.Invalid: (400, "M_INVALID_PARAM"),
    errors.NotPermitted: (403, "M_FORBIDDEN"),
    errors.NotFound: (404, "M_NOT_FOUND"),
    errors.Conflict: (409, "ORG_GROUPREG_CONFLICT"),
    errors.Unavailable: (503, "ORG_GROUPREG_UNAVAILABLE"),
}
Response = tuple[int, dict[str, Any]]


class Site(DirectServeJsonResource):
    """Everything under `/_synapse/client/groupreg`."""

    isLeaf = True  # noqa: N815 - twisted's name

    def __init__(
        self,
        api: ModuleApi,
        clock: Clock,
        services: Services,
        *,
        endpoints: Sequence[Endpoint],
        policy: Callable[[], dict[str, Any]],
        contact: str | None,
        version: str,
        groups: GroupPages | None = None,
    ) -> None:
        super().__init__(clock=clock)
        self._api = api
        self._services = services
        self._endpoints = endpoints
        self._policy = policy
        self._contact = contact
        self._groups = groups
        self._version = version

    @cached_property
    def _document(self) -> dict[str, Any]:
        """Made when it is first asked for: it takes as long as much else of a start, and few servers are ever asked."""
        return openapi.document(self._endpoints, BASE, self._version)

    @override
    async def _async_render(self, request: SynapseRequest) -> Response | None:
        """Synapse's hook for a resource that routes by itself."""
        # Synapse writes the address of each request into its log when it is done; conditions of a list name people.
        request.uri = request.path
        path = request.path.decode("ascii", errors="replace").removeprefix(PREFIX)
        if path in ("/rules", "/rules/"):
            self._rules(request)
            return None
        if path.startswith("/g/"):
            return await self._guarded(lambda: self._group(request, unquote(path.removeprefix("/g/"))))
        if path == "/v1/openapi.json":
            return 200, self._document
        return await self._guarded(
            lambda: self._answer(request, path.removeprefix("/v1/") if path.startswith("/v1/") else "")
        )

    async def _answer(self, request: SynapseRequest, path: str) -> Response | None:
        found = find(self._endpoints, path)
        if not found:
            raise SynapseError(404, "There is nothing at this address; see /v1/openapi.json.", "M_UNRECOGNIZED")
        method = request.method.decode("ascii")
        chosen = next(((endpoint, values) for endpoint, values in found if endpoint.method == method), None)
        if chosen is None:
            allowed = ", ".join(endpoint.method for endpoint, _ in found)
            raise SynapseError(405, f"This address takes {allowed}.", "M_UNRECOGNIZED")
        endpoint, values = chosen
        staff = await self._staff(request)
        endpoint.authorise(staff, values)
        call = Call(
            staff=staff,
            path=values,
            query=endpoint.parse_query(_query(request)),
            body=endpoint.parse_body(_json(request)) if endpoint.body is not None else None,
        )
        answer = await endpoint.handle(call)
        if isinstance(answer, Download):
            await streaming.send(request, answer, self._services.homeserver)
            return None
        return 200, answer

    async def _staff(self, request: SynapseRequest) -> Staff:
        requester = await self._api.get_user_by_req(request)
        user_id = requester.user.to_string()
        # Under delegated authentication the right to administer lies in the token, not in the users table.
        admin = "urn:synapse:admin:*" in requester.scope or await self._services.homeserver.is_admin(user_id)
        return Staff(user_id=user_id, roles=self._services.snapshot.staff.get(user_id, frozenset()), admin=admin)

    async def _guarded(self, answering: Callable[[], Awaitable[Response | None]]) -> Response | None:
        try:
            return await answering()
        except SynapseError:
            raise
        except errors.GroupRegError as error:
            status, errcode = next(_STATUS[kind] for kind in type(error).__mro__ if kind in _STATUS)
            body: dict[str, Any] = {"errcode": errcode, "error": error.message, "org.groupreg.code": error.code}
            if isinstance(error, errors.WithProblems):
                body["org.groupreg.fields"] = [{"field": one.path, "problem": one.text} for one in error.problems]
            return status, body
        except Exception:
            reference = secrets.token_hex(4)
            logger.exception("An API request failed, reference %s", reference)
            return 500, {
                "errcode": "M_UNKNOWN",
                "error": f"Internal error; the log has it under reference {reference}.",
            }

    def _rules(self, request: Any) -> None:  # twisted's own methods are untyped
        language = self._language(request)
        page = rules.render_rules(
            self._policy(), language, self._services.homeserver.server_name, contact=self._contact
        )
        _send_page(request, page, language)

    async def _group(self, request: Any, written: str) -> None:
        """The page of a group. Whoever may not see it is told the same as of one that doesn't exist."""
        key, language = _query(request).get("key"), self._language(request)
        request.uri = request.path  # or Synapse's log would have the key
        found = None if self._groups is None else await self._groups.see(written, key)
        server_name = self._services.homeserver.server_name
        if found is None:
            page = group_page.render_missing(language, server_name, contact=self._contact)
        else:
            page = group_page.render_group(found, language, server_name, contact=self._contact, key=key)
        headers = {"Cache-Control": "private, no-store"} if key else group_page.HEADERS
        _send_page(request, page, language, status=200 if found else 404, **headers)

    def _language(self, request: Any) -> str:
        chosen = _query(request).get("lang") or request.getHeader("Accept-Language")
        return texts.best_language(chosen, self._services.config.texts.default_language)


def _send_page(request: Any, page: bytes, language: str, *, status: int = 200, **headers: str) -> None:
    request.setResponseCode(status)
    told = {**pages.HEADERS, **headers, "Content-Language": language, "Content-Length": str(len(page))}
    for name, value in told.items():
        request.setHeader(name, value)
    if request.method != b"HEAD":
        request.write(page)
    request.finish()


def _query(request: SynapseRequest) -> dict[str, str]:
    args: dict[bytes, list[bytes]] = request.args or {}
    return {name.decode(errors="replace"): values[-1].decode(errors="replace") for name, values in args.items()}


def _json(request: SynapseRequest) -> object:
    assert request.content is not None
    raw = request.content.read(_MAX_BODY + 1)
    if len(raw) > _MAX_BODY:
        raise SynapseError(413, "The body is too large: send at most 4 MiB.", "M_TOO_LARGE")
    try:
        return json.loads(raw) if raw.strip() else {}
    except (ValueError, RecursionError):
        raise SynapseError(400, "The body must be JSON.", "M_NOT_JSON") from None
