# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Every place where we touch what Synapse does not promise, checked once at start.

Public is `synapse.module_api` alone. What else we need, and why: the clock and the configuration of the homeserver
object, transactions at READ COMMITTED, a connection before Synapse listens, the request that a callback serves,
aliases, one event by its id, and the removal of events.
"""

from __future__ import annotations

import contextlib
import inspect
from pathlib import Path
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

import attrs
from synapse.api.constants import UserTypes
from synapse.api.room_versions import KNOWN_ROOM_VERSIONS
from synapse.logging import context as logging_context
from synapse.module_api import ModuleApi, cached
from synapse.storage.database import LoggingTransaction, make_conn
from synapse.storage.engines import PostgresEngine
from synapse.storage.engines._base import IsolationLevel
from synapse.types import RoomAlias, create_requester
from twisted.internet.defer import Deferred

from synapse_groupreg.errors import CannotStart
from synapse_groupreg.homeserver import versions
from synapse_groupreg.policy.founding import Making
from synapse_groupreg.values import frozen

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from synapse.events import EventBase

    from synapse_groupreg.storage.database import Dialect, Transaction

P = ParamSpec("P")
R = TypeVar("R")


@frozen(kw_only=True)
class Request:
    """The client's or server's request that a callback serves. `path` is raw: still percent-encoded, no query."""

    id: str
    """Unique in this process."""
    method: str
    path: str
    requester: str | None
    ip: str
    user_agent: str


def self_test(api: ModuleApi) -> None:
    """Look at every private touchpoint once. Raises CannotStart with all that are missing."""
    checks: dict[str, Callable[[], object]] = {
        "the clock": lambda: api._hs.get_clock().time_msec(),
        "the database engine": lambda: api._store.db_pool.engine,
        "the database configuration": lambda: api._store.db_pool._database_config,
        "the request of a logging context": lambda: logging_context.current_context().request,
        "the fields of a request": lambda: [
            getattr(attrs.fields(logging_context.ContextRequest), name)
            for name in ("request_id", "method", "url", "requester", "ip_address", "user_agent")
        ],
        "the homeserver's signing key": lambda: api._hs.signing_key.sign,
        "the reactor": lambda: api._hs.get_reactor().addSystemEventTrigger,
        "the name of this process": lambda: api._hs.get_instance_name,
        "events by id": lambda: api._store.get_event,
        "the removal of events": lambda: [
            inspect.signature(getattr(api._hs.get_storage_controllers().purge_events, name)).bind("!room", *further)
            for name, *further in (("purge_room",), ("purge_history", "token", True))
        ],
        "registration of bots": lambda: api._hs.get_registration_handler().register_with_store,
        "unencrypted rooms": lambda: api._hs.get_room_creation_handler().create_room,
        "aliases": lambda: (api._store.create_room_alias_association, api._store.delete_room_alias),
        "whose aliases are": lambda: api._hs.get_directory_handler().can_modify_alias,
        "rules for aliases": lambda: api._hs.config.roomdirectory.is_alias_creation_allowed,
        "the default room version": lambda: api._hs.config.server.default_room_version.msc4289_creator_power_enabled,
        "the server's power levels": lambda: api._hs.config.room.default_power_level_content_override,
        "the account of server notices": lambda: api._hs.config.servernotices.server_notices_mxid,
        "the operator's contact": lambda: api._hs.config.server.admin_contact,
        "the configuration files": lambda: api._hs.config.config_files,
    }
    missing = []
    for name, check in checks.items():
        try:
            check()
        except Exception as error:  # noqa: BLE001 - whatever it is, the touchpoint is not what we know
            missing.append(f"{name} ({error!r})")
    if missing:
        message = f"this Synapse ({versions.of_synapse()}) has no longer: {'; '.join(missing)}"
        raise CannotStart(message)


def synapse_settings(api: ModuleApi) -> Any:
    """Synapse's own configuration, to look at."""
    return api._hs.config


def database_settings(api: ModuleApi) -> dict[str, Any]:
    """Where Synapse's own database is, as its configuration has it."""
    found: dict[str, Any] = api._store.db_pool._database_config.config
    return found


def authentication(api: ModuleApi) -> Any:
    """Synapse's object that knows whose token a request carries."""
    return api._hs.get_auth()


