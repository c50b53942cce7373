"""Curves drawn as SVG, without a library: axes, ticks, lines, names."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from xml.sax.saxutils import escape

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from bench.figures import Curve

    Scale = Callable[[float], float]

_WIDTH: Final = 400
_HEIGHT: Final = 280
_LEFT, _RIGHT, _TOP, _BOTTOM = 62, 14, 34, 46
_LEGEND_LINE: Final = 15
_COLOURS: Final = ("#1f6feb", "#d1570a", "#1a7f37", "#8250df", "#57606a")
_STEPS: Final = (1.0, 2.0, 2.5, 5.0, 10.0)
_TICKS: Final = 5
_THOUSAND: Final = 1000


@dataclass(frozen=True, slots=True)
class Panel:
    """One pair of axes; ``is_log`` is about both of them."""

    plot: str
    title: str
    x: str
    is_log: bool = False


PLOTS: Final[Mapping[str, tuple[Panel, ...]]] = {
    "growth": (
        Panel("growth: seconds", "seconds", "scenes and items", is_log=True),
        Panel("growth: requests", "requests to Plex", "scenes and items", is_log=True),
        Panel("growth: memory", "peak memory, MiB", "scenes and items", is_log=True),
    ),
    "outage": (Panel("outage", "edits per second", "seconds since Plex answers again"),),
}


def draw_all(curves: Sequence[Curve]) -> dict[str, str]:
    """Return by name of file each plot that has curves."""
    plots = {name: draw(panels, curves) for name, panels in PLOTS.items()}
    return {f"{name}.svg": plot for name, plot in plots.items() if plot}


def draw(panels: Sequence[Panel], curves: Sequence[Curve]) -> str:
    """Return the panels side by side as one SVG document, "" if none has a curve."""
    of_panel = [(panel, [curve for curve in curves if curve.plot == panel.plot]) for panel in panels]
    filled = [(panel, mine) for panel, mine in of_panel if mine]
    if not filled:
        return ""
    legend = max(len(mine) for _, mine in filled) * _LEGEND_LINE + 8
    width, height = _WIDTH * len(filled), _HEIGHT + legend
    parts = [
        f'<g transform="translate({_WIDTH * number} 0)">{_panel(panel, mine)}</g>'
        for number, (panel, mine) in enumerate(filled)
    ]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        'font-family="sans-serif" font-size="11" fill="#24292f">\n'
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>\n' + "\n".join(parts) + "\n</svg>\n"
    )


def _panel(panel: Panel, curves: Sequence[Curve]) -> str:
    xs = [x for curve in curves for x, _ in curve.points]
    ys = [y for curve in curves for _, y in curve.points]
    x_ticks = _log_ticks(xs) if panel.is_log else _ticks(xs)
    y_ticks = _log_ticks(ys) if panel.is_log else _ticks([0.0, *ys])
    x = _scale(x_ticks, _LEFT, _WIDTH - _RIGHT, is_log=panel.is_log)
    y = _scale(y_ticks, _HEIGHT - _BOTTOM, _TOP, is_log=panel.is_log)
    floor = min(y_ticks)
    parts = [f'<text x="{_LEFT}" y="20" font-weight="bold">{escape(panel.title)}</text>']
    for tick in y_ticks:
        parts += [
            f'<path d="M{_LEFT} {y(tick):.1f}H{_WIDTH - _RIGHT}" stroke="#d0d7de"/>',
            f'<text x="{_LEFT - 6}" y="{y(tick) + 4:.1f}" text-anchor="end">{_label(tick)}</text>',
        ]
    for tick in x_ticks:
        parts.append(f'<text x="{x(tick):.1f}" y="{_HEIGHT - _BOTTOM + 16}" text-anchor="middle">{_label(tick)}</text>')
    middle = (_LEFT + _WIDTH - _RIGHT) / 2
    parts.append(f'<text x="{middle}" y="{_HEIGHT - _BOTTOM + 34}" text-anchor="middle">{escape(panel.x)}</text>')
    for number, curve in enumerate(curves):
        colour, line = _COLOURS[number % len(_COLOURS)], _HEIGHT + number * _LEGEND_LINE + 4
        path = "L".join(f"{x(at):.1f} {y(max(value, floor)):.1f}" for at, value in curve.points)
        parts += [
            f'<path d="M{path}" fill="none" stroke="{colour}" stroke-width="2" stroke-linejoin="round"/>',
            f'<path d="M{_LEFT} {line - 4}h18" stroke="{colour}" stroke-width="2"/>',
            f'<text x="{_LEFT + 24}" y="{line}">{escape(curve.name)}</text>',
        ]
    return "".join(parts)


def _scale(ticks: Sequence[float], first: float, last: float, *, is_log: bool) -> Scale:
    shape: Scale = math.log10 if is_log else float
    low, high = shape(ticks[0]), shape(ticks[-1])
    return lambda value: first + (shape(value) - low) / (high - low) * (last - first)


def _ticks(values: Iterable[float]) -> list[float]:
    """Return round numbers around ``values``, evenly apart."""
    found = list(values)
    low, high = min(found), max(found)
    wanted = (high - low) / _TICKS or 1.0
    power = 10 ** math.floor(math.log10(wanted))
    step = next(power * step for step in _STEPS if power * step >= wanted * (1 - 1e-9))
    first, last = math.floor(low / step), math.ceil(high / step)
    return [number * step for number in range(first, max(last, first + 1) + 1)]


def _log_ticks(values: Iterable[float]) -> list[float]:
    """Return the powers of ten around those of ``values`` that have a logarithm."""
    found = [value for value in values if value > 0] or [1.0]
    first, last = math.floor(math.log10(min(found))), math.ceil(math.log10(max(found)))
    return [10.0**power for power in range(first, max(last, first + 1) + 1)]


def _label(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= _THOUSAND else f"{value:g}"
