"""Effects of hosts seen together, and the distribution without them, on worlds whose truth is known."""

from __future__ import annotations

import dataclasses
import datetime
import json
from typing import Any

import numpy as np
import polars as pl
import pytest

from cps.design.build import make_design, pool_initiatives
from cps.design.record import Initiative, TreatedUnit
from cps.errors import DesignError, Text
from cps.indicators import distribution as of
from cps.indicators.counterfactual import distribution_without
from cps.indicators.grid import grid_of_array
from cps.panel.record import PANEL_KEYS, Panel
from cps.synthesis.host_effects import HostGaps, draw_host_effects, host_gaps
from cps.synthesis.without import take_away, take_headlines_away, without_initiatives

YEARS = tuple(range(2015, 2024))
HOSTS, DONORS, IDLE = 18, 30, 3


def world(seed: int, *, gain: float = 1.2e5) -> tuple[dict[str, Any], np.ndarray]:
    """Give a panel of 18 hosts, 3 idle units and 30 donors, and the last year without effects.

    Effects are in 元, so that in logarithms they are larger where a village is poorer.
    """
    rng = np.random.default_rng(seed)
    n = HOSTS + IDLE + DONORS
    level = rng.normal(np.log(8e5), 0.8, n)[:, None]
    noise = np.empty((n, len(YEARS)))
    noise[:, 0] = rng.normal(0, 0.15, n)
    for t in range(1, len(YEARS)):
        noise[:, t] = 0.6 * noise[:, t - 1] + np.sqrt(1 - 0.36) * rng.normal(0, 0.15, n)
    without = np.exp(level + 0.08 * np.arange(len(YEARS)) + noise)
    units = tuple(f"v{i:02d}" for i in range(n))
    starts = {units[i]: 2018 + i % 4 for i in range(HOSTS)}
    effect = np.zeros_like(without)
    for i in range(HOSTS):
        since = np.array(YEARS) - starts[units[i]]
        effect[i] = gain * (0.5 + i / HOSTS) * np.clip((since + 1) / 3, 0, 1)
    given = {
        "values": without + effect,
        "units": units,
        "periods": YEARS,
        "starts": starts,
        "donors": units[HOSTS + IDLE :],
        "period": YEARS[-1],
    }
    return given, without[: HOSTS + IDLE, -1]


def grid_inside(given: dict[str, Any]) -> Any:
    inside = HOSTS + IDLE
    return grid_of_array(given["values"][:inside], periods=YEARS, units=given["units"][:inside])


def test_a_gap_is_that_of_a_regression_on_the_level_before_the_start() -> None:
    given, _ = world(1)
    values = given.pop("values")
    found = host_gaps(values, **given)
    logs = np.log(values)
    donors = [given["units"].index(one) for one in given["donors"]]
    for place, unit in enumerate(found.units):
        n_pre = YEARS.index(given["starts"][unit])
        before = logs[:, :n_pre].mean(axis=1)
        change = logs[:, -1] - before
        slope, constant = np.polyfit(before[donors], change[donors], 1)
        row = given["units"].index(unit)
        assert found.gaps[place] == pytest.approx(change[row] - constant - slope * before[row])
        assert found.standing[place] == pytest.approx(before[row] - before[donors].mean())
    assert found.n_donors == DONORS


def test_the_joint_error_of_the_gaps_is_theirs_over_many_worlds() -> None:
    gaps, covariances = [], []
    for seed in range(200):
        given, _ = world(seed, gain=0.0)
        # The levels stay those of one world: only the noise is drawn anew.
        fixed, _ = world(10_000, gain=0.0)
        levels = np.log(fixed["values"]).mean(axis=1, keepdims=True)
        logs = np.log(given["values"])
        values = np.exp(levels + logs - logs.mean(axis=1, keepdims=True))
        found = host_gaps(values, **{k: v for k, v in given.items() if k != "values"})
        gaps.append(found.gaps)
        covariances.append(found.covariance)
    seen, told = np.cov(np.array(gaps).T), np.mean(covariances, axis=0)
    # 200 worlds: a variance is known to within 10% (one error).
    assert np.diag(told) == pytest.approx(np.diag(seen), rel=0.3)
    # What donors share makes gaps move together: the error of their mean is larger for it.
    assert told.mean() == pytest.approx(seen.mean(), rel=0.3)
    assert told.mean() > 1.3 * np.diag(told).mean() / HOSTS


