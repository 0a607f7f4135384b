# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""One server process: started, watched until it answers, stopped, its output kept in a file."""

import contextlib
import ctypes
import fcntl
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from subprocess import DEVNULL, STDOUT, Popen, TimeoutExpired
from types import FrameType

_POLL_SECONDS = 0.05
_LAST_LINES = 15
_PR_SET_PDEATHSIG = 1
_ENDING = (signal.SIGINT, signal.SIGTERM)


class RigError(Exception):
    """A server of the rig cannot be started or does not answer; the message is one sentence."""


def free_port() -> int:
    """A TCP port of the loopback address on which nobody listens now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def last_lines(log: Path, count: int = _LAST_LINES) -> str:
    """The end of a log file, each line indented; empty when there is no file."""
    if not log.exists():
        return ""
    lines = log.read_text(errors="replace").splitlines()[-count:]
    return "".join(f"\n  {line}" for line in lines)


class Process:
    """A child process that writes to `log` and dies with the process that started it.

    Start it from the main thread: Linux ties the child's life to the thread that forked it.
    Given a `lock`, it outlives its starter instead and can be found again by `detached.holder`.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        log: Path,
        user: str | None = None,
        lock: Path | None = None,
    ) -> None:
        self.name = name
        self.log = log
        self._lock = lock
        self._command = list(command)
        self._user = user
        self._child: Popen[bytes] | None = None

    @property
    def running(self) -> bool:
        """Whether the process was started and has not ended."""
        return self._child is not None and self._child.poll() is None

    def start(self) -> None:
        """Start the process; `wait_until` tells when it is of use."""
        if self.running:
            message = f"{self.name} is already running."
            raise RigError(message)
        with self.log.open("ab") as output, _held(self._lock) as held, _no_signal_lost():
            self._child = Popen(  # noqa: S603 - the rig's own commands
                self._command,
                stdin=DEVNULL,
                stdout=output,
                stderr=STDOUT,
                cwd=self.log.parent,
                user=self._user,
                group=_group_of(self._user),
                extra_groups=None if self._user is None else [],
                pass_fds=held,
                # Away from the terminal: Ctrl-C there must not end servers before their users.
                start_new_session=True,
                preexec_fn=_preparation(outlives=bool(held)),  # noqa: PLW1509 - it takes no lock
            )
            for descriptor in held:
                os.write(descriptor, str(self._child.pid).encode())

    def wait_until(self, ready: Callable[[], bool], *, seconds: float = 60) -> None:
        """Return once `ready()`; raise at once, with its last words, when the process ends before."""
        wait_for_all([(self, ready)], seconds=seconds)

    def must_run(self) -> None:
        """Raise, with its last words, unless the process runs."""
        if not self.running:
            code = None if self._child is None else self._child.returncode
            message = f"{self.name} ended with code {code} while starting:{last_lines(self.log)}"
            raise RigError(message)

    def ask_to_stop(self, by: signal.Signals = signal.SIGTERM) -> None:
        """Ask the process to end and do not wait for it."""
        if self._child is not None and self.running:
            self._child.send_signal(by)

    def leave(self) -> None:
        """Forget the process, which goes on without us; for one that holds a lock."""
        if self._child is not None:
            # Popen warns of children that were never waited for, which is what we want here.
            self._child.returncode = 0
            self._child = None

    def stop(self, *, by: signal.Signals = signal.SIGTERM, seconds: float = 20) -> None:
        """End the process politely, by force after `seconds`; ending it twice does no harm."""
        if self._child is None:
            return
        self.ask_to_stop(by)
        try:
            self._child.wait(seconds)
        except TimeoutExpired:
            self.kill()
        self._child = None

    def kill(self) -> None:
        """End the process as a crash would (SIGKILL), giving it no chance to tidy up."""
        if self._child is None:
            return
        # The whole group: a postmaster's children outlive it for a moment otherwise.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._child.pid, signal.SIGKILL)
        self._child.wait()
        self._child = None


def wait_for_all(starting: Sequence[tuple[Process, Callable[[], bool]]], *, seconds: float = 60) -> None:
    """Return once each process is ready by its own measure; raise at once, with its last words, when one ends."""
    deadline = time.monotonic() + seconds
    waiting = list(starting)
    while waiting := [(process, ready) for process, ready in waiting if not ready()]:
        for process, _ in starting:
            process.must_run()
        if time.monotonic() > deadline:
            late = waiting[0][0]
            late.kill()
            message = f"{late.name} did not answer in {seconds:g} s:{last_lines(late.log)}"
            raise RigError(message)
        time.sleep(_POLL_SECONDS)


@contextlib.contextmanager
def ended_tidily() -> Iterator[None]:
    """Let SIGTERM end what follows as Ctrl-C does, so that what was started is stopped and removed."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def give_up(number: int, _frame: FrameType | None) -> None:
        sys.exit(128 + number)

    before = signal.signal(signal.SIGTERM, give_up)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextlib.contextmanager
def _held(lock: Path | None) -> Iterator[tuple[int, ...]]:
    """An open, locked descriptor of `lock`: whoever inherits it holds the lock until it ends."""
    if lock is None:
        yield ()
        return
    descriptor = os.open(lock, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.truncate(descriptor, 0)
        yield (descriptor,)
    except BlockingIOError:
        message = f"{lock} is held: the server is already running."
        raise RigError(message) from None
    finally:
        os.close(descriptor)


def _group_of(user: str | None) -> int | None:
    if user is None:
        return None
    import pwd  # noqa: PLC0415 - absent where there are no such users

    return pwd.getpwnam(user).pw_gid


@contextlib.contextmanager
def _no_signal_lost() -> Iterator[None]:
    """Hold back what asks us to end: Python drops an exception that a signal raises in the middle of a fork."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _preparation(*, outlives: bool) -> Callable[[], None]:
    """What the child runs before its program; unless it `outlives` us, a killed test run leaves no server behind."""
    # Looked up before the fork: between fork and exec nothing may be loaded.
    prctl = None if outlives or sys.platform != "linux" else ctypes.CDLL(None).prctl

    def prepare() -> None:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDING)
        if prctl is not None:
            prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)

    return prepare
