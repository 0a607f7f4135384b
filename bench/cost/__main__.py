# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the module costs, beside a Synapse without it and beside other ways: all of it, or one part.

    .venv/bin/python -m bench.cost [--only PART] [--quick] [--runs N] [--json | --markdown] [--plots FOLDER]

The set-ups take turns on one machine, and each run gives one ratio. Needs Linux, which tells the processor time of a
process, and a machine with nothing else to do.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from bench.cost import acts, capacity, members, memory, messages, process, rig
from bench.cost.plot import svg
from bench.cost.sides import ROOT
from bench.cost.turns import Turns, say

if TYPE_CHECKING:
    from collections.abc import Callable

    from bench.cost.compare import Line

PARTS: dict[str, tuple[Callable[[Turns], list[Line]], int]] = {
    "counts": (messages.counts, 5),
    "messages": (messages.warm, 12),
    "messages-cold": (messages.cold, 6),
    "joins": (members.joins, 6),
    "acts": (acts.measure, 6),
    "workers": (capacity.workers, 4),
    "process": (process.measure, 4),
    "memory": (memory.measure, 4),
    "rig": (rig.measure, 3),
}
"""Each part and how often its turns are taken."""


def main() -> None:
    """Measure, print, and draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=PARTS, action="append", help="this part alone; may be given again")
    parser.add_argument("--quick", action="store_true", help="two runs of each part: to see that it works")
    parser.add_argument("--runs", type=int, help="how often each set-up takes its turn")
    parser.add_argument("--seconds", type=float, default=180, help="begin no further run of a part after so long")
    parser.add_argument("--json", action="store_true", help="print JSON; progress goes to standard error anyway")
    parser.add_argument("--markdown", action="store_true", help="print the tables of docs/cost.md")
    parser.add_argument("--plots", type=Path, help="write an SVG of each part's ratios into this folder")
    given = parser.parse_args()
    # Synapse is to find the modules that ours is compared with.
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    found: dict[str, list[Line]] = {}
    for name in given.only or PARTS:
        measure, usual = PARTS[name]
        began = time.monotonic()
        found[name] = measure(Turns(name, 2 if given.quick else given.runs or usual, given.seconds))
        say(f"{name}: {time.monotonic() - began:.0f} s")
        if given.markdown:
            rows = "\n".join(line.row() for line in found[name])
            print(f"\n## {name}\n\n| what | set-up | median (spread) | goal |\n|---|---|---|---|\n{rows}", flush=True)
        elif not given.json:
            print(f"\n{name}", *found[name], sep="\n", flush=True)
        if given.plots is not None and any(line.unit == "x" for line in found[name]):
            given.plots.mkdir(parents=True, exist_ok=True)
            (given.plots / f"cost-{name}.svg").write_text(svg(f"What it costs: {name}", found[name]))
    if given.json:
        parts = {name: [line.to_json() for line in lines] for name, lines in found.items()}
        print(json.dumps({"machine": machine(), "parts": parts}, indent=1))


def machine() -> dict[str, object]:
    """On what it was measured."""
    return {
        "processors": os.cpu_count(),
        "machine": platform.machine(),
        "python": platform.python_version(),
        "load": os.getloadavg()[1],
        "synapse": metadata.version("matrix-synapse"),
    }


if __name__ == "__main__":
    main()