@pytest.mark.parametrize("gain", [1.2e5, 0.0])
def test_intervals_of_gini_share_and_poorest_fifth_hold_the_truth(gain: float) -> None:
    n_worlds = 60
    held = dict.fromkeys(("gini", "share_above_100", "poorest_fifth_mean", "mean"), 0)
    for seed in range(n_worlds):
        given, without = world(seed, gain=gain)
        grid = grid_inside(given)
        effects = draw_host_effects(host_gaps(**given), draws=300, seed=seed)
        rows = {one.indicator: one for one in take_away(grid, effects, period=2023).rows}
        truth = {
            "gini": of.gini_of(without),
            "share_above_100": of.share_above_of(without, 1e6),
            "poorest_fifth_mean": of.poorest_fifth_of(without),
            "mean": of.mean_of(without),
        }
        for name, value in truth.items():
            one = rows[name]
            held[name] += bool(
                one.without_low * (1 - 1e-9) <= value <= one.without_high * (1 + 1e-9)
            )
    for name, count in held.items():
        # 95% of 60 less three errors of a share (8.4 points); an index of counts may be held always.
        assert count / n_worlds >= 0.866, (name, count / n_worlds)


def test_one_effect_for_all_hosts_hides_what_a_gap_would_have_been() -> None:
    """Why effects are taken by host: the same share off every host leaves the gap as it is."""
    held = {"by_host": 0, "same": 0}
    n_worlds = 30
    for seed in range(n_worlds):
        given, without = world(seed, gain=2.5e5)
        grid = grid_inside(given)
        found = host_gaps(**given)
        effects = draw_host_effects(found, draws=300, seed=seed)
        weight = np.linalg.solve(found.covariance, np.ones(HOSTS))
        mean, error = weight @ found.gaps / weight.sum(), 1 / np.sqrt(weight.sum())
        rng = np.random.default_rng(seed)
        hosts = np.zeros((HOSTS + IDLE, 1))
        hosts[:HOSTS] = 1
        same = distribution_without(
            grid,
            period=2023,
            membership=hosts,
            effects=[mean],
            draws=mean + error * rng.standard_normal((300, 1)),
            scale="log_points",
            indices=("gini",),
        )
        truth = float(of.gini_of(without))
        for way, one in (
            ("same", same.rows[0]),
            (
                "by_host",
                next(
                    row
                    for row in take_away(grid, effects, period=2023).rows
                    if row.indicator == "gini"
                ),
            ),
        ):
            held[way] += bool(one.without_low <= truth <= one.without_high)
    # 95% of 30 less three errors of a share (12 points).
    assert held["by_host"] / n_worlds >= 0.83
    assert held["same"] / n_worlds < 0.5


def test_gaps_known_exactly_are_taken_as_they_are_and_hopeless_ones_drawn_to_the_line() -> None:
    rng = np.random.default_rng(3)
    standing = rng.normal(0, 0.8, 12)
    gaps = 0.2 - 0.1 * standing + rng.normal(0, 0.15, 12)
    exact = _gaps(gaps, standing, 1e-8)
    assert draw_host_effects(exact).effects == pytest.approx(gaps, abs=1e-4)
    hopeless = _gaps(gaps, standing, 0.5)
    found = draw_host_effects(hopeless)
    line = np.polyval(np.polyfit(standing, gaps, 1), standing)
    assert np.abs(found.effects - line).max() < 0.6 * np.abs(gaps - line).max()
    assert found.slope == pytest.approx(np.polyfit(standing, gaps, 1)[0], abs=0.02)


def test_draws_have_the_posterior_mean_and_a_host_unseen_is_less_certain() -> None:
    rng = np.random.default_rng(4)
    standing = rng.normal(0, 0.8, 12)
    found = draw_host_effects(
        _gaps(0.3 + rng.normal(0, 0.2, 12), standing, 0.02, unseen=1), draws=20_000
    )
    # 20,000 draws: a mean is known to within a hundredth of its spread, here about 0.003.
    assert found.draws.mean(axis=0) == pytest.approx(found.effects, abs=0.01)
    spread = found.draws.std(axis=0)
    assert spread[-1] > spread[:-1].max()
    assert found.units[-1] == "unseen0"