def keys_folder(api: ModuleApi) -> str:
    """The folder beside Synapse's configuration, where our key lies unless configured otherwise."""
    files = api._hs.config.config_files
    folder = Path(files[0]).absolute().parent if files else Path.cwd()
    return str(folder / "groupreg")


def current_request() -> Request | None:
    """The request being served; None in background work."""
    current = logging_context.current_context()
    request = getattr(current, "request", None)
    if request is None:
        return None
    return Request(
        id=request.request_id,
        method=request.method,
        path=request.url.partition("?")[0],
        requester=request.requester,
        ip=request.ip_address,
        user_agent=request.user_agent,
    )


def request_origin() -> dict[str, str]:
    """Address and client of the request being served, as far as they are known."""
    request = current_request()
    found = {} if request is None else {"ip": request.ip, "user_agent": request.user_agent}
    return {name: value for name, value in found.items() if value}


def server_key(api: ModuleApi) -> tuple[str, Callable[[bytes], bytes]]:
    """The homeserver's signing key: its id, like `ed25519:a_AbCd`, and the signature of bytes."""
    key = api._hs.signing_key
    return f"{key.alg}:{key.version}", lambda message: bytes(key.sign(message).signature)


def before_shutdown(api: ModuleApi, work: Callable[[], Awaitable[None]]) -> None:
    """Have something done when the process is told to stop, while its threads still run."""
    reactor = api._hs.get_reactor()
    reactor.addSystemEventTrigger("before", "shutdown", lambda: Deferred.fromCoroutine(_awaited(work)))  # type: ignore[arg-type]  # zope's stubs take the phase for the function


