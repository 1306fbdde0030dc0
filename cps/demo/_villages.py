"""The invented villages: where they lie, how large they are, what they host, what that brings.

Levels and profiles are chosen so that the panel meets the published distribution of village
incomes: in 2020 all at 20万元 or more and 47.5% at 50万元 or more, in 2021 about 80%, in 2023 all
above 50万元 and 16 of 30 above 100万元.
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

YEARS = tuple(range(2017, 2025))
N_MONTHS = 12 * len(YEARS)
TARGET, NEXT_DOOR, VISITED = "示例街道", "示例邻镇", "示例游镇"

# Villages by band of income: low (below 50万元 still in 2021), middle (crosses 50万元 in 2021),
# high (above 50万元 by 2020).
_LOW = (2, 7, 20, 26, 27, 28)
_MIDDLE = (4, 5, 6, 13, 14, 15, 18, 25)
# The two of the middle band that pass 100万元 in 2023: hosts of large effects, so that their noise
# need not be selected for it.
_CROSSING = (12, 22)
_GIANT = 30
_RANGE = {"low": (28.5, 31.0), "middle": (37.5, 39.5), "crossing": (44.5, 45.5)}
_HIGH_RANGE = (66.0, 350.0)
_GIANT_LEVEL = 575.0


@dataclass(frozen=True, slots=True)
class Village:
    """A village, its band and its level: income of 2020 without any project, 万元."""

    name: str
    area: str
    band: str
    level: float


def villages() -> tuple[Village, ...]:
    """Give 30 villages of the target subdistrict, 45 next door and 10 in a town that visitors found."""
    high = [n for n in range(1, 31) if n not in (*_LOW, *_MIDDLE, *_CROSSING, _GIANT)]
    # Interleaved, so that no initiative has all the large or all the small villages.
    order = [high[i] for i in (0, 7, 3, 10, 5, 12, 1, 8, 4, 11, 6, 2, 9)]
    target = {
        **_spread("low", _LOW),
        **_spread("middle", _MIDDLE),
        **_spread("crossing", _CROSSING),
        **_spread_high(order),
        _GIANT: ("giant", _GIANT_LEVEL),
    }
    made = [Village(f"示例村{n:02d}", TARGET, *target[n]) for n in range(1, 31)]
    made += _outside("示例邻村", NEXT_DOOR, n_low=9, n_middle=15, n_high=21)
    made += _outside("示例游村", VISITED, n_low=0, n_middle=5, n_high=5)
    return tuple(made)


def _spread(band: str, numbers: tuple[int, ...]) -> dict[int, tuple[str, float]]:
    low, high = np.log(_RANGE[band])
    levels = np.exp(np.linspace(low, high, len(numbers)))
    return {n: (band, float(level)) for n, level in zip(numbers, levels, strict=True)}


def _spread_high(numbers: list[int]) -> dict[int, tuple[str, float]]:
    low, high = np.log(_HIGH_RANGE)
    levels = np.exp(np.linspace(low, high, len(numbers)))
    return {n: ("high", float(level)) for n, level in zip(numbers, levels, strict=True)}


def _outside(prefix: str, area: str, *, n_low: int, n_middle: int, n_high: int) -> list[Village]:
    bands = {
        **_spread("low", tuple(range(n_low))),
        **_spread("middle", tuple(range(n_low, n_low + n_middle))),
        **_spread_high(list(range(n_low + n_middle, n_low + n_middle + n_high))),
    }
    # A stride that shares no factor with the count mixes the bands over the numbers.
    count, stride = len(bands), 7
    return [Village(f"{prefix}{i + 1:02d}", area, *bands[i * stride % count]) for i in range(count)]


@dataclass(frozen=True, slots=True)
class Format:
    """What an initiative brings at full strength, 万元 a village a year, and when in the year."""

    peak_wan: float
    is_visited: bool  # depends on visitors
    months: tuple[float, ...]  # relative weight of each month


def _season(**weights: float) -> tuple[float, ...]:
    names = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
    raw = np.array([weights.get(name, weights.get("rest", 1.0)) for name in names])
    return tuple(float(one) for one in raw / raw.mean())


_FLOWERS = _season(may=5, jun=5, apr=2, rest=0.5)
_VISITORS = _season(may=2.5, jun=2, oct=1.8, apr=1.5, rest=0.7)
_RENTS = _season(jan=6, dec=5, rest=0.2)
_EVEN = _season(dec=1.6)

FORMATS: dict[str, Format] = {
    "bonsai": Format(20, False, _season(oct=4, nov=4, dec=4, rest=0.4)),
    "brown_sugar": Format(15, False, _season(nov=4, dec=4, jan=3, feb=2, rest=0.2)),
    "courier_rents": Format(27, False, _RENTS),
    "creative_culture": Format(0, True, _VISITORS),
    "flowers": Format(14, True, _FLOWERS),
    "homestay": Format(20, True, _VISITORS),
    "jujube_garden": Format(16, False, _season(aug=8, rest=0.3)),
    "live_streaming": Format(0, False, _season(nov=3, dec=2)),
    "night_market": Format(18, True, _season(jun=2, jul=3, aug=3, rest=0.7)),
    "red_tourism": Format(12, True, _VISITORS),
    "rice_shrimp": Format(
        17, False, _season(apr=1, may=3, jun=3, jul=2, aug=2, sep=2, oct=3, rest=0.1)
    ),
    "rural_tourism": Format(25, True, _VISITORS),
    "smart_agriculture": Format(0, False, _EVEN),
    "study_tours": Format(12, True, _VISITORS),
    "workshop": Format(16, False, _EVEN),
}

# End of 2023, persons, smallest first: median 20, mean 37, upper quartile 50, 1,002 in all.
HOST_JOBS = (
    *(4, 5, 6, 7, 8, 9, 10, 11, 12, 14, 15, 16, 18, 20),
    *(24, 28, 33, 38, 44, 49, 51, 58, 66, 77, 90, 120, 169),
)


def profile(start: datetime.date) -> NDArray[np.float64]:
    """Give strength by month, shape (n_months,): from a quarter at the start to full in 4 years."""
    since = np.arange(N_MONTHS) - (12 * (start.year - YEARS[0]) + start.month - 1)
    return np.where(since >= 0, np.minimum(0.25 + 0.75 * since / 48, 1.0), 0.0)


def visitor_shock() -> NDArray[np.float64]:
    """Give what was left of visitors by month: half in 2020, little in April and August 2022."""
    left = np.ones(N_MONTHS)
    left[12 * (2020 - YEARS[0]) : 12 * (2021 - YEARS[0])] = 0.5
    for month in (4, 8):
        left[12 * (2022 - YEARS[0]) + month - 1] = 0.2
    return left
