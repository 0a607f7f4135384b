# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Exports over HTTP: what may be asked for, who may download, and that a download comes in pieces or not at all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from twisted.internet.defer import Deferred

from synapse_groupreg.errors import Conflict
from synapse_groupreg.handlers.act_exports import KEPT_MS
from synapse_groupreg.handlers.exports import Download, Store
from synapse_groupreg.storage import outbox
from synapse_groupreg.web import streaming
from tests.database import result_of
from tests.handlers.retention.stage import Archive
from tests.handlers.stage import Stage
from tests.storage.store_places import Place
from tests.web.server import Server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.database import TestDatabase

ASKED = {"mode": "range", "case": "2026/17", "basis": "13.1"}


def turned(data: bytes) -> bytes:
    """How the stage seals."""
    return data[::-1]


@pytest.fixture
def stage(sqlite_db: TestDatabase) -> Stage:
    return Stage(sqlite_db)


class Exporter(Server):
    """A server with a store, whose recorder works at once."""

    def __init__(self, stage: Stage, archive: Archive) -> None:
        self.archive = archive
        self.store = Store(openers=archive.openers, keys=archive.keys, seal=turned, open_=turned)
        self.recorded: list[Any] = []
        self.works = True
        stage.homeserver.server_name = "example.org"
        stage.homeserver.meanwhile = lambda: self.record() if self.works else None
        super().__init__(stage, store=self.store)

    def record(self) -> None:
        """What the recorder does in one round."""
        self.stage.do(outbox.number, turned, self.stage.homeserver.now)
        self.recorded += self.stage.do(outbox.read, 0, 1000, turned)
        for log in self.archive.logs.values():
            log.checkpoint()
        self.stage.do(outbox.forget, 10**9)

    def asked(self, body: object = ASKED, token: str = "inspector") -> Any:
        reply = self.ask("POST", "exports", body, token=token)
        assert reply.status == 200, reply.content
        return reply.json


@pytest.fixture
def server(sqlite_db: TestDatabase, tmp_path: Path) -> Iterator[Exporter]:
    archive = Archive(Place({"name": "sqlite3", "args": {"database": str(tmp_path / "store")}}), tmp_path)
    archive.put(*(archive.message() for _ in range(50)))
    yield Exporter(Stage(sqlite_db), archive)
    archive.close()
    archive.place.close()


def exports_of(server: Exporter) -> list[tuple[str, Any]]:
    return [(one.type, one.facts) for one in server.recorded if one.kind == "export"]


def test_an_export_is_recorded_before_anything_is_handed_out(server: Exporter) -> None:
    server.works = False
    reply = server.ask("POST", "exports", ASKED, token="inspector")
    assert (reply.status, "not recorded within ten seconds" in reply.json["error"]) == (503, True)
    assert server.stage.homeserver.slept == pytest.approx(10)
    [[export_id]] = server.stage.database.rows("SELECT id FROM groupreg_exports")
    assert server.ask("GET", f"exports/{export_id}", token="inspector").status == 404
    server.works = True
    answer = server.asked()
    assert exports_of(server)[-1] == ("export", {
        "case": "2026/17", "log": "events", "mode": "range", "identities": False, "content": False,
        "export": answer["id"], "roles": ["inspector"],
    })  # fmt: skip


def test_a_download_is_the_bundle_and_is_recorded(server: Exporter) -> None:
    answer = server.asked()
    assert (answer["parts"], answer["bundles"][0]["file"]) == (1, "bundle-2026-17-events.jsonl")
    reply = server.ask("GET", f"exports/{answer['id']}", token="inspector")
    assert reply.status == 200
    assert reply.headers["content-type"] == "application/x-ndjson"
    assert reply.headers["content-disposition"] == 'attachment; filename="bundle-2026-17-events.jsonl"'
    assert reply.headers["cache-control"] == "no-store"
    assert len(reply.content.splitlines()) == 51 + 3
    server.record()
    assert exports_of(server)[-1][0] == "download"
    assert exports_of(server)[-1][1] | {"export": answer["id"], "part": 1} == exports_of(server)[-1][1]
    assert server.ask("GET", f"exports/{answer['id']}", token="inspector").content == reply.content


def test_only_who_asked_and_server_admins_download_and_only_for_a_day(server: Exporter) -> None:
    address = f"exports/{server.asked(token='admin')['id']}"
    assert server.ask("GET", address, token="inspector").status == 404
    assert server.ask("GET", address, token="admin").status == 200
    address = f"exports/{server.asked()['id']}"
    assert server.ask("GET", address, token="admin").status == 200
    assert server.ask("GET", f"{address}?part=2", token="admin").status == 404
    assert server.ask("GET", "exports/none", token="admin").status == 404
    server.stage.homeserver.now += KEPT_MS + 1
    assert server.ask("GET", address, token="inspector").status == 404
    server.asked()
    assert len(server.stage.database.rows("SELECT id FROM groupreg_exports")) == 1, "older ones are forgotten"


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({**ASKED, "room_id": "!r:x"}, "must not have room_id in mode range"),
        ({**ASKED, "mode": "subject"}, "must have either room_id or user_id"),
        ({**ASKED, "mode": "subject", "room_id": "!r:x", "user_id": "@a:x"}, "must have either room_id or user_id"),
        ({**ASKED, "mode": "subject", "room_id": "!r:x", "from": 1}, "must not have from in mode subject"),
        ({**ASKED, "mode": "filter"}, "must have at least one condition"),
        ({**ASKED, "mode": "filter", "kinds": ["nonsense"]}, "is no kind of records; must be one of event, login"),
        ({**ASKED, "from": 1, "to_ms": 5}, "must have either indexes"),
        ({**ASKED, "identities": True}, "must have a reason"),
        ({**ASKED, "content": True}, "must have a reason"),
    ],
)
def test_what_can_not_be_is_refused_before_it_is_recorded(server: Exporter, body: object, said: str) -> None:
    reply = server.ask("POST", "exports", body, token="inspector")
    assert reply.status == 400
    assert said in reply.json["error"]
    assert server.stage.database.rows("SELECT id FROM groupreg_exports") == []


