# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""A picture of ratios: a dot for the middle, a bar for the interval, a line from the smallest to the largest."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from bench.cost.compare import Line, Ratio

if TYPE_CHECKING:
    from collections.abc import Sequence

_ROW, _LEFT, _WIDTH, _TOP, _RIGHT = 22, 420, 460, 56, 40
_FONT = 'font-family="sans-serif" font-size="12"'
_COLOURS = ("#1f6feb", "#8b949e", "#d1242f", "#9a6700")


def svg(title: str, lines: Sequence[Line]) -> str:
    """The picture; lines that are no ratios are left out."""
    shown = [(line, line.value) for line in lines if isinstance(line.value, Ratio)]
    most = max(1.2, *(value.high for _, value in shown))
    least = min(0.8, *(value.low for _, value in shown))
    sides = list(dict.fromkeys(line.side for line, _ in shown))
    height = _TOP + _ROW * len(shown) + 40

    def x(value: float) -> float:
        return round(_LEFT + (value - least) / (most - least) * _WIDTH, 1)

    wide = _LEFT + _WIDTH + _RIGHT
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{wide}" height="{height}" {_FONT}>',
        f"<title>{escape(title)}</title>",
        '<rect width="100%" height="100%" fill="#ffffff"/>',
        f'<text x="12" y="24" font-size="15">{escape(title)}</text>',
        '<text x="12" y="42" fill="#57606a">line: smallest to largest; bar: 95 % interval; dot: median</text>',
    ]
    for mark in _marks(least, most):
        dash = "" if mark == 1 else ' stroke-dasharray="2 4"'
        parts.append(
            f'<line x1="{x(mark)}" x2="{x(mark)}" y1="{_TOP}" y2="{height - 28}" stroke="#afb8c1"{dash}/>'
            f'<text x="{x(mark)}" y="{height - 12}" text-anchor="middle">{mark:g}</text>'
        )
    for number, (line, value) in enumerate(shown):
        y, colour = _TOP + _ROW * number + _ROW // 2, _COLOURS[sides.index(line.side) % len(_COLOURS)]
        bar = max(2.0, round(x(value.upper) - x(value.lower), 1))
        parts.append(
            f'<text x="{_LEFT - 12}" y="{y + 4}" text-anchor="end">{escape(f"{line.what}: {line.side}")}</text>'
            f'<line x1="{x(value.low)}" x2="{x(value.high)}" y1="{y}" y2="{y}" stroke="{colour}"/>'
            f'<rect x="{x(value.lower)}" y="{y - 4}" width="{bar}" height="8" fill="{colour}" opacity="0.4"/>'
            f'<circle cx="{x(value.median)}" cy="{y}" r="3.5" fill="{colour}"/>'
        )
    return "\n".join([*parts, "</svg>", ""])


def _marks(least: float, most: float) -> list[float]:
    step = next(one for one in (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 50.0, 1000.0) if (most - least) / one <= 8)  # noqa: PLR2004 - as many as fit
    first = round(least / step)
    return [round(number * step, 2) for number in range(first, round(most / step) + 1) if number * step >= least]
