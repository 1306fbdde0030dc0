"""Draw the synthetic panel: incomes and jobs by month, with and without the initiatives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cps.demo._villages import (
    FORMATS,
    HOST_JOBS,
    N_MONTHS,
    TARGET,
    VISITED,
    YEARS,
    Village,
    profile,
    villages,
    visitor_shock,
)
from cps.design.record import Initiative

PERSISTENCE = 0.7
NOISE = 0.20
_ATTEMPTS = 50
# Drawn wider and more persistent than it ends (0.20 and 0.7): paths that would break a published
# share are drawn again, and those are the extreme ones.
_DRAWN_NOISE = 0.23
_DRAWN_PERSISTENCE = 0.82
# Log income without projects, less its level in 2020: the campaign years and the shocks all share.
_TREND = np.array([-0.36, -0.25, -0.12, 0.0, 0.355, 0.50, 0.745, 0.80])
_MARGIN = 0.025
_DRAWS = 4_000

Floats = NDArray[np.float64]
Whole = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class World:
    """What happened, and what would have.

    ``income_yuan`` and ``effect_yuan[initiative]`` have shape (n_villages, n_months), as have
    ``jobs_persons`` and ``jobs_effect[initiative]``; ``idiosyncratic`` has (n_villages, n_years).
    """

    villages: tuple[Village, ...]
    income_yuan: Whole
    effect_yuan: dict[str, Whole]
    jobs_persons: Whole
    jobs_effect: dict[str, Whole]
    idiosyncratic: Floats


def draw_world(initiatives: tuple[Initiative, ...], *, is_spurious: bool, seed: int) -> World:
    """Draw one world; both modes share every random draw.

    In the spurious mode no initiative changes anything: what hosts gain on average in the other
    mode falls on every village alike, so that the target area's mean log income is the same in
    each year of both modes.
    """
    everyone = villages()
    place = {one.name: i for i, one in enumerate(everyone)}
    strength = np.random.default_rng([seed, 1]).uniform(0.85, 1.15, len(everyone))
    effects = _income_effects(initiatives, place, strength)
    total = sum(effects.values(), np.zeros((len(everyone), N_MONTHS)))
    noise = _noise(everyone, _by_year(total), seed)
    level = np.log([1e4 * one.level for one in everyone])[:, None] + _TREND + noise
    lift = _lift(everyone, level, _by_year(total))
    untreated = np.exp(level + (lift if is_spurious else 0.0))
    months = _months(everyone, np.random.default_rng([seed, 3]))
    base = _whole_parts(untreated, months)
    whole = {
        name: np.zeros_like(base) if is_spurious else np.rint(one).astype(np.int64)
        for name, one in effects.items()
    }
    income = base + sum(whole.values(), np.zeros_like(base))
    jobs, jobs_effect = _jobs(initiatives, everyone, is_spurious, seed)
    return World(everyone, income, whole, jobs, jobs_effect, noise)


def yearly_truth(world: World, hosts: dict[str, frozenset[str]]) -> dict[str, dict[str, Any]]:
    """Give each initiative's true effect by village and year: 元 in the year, persons at its end."""
    truth: dict[str, dict[str, Any]] = {}
    for name in world.effect_yuan:
        income, jobs = _by_year(world.effect_yuan[name]), world.jobs_effect[name][:, 11::12]
        truth[name] = {
            outcome: {
                village.name: dict(zip(map(str, YEARS), map(int, row), strict=True))
                for village, row in zip(world.villages, rows, strict=True)
                if village.name in hosts[name]
            }
            for outcome, rows in (("income_yuan", income), ("jobs_persons", jobs))
        }
    return truth


def _by_year(months: NDArray[Any]) -> NDArray[Any]:
    return np.asarray(months.reshape(len(months), len(YEARS), 12).sum(axis=2))


def _income_effects(
    initiatives: tuple[Initiative, ...], place: dict[str, int], strength: Floats
) -> dict[str, Floats]:
    effects: dict[str, Floats] = {}
    for one in initiatives:
        brings = FORMATS[one.id]
        effect = np.zeros((len(place), N_MONTHS))
        for host in one.treated:
            i = place[host.unit]
            season = np.tile(brings.months, len(YEARS))
            shock = visitor_shock() if brings.is_visited else 1.0
            yearly = 1e4 * brings.peak_wan * strength[i]
            effect[i] = yearly / 12 * profile(host.start) * season * shock
        effects[one.id] = effect
    return effects


def _lift(everyone: tuple[Village, ...], level: Floats, effect: Floats) -> Floats:
    inside = np.array([one.area == TARGET for one in everyone])
    gain = np.log1p(effect[inside] / np.exp(level[inside]))
    return np.asarray(gain.mean(axis=0))


def _noise(everyone: tuple[Village, ...], effect: Floats, seed: int) -> Floats:
    """Draw noise until, over all villages, it has the persistence and the size wanted."""
    for attempt in range(_ATTEMPTS):
        noise = _noise_once(everyone, effect, np.random.default_rng([seed, 2, attempt]))
        persistence = (noise[:, 1:] * noise[:, :-1]).sum() / (noise[:, :-1] ** 2).sum()
        if abs(persistence - PERSISTENCE) < 0.05 and abs(noise.std() - NOISE) < 0.01:
            return noise
    raise RuntimeError(f"seed {seed}: no draw has the noise wanted")


