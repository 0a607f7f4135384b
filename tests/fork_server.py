# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""A Python that has read Synapse and the module, and forks a Synapse process whenever it is asked to.

To read them takes longer than all else that Synapse does as it starts. What is forked is started as by `python -m
PROGRAM`: with arguments, environment, folder and output of its own, and a reactor made after the fork, as in
`synapse.app.complement_fork_starter`. It is a script: its input is a socket; `quick_start.py` is at the other end.
"""

from __future__ import annotations

import ctypes
import gc
import importlib
import json
import os
import select
import signal
import socket
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

PROGRAMS = ("synapse.app.homeserver", "synapse.app.generic_worker")
OURS = ("synapse_groupreg.module", "synapse_groupreg.service", "synapse_groupreg.clockwork")
LONGEST_REQUEST = 1 << 20
_PR_SET_PDEATHSIG = 1


def serve(requests: socket.socket, awake: int) -> dict[str, Any]:
    """Fork what is asked for and tell how each ended, until the other end is closed; returns in children only."""
    ends: dict[int, int] = {}
    while True:
        readable, _, _ = select.select([requests, awake], [], [])
        if awake in readable:
            os.read(awake, 4096)
            tell_ends(ends)
        if requests not in readable:
            continue
        message, descriptors, _, _ = socket.recv_fds(requests, LONGEST_REQUEST, 2)
        if not message:
            sys.exit()
        output, end = descriptors
        child = os.fork()
        if child == 0:
            requests.close()
            os.setsid()
            os.write(end, f"{os.getpid()}\n".encode())
            for inherited in (awake, end, *ends.values()):
                os.close(inherited)
            os.dup2(output, 1)
            os.dup2(output, 2)
            os.close(output)
            asked: dict[str, Any] = json.loads(message)
            return asked
        os.close(output)
        ends[child] = end


def tell_ends(ends: dict[int, int]) -> None:
    """Write down with what code each child ended that did."""
    while ends:
        child, status = os.waitpid(-1, os.WNOHANG)
        if child == 0:
            return
        end = ends.pop(child)
        os.write(end, f"{os.waitstatus_to_exitcode(status)}\n".encode())
        os.close(end)


def become(asked: dict[str, Any], reactor: Any) -> Callable[[], object]:
    """Make a program of a fork: the function to call."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.chdir(asked["folder"])
    os.environ.clear()
    os.environ.update(asked["environment"])
    program = importlib.import_module(asked["program"])
    sys.argv = [str(program.__file__), *asked["arguments"]]
    sys.path.insert(0, asked["folder"])
    from twisted.internet.epollreactor import EPollReactor  # noqa: PLC0415 - a reactor is never shared

    reactor._install_real_reactor(EPollReactor())
    main: Callable[[], object] = program.main
    return main


def prepare() -> Any:
    """Read everything, with a stand-in for the reactor."""
    from synapse.app.complement_fork_proxied_reactor import ProxiedReactor  # noqa: PLC0415 - before any reactor
    from twisted.internet.main import installReactor  # noqa: PLC0415 - as above

    reactor = ProxiedReactor()
    installReactor(reactor)
    for name in (*PROGRAMS, *OURS):
        importlib.import_module(name)
    # What was read stays shared with the children: no collection touches it.
    gc.collect()
    gc.freeze()
    return reactor


def run() -> None:
    requests = socket.socket(fileno=os.dup(0))
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    awake, awaken = os.pipe()
    os.set_blocking(awaken, False)
    signal.set_wakeup_fd(awaken)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    reactor = prepare()
    asked = serve(requests, awake)
    os.close(awaken)
    become(asked, reactor)()


if __name__ == "__main__":
    run()