def before_purges(api: ModuleApi, work: Callable[[str], Awaitable[None]]) -> None:
    """Have something done for a room before events are removed from it by whatever way; what it raises keeps them."""
    purges: Any = api._hs.get_storage_controllers().purge_events

    def held_up(purge: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
        async def purge_later(room_id: str, *further: Any) -> None:
            await work(room_id)
            await purge(room_id, *further)

        return purge_later

    purges.purge_room, purges.purge_history = held_up(purges.purge_room), held_up(purges.purge_history)


async def _awaited(work: Callable[[], Awaitable[None]]) -> None:
    await work()


def instance_name(api: ModuleApi) -> str:
    """What Synapse calls this process where it notes who wrote what."""
    name: str = api._hs.get_instance_name()
    return name


def making(api: ModuleApi, user_id: str, body: dict[str, Any]) -> Making:
    """What Synapse knows of the room that a createRoom is about to make; an unknown version it refuses itself."""
    config = api._hs.config
    asked = body.get("room_version", config.server.default_room_version.identifier)
    version = KNOWN_ROOM_VERSIONS.get(asked) if isinstance(asked, str) else None
    return Making(
        founder=user_id,
        creators_above=version is not None and version.msc4289_creator_power_enabled,
        server_levels=config.room.default_power_level_content_override or {},
    )


async def known_event(api: ModuleApi, event_id: str, room_id: str) -> EventBase | None:
    """An event of a room; None if it isn't known here."""
    event = await api._store.get_event(event_id, allow_none=True)
    return event if event is not None and event.room_id == room_id else None


async def register_bot(api: ModuleApi, user_id: str, display_name: str) -> None:
    """Make an account that nobody can log in to, marked as a bot; without the joins that people get at registration."""
    await api._hs.get_registration_handler().register_with_store(
        user_id=user_id, create_profile_with_displayname=display_name, user_type=UserTypes.BOT, approved=True
    )


async def create_unencrypted_room(api: ModuleApi, user_id: str, body: dict[str, Any]) -> str:
    """Make a room that stays readable for the server, also where rooms are encrypted by default; its id."""
    room_id, _, _ = await api._hs.get_room_creation_handler().create_room(
        create_requester(user_id), body, ratelimit=False, ignore_forced_encryption=True
    )
    return room_id


def may_make_alias(api: ModuleApi, user_id: str, alias: str) -> bool:
    """Whether the operator's rules for aliases let an account make one; of a room that has no id yet."""
    allowed: bool = api._hs.config.roomdirectory.is_alias_creation_allowed(user_id, "!", alias)
    return allowed and api._hs.get_directory_handler().can_modify_alias(RoomAlias.from_string(alias), user_id=user_id)


async def point_alias(api: ModuleApi, alias: str, room_id: str | None) -> None:
    """Let an alias of this server lead to a room or to none. Nobody made it, so that nobody is shown as who did."""
    named = RoomAlias.from_string(alias)
    await api._store.delete_room_alias(named)
    if room_id is not None:
        await api._store.create_room_alias_association(named, room_id, [api.server_name])


def server_notices_account(api: ModuleApi) -> str | None:
    """The account in whose name Synapse sends its own notices."""
    found: str | None = api._hs.config.servernotices.server_notices_mxid
    return found


def admin_contact(api: ModuleApi) -> str | None:
    """Where the operator can be reached, as Synapse's own `admin_contact` says."""
    found = api._hs.config.server.admin_contact
    return found if isinstance(found, str) else None


def redacted_event(event: EventBase) -> str | None:
    """The event that a redaction takes back: in the content since room version 11, beside it before."""
    found = event.content.get("redacts") or getattr(event, "redacts", None)
    return found if isinstance(found, str) else None


class SynapseDatabase:
    """`storage.Database` on Synapse's own pool."""

    def __init__(self, api: ModuleApi) -> None:
        self._api = api
        self._pool = api._store.db_pool
        self.dialect: Dialect = "postgres" if isinstance(self._pool.engine, PostgresEngine) else "sqlite"

    async def run(
        self, name: str, work: Callable[Concatenate[Transaction, P], R], /, *args: P.args, **kwargs: P.kwargs
    ) -> R:
        """See `storage.Database.run`. Synapse passes the isolation level on to its pool."""

        def call(txn: LoggingTransaction) -> R:
            return work(txn, *args, **kwargs)

        run: Callable[..., Deferred[R]] = self._api.run_db_interaction
        return await run(name, call, isolation_level=IsolationLevel.READ_COMMITTED)

    @contextlib.contextmanager
    def connection(self) -> Iterator[Callable[[], contextlib.AbstractContextManager[Transaction]]]:
        """Transactions on a connection of our own, blocking: for start-up, before Synapse listens."""
        connection = make_conn(
            db_config=self._pool._database_config,
            engine=self._pool.engine,
            default_txn_name="groupreg_start",
            server_name=self._api.server_name,
        )

        # As `run` has it: of processes that start at once, who waited for a row goes on with what it holds then.
        self._pool.engine.attempt_to_set_isolation_level(connection.conn, IsolationLevel.READ_COMMITTED)

        @contextlib.contextmanager
        def begin() -> Iterator[Transaction]:
            txn = connection.cursor(txn_name="groupreg_start")
            if self.dialect == "sqlite":
                txn.execute("BEGIN IMMEDIATE")
            try:
                yield txn
            except BaseException:
                connection.rollback()
                raise
            connection.commit()

        try:
            yield begin
        finally:
            connection.close()


class Poke:
    """Spreads the word of a new version over Synapse's cache invalidation, in a fraction of a second.

    A cached function holds one entry; when another process invalidates it, our next look computes it again, and that
    is the message.
    """

    def __init__(self, api: ModuleApi) -> None:
        self._api = api
        # `cached` reads these two from the object that the function belongs to.
        self.server_name = api.server_name
        self.clock = api._hs.get_clock()
        self._heard = False
        api.register_cached_function(self.groupreg_version)

    @cached()
    async def groupreg_version(self, _only: str) -> bool:
        """The cached function; its name is that of the cache on every process."""
        self._heard = True
        return True

    async def heard(self) -> bool:
        """Whether somebody poked since the last look."""
        await self.groupreg_version("version")  # type: ignore[call-arg, arg-type]  # bound by Synapse's descriptor
        heard, self._heard = self._heard, False
        return heard

    async def send(self) -> None:
        """Poke every process. Only after the change is committed."""
        await self._api.invalidate_cache(self.groupreg_version, ("version",))


wait = logging_context.make_deferred_yieldable
"""Await a Deferred of ours without losing the logging context."""

unnamed = logging_context.PreserveLoggingContext
"""A while without our logging context: whoever is woken in it goes on with their own, and would leave us none."""


def clock_ms(api: ModuleApi) -> Callable[[], int]:
    """Synapse's clock."""
    clock: Any = api._hs.get_clock()
    read: Callable[[], int] = clock.time_msec
    return read
