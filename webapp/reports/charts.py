"""Charts as plain shapes: the page draws them, without a script, and says the same in a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType

from webapp.reports.operations import Line

WIDTH, HEIGHT = 720, 180  # Of the drawing, in its own units.
LEFT, BOTTOM, TOP = 64, 22, 8  # Room for the figures at the side and the words below.
LABELS = 8  # Words below the bars, at the most.


@dataclass(frozen=True)
class Bar:
    """One value, the text that tells it, and where it stands."""

    text: str
    loss: bool
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True)
class Mark:
    """A figure at the side, or a word below."""

    at: float
    value: Decimal
    text: str = ""


@dataclass(frozen=True)
class Chart:
    bars: Sequence[Bar]
    figures: Sequence[Mark]
    words: Sequence[Mark]
    zero: float


def chart(values: Sequence[tuple[str, Decimal | int]], short: Mapping[str, str] = MappingProxyType({})) -> Chart:
    """Bars of values in their order, each with its name, and what that is called where there is little room."""
    numbers = [Decimal(value) for _, value in values]
    figures = _figures(min([Decimal(0), *numbers]), max([Decimal(0), *numbers]))
    low, high = figures[0], figures[-1]

    def height(value: Decimal) -> float:
        return round(float((HEIGHT - BOTTOM) - (HEIGHT - BOTTOM - TOP) * (value - low) / (high - low)), 1)

    zero = height(Decimal(0))
    step = (WIDTH - LEFT) / max(len(values), 1)
    gap = min(step * 0.2, 4)
    bars, words = [], []
    each = -(-len(values) // LABELS) or 1
    for n, ((name, _), number) in enumerate(zip(values, numbers, strict=True)):
        x, y = LEFT + n * step, height(number)
        bars.append(Bar(name, number < 0, round(x, 1), min(y, zero), round(step - gap, 1), round(abs(y - zero), 1)))
        if n % each == 0:
            words.append(Mark(round(x, 1), number, short.get(name, name)))
    return Chart(bars, [Mark(height(figure), figure) for figure in figures], words, zero)


def of_lines(lines: Sequence[Line], column: str) -> Chart:
    """A column of the lines of a report, each a day or an hour. Words below are short: of an hour only the time."""
    words = {line.name: line.name.rpartition(" ")[2] for line in lines}
    return chart([(line.name, line.value(column)) for line in lines], words)


def _figures(low: Decimal, high: Decimal) -> list[Decimal]:
    """Round figures at even steps, from below the lowest value to above the highest, zero among them."""
    span = high - low
    if not span:
        return [Decimal(0), Decimal(1)]
    power = Decimal(10) ** (span / 4).adjusted()
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= span / 4)
    first, last = (
        int((low / step).to_integral_value("ROUND_FLOOR")),
        int((high / step).to_integral_value("ROUND_CEILING")),
    )
    return [step * n for n in range(first, last + 1)]
