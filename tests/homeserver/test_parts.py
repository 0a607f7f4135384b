# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a process doesn't use it doesn't read: code takes megabytes."""

from __future__ import annotations

import json
import subprocess
import sys

READ = """
import importlib, json, sys
def read(name):
    before = set(sys.modules)
    importlib.import_module(f"synapse_groupreg.{name}")
    return [one.removeprefix("synapse_groupreg.") for one in sys.modules if one not in before]
print(json.dumps([read("module"), read("clockwork"), read("service")]))
"""


def test_code_is_read_by_the_processes_that_use_it() -> None:
    done = subprocess.run([sys.executable, "-c", READ], capture_output=True, text=True, check=True)
    module, clockwork, service = map(set, json.loads(done.stdout))
    answering = {"web.site", "web.api", "web.bodies", "handlers.actions", "handlers.commands", "policy.record_actions"}
    recording = {"homeserver.recording", "homeserver.recorder", "handlers.retention.recorder", "storage.store_sqlite"}
    assert answering <= service, "by the process that is asked"
    assert recording <= clockwork, "by the process that runs by the clock"
    assert not (answering | recording) & module, "not by every process"
