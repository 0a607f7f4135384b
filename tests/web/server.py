# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The site on real HTTP without sockets: Twisted's own client and server, joined in memory."""

from __future__ import annotations

import contextlib
import json
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import attrs
from synapse.api.errors import InvalidClientTokenError, MissingClientTokenError
from synapse.types import UserID
from treq.content import collect
from treq.testing import RequestTraversalAgent
from twisted.internet.defer import Deferred, succeed
from twisted.web.http_headers import Headers
from twisted.web.iweb import IBodyProducer
from twisted.web.server import Request
from zope.interface import implementer

from synapse_groupreg.policy import actions
from synapse_groupreg.policy.staff import StaffRole
from synapse_groupreg.web.api import endpoints
from synapse_groupreg.web.reading import Reading
from synapse_groupreg.web.services import Services
from synapse_groupreg.web.site import PREFIX, Site
from tests.handlers.stage import ADMIN, ALICE, BOB, CAROL
from tests.storage import seed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from synapse_groupreg.handlers.group_pages import GroupPages
    from synapse_groupreg.web.endpoint import Endpoint
    from tests.handlers.stage import Stage

STAFF = {role.value: seed.local(role.value) for role in StaffRole}
TOKENS = {"admin": ADMIN, "alice": ALICE, "bob": BOB, "carol": CAROL, **STAFF}
"""Access tokens, and whose they are."""


class AtOnce:
    """A reactor's threads: whatever is given to one is done at once."""

    def getThreadPool(self) -> AtOnce:  # noqa: N802 - twisted's names
        return self

    def callInThreadWithCallback(self, done: Callable[[bool, Any], None], work: Callable[..., Any], *args: Any) -> None:  # noqa: N802 - as above
        done(True, work(*args))

    def callFromThread(self, work: Callable[..., Any], *args: Any, **kwargs: Any) -> None:  # noqa: N802 - as above
        work(*args, **kwargs)


class ServedRequest(Request):
    """What Synapse's resources expect of a request beyond Twisted's own."""

    requester = None
    our_server_name = "test"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.request_metrics = SimpleNamespace(name="")
        self.reactor = AtOnce()

    @contextlib.contextmanager
    def processing(self) -> Iterator[None]:
        yield


@implementer(IBodyProducer)
class Body:
    def __init__(self, content: bytes) -> None:
        self._content = content
        self.length = len(content)

    def startProducing(self, consumer: Any) -> Deferred[None]:  # noqa: N802 - as above
        consumer.write(self._content)
        return succeed(None)

    def pauseProducing(self) -> None:  # noqa: N802 - as above
        pass

    stopProducing = pauseProducing  # noqa: N815 - as above


@attrs.frozen
class Reply:
    """What came back."""

    status: int
    headers: dict[str, str]
    content: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.content)

    @property
    def fields(self) -> dict[str, str]:
        """What was wrong with the request, by field."""
        return {one["field"]: one["problem"] for one in self.json["org.groupreg.fields"]}


class Api:
    """Synapse's `ModuleApi`, as far as the site uses it."""

    def __init__(self) -> None:
        self.scopes: dict[str, set[str]] = {}

    async def get_user_by_req(self, request: Request) -> Any:
        header = request.getHeader("Authorization")
        if header is None:
            raise MissingClientTokenError
        name = header.removeprefix("Bearer ")
        if name not in TOKENS:
            raise InvalidClientTokenError
        return SimpleNamespace(user=UserID.from_string(TOKENS[name]), scope=self.scopes.get(name, set()))


class Server:
    """The site on a stage."""

    def __init__(self, stage: Stage, *, groups: GroupPages | None = None, **more: Any) -> None:
        """`more`: further services."""
        self.stage = stage
        self.api = Api()
        for role, user_id in STAFF.items():
            stage.do(seed.make_user, user_id)
            stage.act(actions.Grant(user_id=user_id, roles=frozenset({StaffRole(role)})))
        stage.refresh()
        self.services = Services(
            config=stage.config,
            database=stage.database,
            homeserver=stage.homeserver,
            snapshot=stage.snapshot,
            actions=stage.actions,
            digest=lambda reference: f"digest of {len(reference)} characters",
            about=lambda: {"version": "0", "refusals_lost": 0},
            setting=stage.setting,
            **more,
        )
        self.endpoints: tuple[Endpoint, ...] = endpoints(self.services)
        site = Site(
            self.api,  # type: ignore[arg-type]  # all that it uses
            None,  # type: ignore[arg-type]  # the clock, for rate limits, which there are none of here
            self.services,
            endpoints=self.endpoints,
            policy=Reading(self.services).live_policy,
            contact=None,
            version="0",
            groups=groups,
        )
        self._agent = RequestTraversalAgent(site)
        self._agent._serverFactory.requestFactory = ServedRequest

    def raw(
        self, method: str, path: str, *, token: str | None = None, content: bytes | None = None, **headers: str
    ) -> Reply:
        """Any request to any path, as it stands."""
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        sent = Headers({name.replace("_", "-"): [value] for name, value in headers.items()})
        body = None if content is None else Body(content)
        found: list[Any] = []
        self._agent.request(method.encode(), f"http://test{path}".encode("ascii"), sent, body).addBoth(found.append)
        self._agent.flush()
        pieces: list[bytes] = []
        done = collect(found[0], pieces.append)
        self._agent.flush()
        assert done.called, "the request was answered"
        received = {name.decode().lower(): values[-1].decode() for name, values in found[0].headers.getAllRawHeaders()}
        return Reply(found[0].code, received, b"".join(pieces))

    def ask(self, method: str, path: str, body: object = None, *, token: str | None = "admin") -> Reply:
        """A request to version 1 of the API."""
        content = None if body is None else json.dumps(body).encode()
        return self.raw(method, f"{PREFIX}/v1/{path}", token=token, content=content)