def test_the_same_seed_gives_the_same_draws_and_another_one_others() -> None:
    given, _ = world(5)
    found = host_gaps(**given)
    first, again, other = (draw_host_effects(found, draws=50, seed=k).draws for k in (1, 1, 2))
    assert (first == again).all()
    assert (first != other).any()


def test_too_few_hosts_or_donors_are_refused_with_the_numbers() -> None:
    given, _ = world(6)
    with pytest.raises(DesignError, match="4 hosts"):
        host_gaps(**{**given, "starts": dict(list(given["starts"].items())[:4])})
    with pytest.raises(DesignError, match="9 comparison units"):
        host_gaps(**{**given, "donors": given["donors"][:9]})


def test_a_host_without_years_before_its_start_is_named_and_not_estimated() -> None:
    given, _ = world(7)
    found = host_gaps(**{**given, "starts": {**given["starts"], "v00": 2015}})
    assert found.unseen == ("v00",)
    assert "v00" not in found.units
    assert len(found.unseen_standing) == 1


def _gaps(gaps: Any, standing: Any, variance: float, *, unseen: int = 0) -> HostGaps:
    return HostGaps(
        units=tuple(f"h{k}" for k in range(len(gaps))),
        gaps=np.asarray(gaps),
        covariance=variance * np.eye(len(gaps)),
        standing=np.asarray(standing),
        unseen=tuple(f"unseen{k}" for k in range(unseen)),
        unseen_standing=np.zeros(unseen),
        n_donors=500,
    )


def panel_of(given: dict[str, Any]) -> Panel:
    rows = [
        {
            "unit": unit,
            "area": "邻镇" if place >= HOSTS + IDLE else "本街",
            "period": year,
            "period_label": str(year),
            "regime": "2023" if year >= 2022 else "2004",
            "is_synthetic": True,
            "income_yuan": int(given["values"][place, column]),
        }
        for place, unit in enumerate(given["units"])
        for column, year in enumerate(YEARS)
    ]
    frame = pl.DataFrame(rows, schema={**PANEL_KEYS, "income_yuan": pl.Int64()}, orient="row")
    return Panel(frame.sort("unit", "period"), "year", "village", (), (), True)


def initiatives_of(given: dict[str, Any]) -> tuple[Initiative, ...]:
    """Give three initiatives; the first host hosts two of them."""
    hosts: list[list[TreatedUnit]] = [[], [], []]
    for place, (unit, start) in enumerate(given["starts"].items()):
        hosts[place % 3].append(TreatedUnit(unit, datetime.date(start, 3, 1)))
    hosts[1].append(TreatedUnit("v00", datetime.date(2021, 1, 1)))
    return tuple(
        Initiative(
            id=f"i{k}",
            name=Text(f"项目{k}", f"initiative {k}"),
            description=Text("", ""),
            format="bonsai",
            provenance="illustrative",
            stands_for=(),
            is_synthetic=True,
            unit_kind="village",
            frequency="year",
            outcomes=("income_yuan",),
            treated=tuple(own),
            comparison_areas=("本街", "邻镇"),
            exclusions=(),
            anticipation=0,
            assumptions=(),
            source_sha256="",
        )
        for k, own in enumerate(hosts)
    )


def test_a_host_of_two_initiatives_is_taken_away_once() -> None:
    given, _ = world(8)
    declared, panel = initiatives_of(given), panel_of(given)
    design = make_design(panel, pool_initiatives(declared))
    found = without_initiatives(panel, design, area="本街", initiatives=declared, draws=100)
    last = found["counterfactual"]["years"][-1]
    hosts = found["counterfactual"]["effects"]["hosts"]["unit"]
    assert last["n_hosts"] == HOSTS
    assert len(set(hosts)) == len(hosts) == HOSTS


