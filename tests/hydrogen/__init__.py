# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Hydrogen, a graphical Matrix client, put together from its npm package and used through a browser."""

from __future__ import annotations

import contextlib
import json
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import quote

from tests.browser import Browser
from tests.e2e.client import poll
from tests.programs import program

OURS = Path(__file__).parent
# Longer than anything takes on a busy machine; only a failure waits for all of it.
_SECONDS = 30


class _Files(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextlib.contextmanager
def hydrogen(homeserver: str) -> Iterator[str]:
    """The address of a Hydrogen that offers to log in at `homeserver`.

    $HYDROGEN is the folder `node_modules` with the packages hydrogen-view-sdk and esbuild.
    """
    modules = Path(program("hydrogen"))
    with tempfile.TemporaryDirectory(prefix="groupreg-hydrogen-") as folder:
        site = Path(folder)
        _bundle(modules, site)
        (site / "index.html").write_bytes((OURS / "index.html").read_bytes())
        package = modules.resolve() / "hydrogen-view-sdk"
        (site / "assets").symlink_to(package / "asset-build/assets")
        (site / "sw.js").symlink_to(package / "lib-build/sw.js")
        with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Files, directory=folder)) as http:
            threading.Thread(target=http.serve_forever, daemon=True).start()
            try:
                yield f"http://127.0.0.1:{http.server_port}/?homeserver={quote(homeserver, safe='')}"
            finally:
                http.shutdown()


def _bundle(modules: Path, site: Path) -> None:
    """One script of ours and of all packages that Hydrogen asks for by name, as a browser can't."""
    start = site / "start.js"
    start.write_bytes((OURS / "start.js").read_bytes())
    (site / "node_modules").symlink_to(modules.resolve())
    # Its library for encryption asks for these where it runs without a browser.
    absent = [f"--external:{name}" for name in ("fs", "path", "crypto")]
    command = [str(modules / ".bin/esbuild"), str(start), "--bundle", "--format=esm", f"--outfile={site / 'app.js'}"]
    done = subprocess.run([*command, *absent, "--log-level=error"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


class Screen:
    """What a person does with the client, and what they see of it. What is not there yet is waited for."""

    def __init__(self, browser: Browser) -> None:
        self._browser = browser

    def shown(self, selector: str, text: str = "") -> list[str]:
        """The texts of all that can be seen, matches and contains `text`."""
        return self._each(selector, text, "one.innerText")

    def wait(self, selector: str, text: str = "") -> str:
        """The first text that matches and contains `text`."""
        return self._first(selector, text, "one.innerText")

    def gone(self, selector: str) -> None:
        """Wait until nothing that matches can be seen."""
        assert poll(lambda: not self.shown(selector), seconds=_SECONDS), self.shown(selector)

    def click(self, selector: str, text: str = "") -> None:
        """Click on the first that matches and contains `text`."""
        # Found and clicked in one step: the client may draw it anew at any time.
        self._first(selector, text, "(one.click(), 'clicked')", only="all.slice(0, 1)")

    def type(self, selector: str, text: str) -> None:
        """Write into a field as a keyboard does, over what is there."""

        def typed() -> bool:
            if not self._each(selector, "", "(one.focus(), one.select(), 'ready')", only="all.slice(0, 1)"):
                return False
            self._browser.ask("Input.insertText", text=text)
            return self._each(selector, "", "one.value") == [text]

        assert poll(typed, seconds=_SECONDS), self._scene(selector, text)

    def log_in(self, name: str, password: str) -> None:
        self.type("#username", name)
        self.type("#password", password)
        self.click(".PasswordLoginView button")
        self.wait(".room-placeholder")

    def join(self, room: str) -> None:
        """Follow a link to a room, and say yes to joining it.

        Not by the form for joining: it has one sentence of its own for every refusal.
        """
        link = f"location.hash.split('/').slice(0, 3).join('/') + '/open-room/{quote(room, safe='')}'"
        self._browser.evaluate(f"location.hash = {link}")
        self.click(".UnknownRoomView button", "Join room")

    def send(self, body: str) -> None:
        """A message to the room that is open."""
        self.type(".MessageComposer textarea", body)
        self.click(".MessageComposer .send")

    def _first(self, selector: str, text: str, what: str, *, only: str = "all") -> str:
        found = poll(lambda: self._each(selector, text, what, only=only), seconds=_SECONDS)
        assert found, self._scene(selector, text)
        return found[0]

    def _each(self, selector: str, text: str, what: str, *, only: str = "all") -> list[str]:
        """The values of `what` for each `one` of the elements that can be seen, match and contain `text`."""
        seen = f"one => one.checkVisibility() && one.innerText.includes({json.dumps(text)})"
        all_ = f"Array.from(document.querySelectorAll({json.dumps(selector)})).filter({seen})"
        found: list[str] = self._browser.evaluate(f"(all => {only}.map(one => {what}))({all_})")
        return found

    def _scene(self, selector: str, text: str) -> object:
        """What there is instead, for the message of a failed test."""
        return selector, text, self.shown("body"), self._browser.complaints