def _noise_once(everyone: tuple[Village, ...], effect: Floats, rng: np.random.Generator) -> Floats:
    """Draw autoregressive yearly noise, again where it would break a published share."""
    level = np.log([1e4 * one.level for one in everyone])[:, None] + _TREND
    lift = _lift(everyone, level, effect)
    drawn = np.empty((len(everyone), len(YEARS)))
    for i, village in enumerate(everyone):
        paths = _paths(rng)
        wan = [
            (np.exp(level[i] + paths) + effect[i]) / 1e4,
            np.exp(level[i] + paths + lift) / 1e4,
        ]
        good = _keeps_shares(village, wan[0]) & _keeps_shares(village, wan[1])
        if not good.any():
            raise RuntimeError(f"no path for {village.name} keeps the published shares")
        drawn[i] = paths[good.argmax()]
    return drawn


def _paths(rng: np.random.Generator) -> Floats:
    steps = rng.normal(0, _DRAWN_NOISE, (_DRAWS, len(YEARS)))
    paths = np.empty_like(steps)
    paths[:, 0] = steps[:, 0]
    innovation = np.sqrt(1 - _DRAWN_PERSISTENCE**2)
    for t in range(1, len(YEARS)):
        paths[:, t] = _DRAWN_PERSISTENCE * paths[:, t - 1] + innovation * steps[:, t]
    return paths


def _keeps_shares(village: Village, wan: Floats) -> NDArray[np.bool_]:
    """Tell which paths, shape (n_paths, n_years) in 万元, keep the village in its band."""
    above, below = 1 + _MARGIN, 1 - _MARGIN
    if village.area == VISITED:
        above += 0.2  # its visitors stay away in 2020
    y2020, y2021, y2023 = (wan[:, YEARS.index(year)] for year in (2020, 2021, 2023))
    good = (wan[:, 3:] > 20 * above).all(axis=1) & (y2023 > 50 * above)
    good &= y2020 > 50 * above if village.band in ("high", "giant") else y2020 < 50 * below
    good &= y2021 < 50 * below if village.band == "low" else y2021 > 50 * above
    passes_100 = village.band in ("high", "giant", "crossing")
    good &= y2023 > 100 * above if passes_100 else y2023 < 100 * below
    if village.band == "high":
        good &= y2023 < 950  # one giant, no more
    if village.band == "giant":
        good &= (y2023 > 1000 * above) & (y2023 < 1500 * below)
    return np.asarray(good)


def _months(everyone: tuple[Village, ...], rng: np.random.Generator) -> Floats:
    """Give relative monthly incomes, shape (n_villages, n_months)."""
    season = np.array([1.9, 0.6, 0.8, 0.8, 0.9, 0.9, 0.8, 0.8, 0.9, 1.0, 0.9, 1.7])
    months = np.tile(season, (len(everyone), len(YEARS)))
    return np.asarray(months * np.exp(rng.normal(0, 0.15, months.shape)))


def _whole_parts(yearly: Floats, months: Floats) -> Whole:
    """Split yearly 元 over months in whole 元; visitors' shocks and boom come on top."""
    by_year = months.reshape(len(months), len(YEARS), 12)
    share = by_year / by_year.sum(axis=2, keepdims=True)
    base = (yearly[:, :, None] * share).reshape(months.shape)
    visited = np.array([one.area == VISITED for one in villages()])
    part = np.where(visited, 0.3, 0.0)[:, None]
    boom = np.where(np.arange(N_MONTHS) >= 12 * (2023 - YEARS[0]) + 8, 1.6, 1.0)
    shock = (1 - part + part * visitor_shock()) * np.where(visited[:, None], boom, 1.0)
    return np.rint(base * shock).astype(np.int64)


def _jobs(
    initiatives: tuple[Initiative, ...],
    everyone: tuple[Village, ...],
    is_spurious: bool,
    seed: int,
) -> tuple[Whole, dict[str, Whole]]:
    """Draw jobs near home at each month's end; hosts' at the end of 2023 are ``HOST_JOBS``."""
    rng = np.random.default_rng([seed, 4])
    place = {one.name: i for i, one in enumerate(everyone)}
    starts: dict[str, list[tuple[str, Any]]] = {}
    for one in initiatives:
        for host in one.treated:
            starts.setdefault(host.unit, []).append((one.id, host.start))
    at_end = 12 * (2023 - YEARS[0]) + 11
    base = rng.integers(2, 5, len(everyone))
    drift = rng.normal(0, 0.35, (len(everyone), N_MONTHS)).cumsum(axis=1) / 4
    untreated = np.maximum(np.rint(base[:, None] + drift), 0).astype(np.int64)
    effect = {one.id: np.zeros_like(untreated) for one in initiatives}
    wanted = rng.permutation(np.array(HOST_JOBS))
    for jobs, (unit, hosted) in zip(wanted, sorted(starts.items()), strict=True):
        i = place[unit]
        untreated[i] = np.minimum(untreated[i], min(int(jobs), 3))
        gain = int(jobs) - int(untreated[i, at_end])
        parts = np.array([profile(start)[at_end] for _, start in hosted])
        sizes = np.floor(gain * parts / parts.sum()).astype(int)
        sizes[0] += gain - sizes.sum()
        for size, (name, start) in zip(sizes, hosted, strict=True):
            path = profile(start) / profile(start)[at_end]
            effect[name][i] = np.rint(size * path).astype(np.int64)
    jobs_now = untreated + sum(effect.values(), np.zeros_like(untreated))
    if is_spurious:
        # The same growth everywhere: other villages follow the paths of hosts drawn at random.
        grown = np.array([place[unit] for unit in sorted(starts)])
        others = [i for i in range(len(everyone)) if everyone[i].name not in starts]
        copied = rng.choice(grown, len(others))
        total = sum(effect.values(), np.zeros_like(untreated))
        jobs_now[others] = untreated[others] + total[copied]
        effect = {name: np.zeros_like(one) for name, one in effect.items()}
    return jobs_now, effect