@pytest.mark.parametrize("missing", ["case", "basis", "mode"])
def test_case_and_basis_are_required(server: Exporter, missing: str) -> None:
    body = {name: value for name, value in ASKED.items() if name != missing}
    assert server.ask("POST", "exports", body, token="inspector").fields == {missing: "is required"}


def test_of_nothing_there_is_no_bundle_and_the_question_is_recorded(server: Exporter) -> None:
    reply = server.ask("POST", "exports", {**ASKED, "mode": "subject", "room_id": "!none:x"}, token="inspector")
    assert reply.status == 404
    assert [how for how, _ in exports_of(server)] == ["export"]


def test_trying_records_nothing(server: Exporter) -> None:
    reply = server.ask("POST", "exports?dry_run=true", ASKED, token="inspector")
    assert (reply.status, reply.json["dry_run"], "id" in reply.json) == (200, True, False)
    assert server.stage.database.rows("SELECT id FROM groupreg_exports") == []


def test_where_no_records_are_kept_there_is_nothing_to_export(sqlite_db: TestDatabase) -> None:
    server = Server(Stage(sqlite_db))
    reply = server.ask("GET", "exports/1", token="inspector")
    assert (reply.status, "retention.enabled" in reply.json["error"]) == (409, True)


def test_what_is_kept_of_an_export_names_nobody(server: Exporter) -> None:
    server.ask("POST", "exports", {**ASKED, "mode": "subject", "user_id": "@alice:example.org"}, token="inspector")
    kept = str(server.stage.database.rows("SELECT * FROM groupreg_exports"))
    assert "@alice" not in kept


# Pieces.


class FakeRequest:
    """A request whose transport is told when it is full."""

    def __init__(self) -> None:
        self.channel: object | None = object()
        self.written: list[bytes] = []
        self.producer: Any = None
        self.ended: str | None = None
        self.full = True
        """Whether the transport has enough after each piece."""

    def notifyFinish(self) -> Any:  # noqa: N802 - twisted's names
        return self

    def addErrback(self, gone: Any) -> None:  # noqa: N802 - as above
        self.gone = gone

    def setResponseCode(self, _: int) -> None:  # noqa: N802 - as above
        pass

    def setHeader(self, *_: str) -> None:  # noqa: N802 - as above
        pass

    def registerProducer(self, producer: Any, _: bool) -> None:  # noqa: N802 - as above
        self.producer = producer

    def unregisterProducer(self) -> None:  # noqa: N802 - as above
        pass

    def write(self, chunk: bytes) -> None:
        self.written.append(chunk)
        if self.full:
            self.producer.pauseProducing()

    def finish(self) -> None:
        self.ended = "finished"

    def loseConnection(self) -> None:  # noqa: N802 - as above
        self.ended = "dropped"


def sent(request: FakeRequest, chunks: Iterator[bytes], stage: Stage) -> Any:
    coroutine = streaming.send(request, Download(name="x", chunks=chunks), stage.homeserver)
    return Deferred.fromCoroutine(coroutine)


def test_nothing_is_made_while_the_client_does_not_take_it(stage: Stage) -> None:
    made: list[int] = []

    def chunks() -> Iterator[bytes]:
        for number in range(5):
            made.append(number)
            yield b"x"

    request = FakeRequest()
    done = sent(request, chunks(), stage)
    assert (len(request.written), len(made)) == (1, 2), "one is written, and the next one waits"
    request.producer.resumeProducing()
    assert (len(request.written), len(made)) == (2, 3)
    request.full = False
    request.producer.resumeProducing()
    assert (len(request.written), request.ended, done.called) == (5, "finished", True)


def test_a_client_that_goes_away_ends_it(stage: Stage) -> None:
    closed: list[bool] = []

    def chunks() -> Iterator[bytes]:
        try:
            while True:
                yield b"x"
        finally:
            closed.append(True)

    request = FakeRequest()
    done = sent(request, chunks(), stage)
    request.gone(None)
    assert (closed, request.ended, done.called) == ([True], None, True)


def test_what_fails_in_the_middle_does_not_look_complete(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    def chunks() -> Iterator[bytes]:
        yield b"x"
        raise Conflict("purged")

    request = FakeRequest()
    sent(request, chunks(), stage)
    assert (request.written, request.ended) == ([b"x"], "dropped")
    assert "stopped in the middle" in caplog.text


def test_what_fails_before_the_first_piece_is_told(stage: Stage) -> None:
    def chunks() -> Iterator[bytes]:
        raise Conflict("purged")
        yield b""

    with pytest.raises(Conflict):
        result_of(streaming.send(FakeRequest(), Download(name="x", chunks=chunks()), stage.homeserver))