def test_the_overview_s_record_is_plain_says_its_units_and_marks_the_accounting_break() -> None:
    given, _ = world(9)
    declared, panel = initiatives_of(given), panel_of(given)
    design = make_design(panel, pool_initiatives(declared))
    found = without_initiatives(panel, design, area="本街", initiatives=declared, draws=100)
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    counter = found["counterfactual"]
    assert {row["unit"] for row in counter["years"][-1]["rows"]} == {
        "yuan",
        "percent",
        "index",
        "ratio",
    }
    assert {year["period"]: year["spans_break"] for year in counter["years"]}[2022] is True
    assert {year["period"]: year["spans_break"] for year in counter["years"]}[2021] is False
    # No host had started by 2017: those years are absent, each with its reason.
    assert [one["period"] for one in counter["absent"]] == [2015, 2016, 2017]
    again = without_initiatives(panel, design, area="本街", initiatives=declared, draws=100)
    assert again == found


def test_jobs_get_no_counterfactual_distribution_and_the_reason() -> None:
    given, _ = world(10)
    panel = panel_of(given)
    frame = panel.frame.with_columns(jobs_persons=pl.col("income_yuan") // 50_000)
    jobs = Panel(frame, "year", "village", (), (), True)
    declared = initiatives_of(given)
    design = make_design(jobs, pool_initiatives(declared), outcome="jobs_persons")
    found = without_initiatives(jobs, design, area="本街", initiatives=declared)
    assert set(found["counterfactual"]) == {"why_not"}
    assert "金额" in found["counterfactual"]["why_not"]["zh"]


def test_headline_effects_set_beside_are_wider_the_more_their_errors_are_tied() -> None:
    from types import SimpleNamespace

    given, _ = world(11)
    declared, grid = initiatives_of(given), grid_inside(given)
    effect = SimpleNamespace(measure="log_points", overall=SimpleNamespace(att=0.15, se=0.1))
    runs: Any = [SimpleNamespace(name=one.id, effects=(effect,)) for one in declared]
    found = take_headlines_away(grid, declared, runs, period=2023, draws=2000)
    width = {
        one["way"]: next(
            row["without_high"] - row["without_low"]
            for row in one["rows"]
            if row["indicator"] == "poorest_fifth_mean"
        )
        for one in found
    }
    assert width["headline_tied"] > width["headline_apart"]

    def joint(correlation: float) -> float:
        matrix = correlation * np.ones((3, 3)) + (1 - correlation) * np.eye(3)
        # Of all that are declared only those that were estimated are in the matrix.
        family = {"members": [one.id for one in declared], "correlation": matrix.tolist()}
        together = {
            "initiatives": {"initiative": ["not_run", *family["members"]]},
            "family": family,
        }
        (found,) = take_headlines_away(
            grid, declared, runs, period=2023, together=together, draws=2000
        )
        assert found["way"] == "headline_joint"
        return next(
            row["without_high"] - row["without_low"]
            for row in found["rows"]
            if row["indicator"] == "poorest_fifth_mean"
        )

    # 2,000 draws: the width of an interval is known to within about 3%.
    assert joint(0.0) == pytest.approx(width["headline_apart"], rel=0.1)
    assert joint(1.0) == pytest.approx(width["headline_tied"], rel=0.1)
    assert take_headlines_away(grid, declared, (), period=2023) == []


def test_months_give_the_same_distribution_as_their_years() -> None:
    given, _ = world(12)
    declared, yearly = initiatives_of(given), panel_of(given)
    frame = pl.concat(
        [
            yearly.frame.with_columns(
                period=pl.col("period") * 12 + month,
                income_yuan=pl.when(month == 0)
                .then(pl.col("income_yuan") - 11 * (pl.col("income_yuan") // 12))
                .otherwise(pl.col("income_yuan") // 12),
            )
            for month in range(12)
        ]
    ).sort("unit", "period")
    monthly = Panel(frame, "month", "village", (), (), True)
    by_month = tuple(dataclasses.replace(one, frequency="month") for one in declared)
    found = [
        without_initiatives(
            panel,
            make_design(panel, pool_initiatives(own)),
            area="本街",
            initiatives=own,
            draws=100,
        )["counterfactual"]["years"]
        for panel, own in ((yearly, declared), (monthly, by_month))
    ]
    assert [one["rows"] for one in found[0]] == [one["rows"] for one in found[1]]
