# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""A real browser without a window: Chromium, told what to do over the pipe of its DevTools protocol."""

from __future__ import annotations

import base64
import contextlib
import itertools
import json
import os
import select
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .programs import program

_SECONDS = 60
# Chromium takes commands from descriptor 3 and answers on 4. Copied upwards first: one may stand in for the other.
_ON_3_AND_4 = """
import fcntl, os, sys
commands, answers = (fcntl.fcntl(int(one), fcntl.F_DUPFD, 10) for one in sys.argv[1:3])
os.dup2(commands, 3)
os.dup2(answers, 4)
os.execv(sys.argv[3], sys.argv[3:])
"""
_WORST = ("warning", "error", "assert")


class Browser:
    """One tab; what it complained about since it was opened is in `complaints`."""

    def __init__(self, to: int, from_: int) -> None:
        self._to, self._from = to, from_
        self._ids = itertools.count(1)
        self._read = b""
        self._session: str | None = None
        self._events: list[dict[str, Any]] = []
        self.complaints: list[str] = []
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.ask(f"{domain}.enable")

    def ask(self, method: str, **parameters: object) -> dict[str, Any]:
        """Send one command and wait for its answer."""
        number = next(self._ids)
        message = {"id": number, "method": method, "params": parameters}
        if self._session is not None:
            message["sessionId"] = self._session
        os.write(self._to, json.dumps(message).encode() + b"\0")
        while True:
            found = self._message()
            if found.get("id") != number:
                continue
            assert "error" not in found, (method, found["error"])
            result: dict[str, Any] = found["result"]
            return result

    def open(self, url: str, *, language: str | None = None) -> None:
        """Load a page, as somebody whose browser is set to `language`."""
        if language is not None:
            self.ask("Network.setExtraHTTPHeaders", headers={"Accept-Language": language})
        # By way of an empty page: a step to an anchor of the same page would load nothing.
        for place in ("about:blank", url):
            self.complaints.clear()
            self._events.clear()
            self.ask("Page.navigate", url=place)
            while not any(event["method"] == "Page.loadEventFired" for event in self._events):
                self._message()

    def evaluate(self, expression: str) -> Any:
        """The value of an expression in the page; not held back by the page's policy."""
        found = self.ask("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def screenshot(self, path: Path) -> None:
        """A picture of the whole page."""
        found = self.ask("Page.captureScreenshot", captureBeyondViewport=True)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(base64.b64decode(found["data"]))

    def pdf(self) -> bytes:
        """The page as it would be printed."""
        return base64.b64decode(self.ask("Page.printToPDF", preferCSSPageSize=True)["data"])

    def _message(self) -> dict[str, Any]:
        end = time.monotonic() + _SECONDS
        while b"\0" not in self._read:
            ready, _, _ = select.select([self._from], [], [], max(0, end - time.monotonic()))
            chunk = os.read(self._from, 1 << 20) if ready else b""
            assert chunk, "the browser says nothing any more"
            self._read += chunk
        raw, _, self._read = self._read.partition(b"\0")
        found: dict[str, Any] = json.loads(raw)
        if "method" in found:
            self._events.append(found)
            self._listen(found["method"], found.get("params", {}))
        return found

    def _listen(self, method: str, told: dict[str, Any]) -> None:
        if method == "Log.entryAdded" and told["entry"]["level"] in _WORST:
            # Nobody has to have an icon for the tab.
            if not told["entry"].get("url", "").endswith("/favicon.ico"):
                self.complaints.append(told["entry"]["text"])
        elif method == "Runtime.exceptionThrown":
            self.complaints.append(told["exceptionDetails"]["text"])
        elif method == "Runtime.consoleAPICalled" and told["type"] in _WORST:
            self.complaints.append(str(told["args"]))


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    """A Chromium with an empty profile, ended afterwards."""
    path = program("chromium")
    (commands, to), (from_, answers) = os.pipe(), os.pipe()
    with tempfile.TemporaryDirectory(prefix="groupreg-browser-", ignore_cleanup_errors=True) as profile:
        options = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"]
        options += ["--no-proxy-server", "--disable-extensions", f"--user-data-dir={profile}"]
        command = [sys.executable, "-c", _ON_3_AND_4, str(commands), str(answers), path]
        child = subprocess.Popen(
            [*command, "--remote-debugging-pipe", *options],
            pass_fds=(commands, answers),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        os.close(commands)
        os.close(answers)
        try:
            yield Browser(to, from_)
        finally:
            os.close(to)
            os.close(from_)
            child.terminate()
            child.wait()
