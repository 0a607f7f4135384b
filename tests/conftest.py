# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Real servers for the tests, each started when first asked for, and the two lengths of a test run."""

import fcntl
import gc
import os
import shutil
import signal
import warnings
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType

import hypothesis
import pytest

from synapse_groupreg.rig import Database, Homeserver, Postgres, Redis, WorkerHomeserver

# Importing Synapse warns of what is not ours to mend; every later warning is an error.
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import synapse.module_api  # noqa: F401 - for what it warns of

pytest_plugins = [
    "tests.database",
    "tests.own_postgres",
    "tests.quick_start",
    "tests.small_disk",
    "tests.storage.store_places",
]

TEST_SECONDS = 240
"""Longer than any single test takes, its servers' start included: past it the test hangs and fails."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--prove", action="store_true", help="run the long forms too (make prove)")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "prove: a long form that only `make prove` runs")
    config.addinivalue_line("markers", "smoke: a story told on the oldest supported Synapse too")
    signal.signal(signal.SIGTERM, end_tidily)
    # No deadlines: a busy machine is no bug. Derandomised: a change is judged by what it changes.
    hypothesis.settings.register_profile("test", max_examples=60, deadline=None, derandomize=True)
    hypothesis.settings.register_profile("prove", max_examples=2000, deadline=None)
    hypothesis.settings.load_profile("prove" if config.getoption("--prove") else "test")


def end_tidily(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - a signal handler's
    """Let SIGTERM end a test run as Ctrl-C does, and stop and remove what was started; a second one ends it at once."""
    signal.signal(number, signal.SIG_DFL)
    pytest.exit(f"ended by signal {number}", returncode=128 + number)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--prove"):
        return
    long_forms = [item for item in items if item.get_closest_marker("prove")]
    if long_forms:
        config.hook.pytest_deselected(items=long_forms)
        items[:] = [item for item in items if item not in long_forms]


def pytest_collection_finish() -> None:
    """Leave what was read out of every later collection of garbage: there is so much of it that these take long."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Fail a test that hangs, where it hangs, instead of the whole run."""

    def give_up(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - a signal handler's
        message = f"{item.name} took longer than {TEST_SECONDS} s"
        raise TimeoutError(message)

    before = signal.signal(signal.SIGALRM, give_up)
    long = item.config.getoption("--prove")
    signal.alarm(TEST_SECONDS * (10 if long else 1))
    try:
        return (yield)
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL server that lives as long as the test run."""
    with Postgres.start() as server:
        yield server


@pytest.fixture
def postgres_database(postgres: Postgres) -> Database:
    """An empty PostgreSQL database of the test's own."""
    return postgres.create_database()


@pytest.fixture(scope="session")
def redis() -> Iterator[Redis]:
    """A Redis server that lives as long as the test run."""
    with Redis.start() as server:
        yield server


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def database(request: pytest.FixtureRequest) -> Database | None:
    """What a homeserver takes as its `database`: a module that asks for it is run over both kinds."""
    if request.param == "sqlite":
        return None
    postgres: Postgres = request.getfixturevalue("postgres")
    return postgres.create_database(like=request.getfixturevalue("synapse_database"))


@pytest.fixture(scope="module")
def start_homeserver(
    tmp_path_factory: pytest.TempPathFactory,
    quick_starts: None,  # noqa: ARG001 - how they start
    synapse_file: Path,
) -> Iterator[Callable[..., Homeserver]]:
    """Starts a homeserver, taking what `Homeserver` takes but the folder; stopped after the module.

    A module starts one server for each configuration, in a module-scoped fixture, and its tests keep
    apart by using accounts and rooms of their own.
    """
    with ExitStack() as running:

        def start(**how: object) -> Homeserver:
            folder = tmp_path_factory.mktemp("homeserver")
            shutil.copy(synapse_file, folder / "homeserver.db")
            server = Homeserver(folder, **how)  # type: ignore[arg-type] # checked by its constructor
            return running.enter_context(server)

        yield start


@contextmanager
def alone(redis: Redis, folders: pytest.TempPathFactory) -> Iterator[None]:
    """Wait for other processes of this test run that use the same Redis: it is one homeserver that talks over it."""
    common = folders.getbasetemp().parent if "PYTEST_XDIST_WORKER" in os.environ else folders.getbasetemp()
    with (common / f"redis-{redis.port}").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield


@pytest.fixture(scope="module")
def start_workers(
    tmp_path_factory: pytest.TempPathFactory,
    postgres: Postgres,
    redis: Redis,
    synapse_database: Database,
    quick_starts: None,  # noqa: ARG001 - how they start
) -> Iterator[Callable[..., WorkerHomeserver]]:
    """Starts a homeserver with workers, taking what `WorkerHomeserver` takes but its places."""
    with alone(redis, tmp_path_factory), ExitStack() as running:

        def start(**how: object) -> WorkerHomeserver:
            folder = tmp_path_factory.mktemp("homeserver")
            places = {"database": postgres.create_database(like=synapse_database), "redis": redis}
            server = WorkerHomeserver(folder, **places, **how)  # type: ignore[arg-type] # as above
            return running.enter_context(server)

        yield start


# Proxies of the environment are for the outside; every server of the tests is on this machine.
os.environ["NO_PROXY"] = "127.0.0.1,localhost"
