"""Excess mass above a level: where it was put, where there is none, and where it can't be told."""

import numpy as np
import pytest

from cps.errors import DesignError
from cps.indicators.bunching import count_beside, excess_mass
from cps.indicators.grid import grid_of_array
from cps.indicators.record import Ask
from cps.indicators.registry import measure_indicator
from cps.robustness import bunching

LEVEL = 500_000.0


def incomes(rng, n_units, n_years, moved=0.0):
    """Lognormal incomes; a share ``moved`` of those just below the level are reported just above."""
    values = rng.lognormal(np.log(6e5), 0.8, (n_units, n_years))
    below = (values < LEVEL) & (values > LEVEL / 1.1)
    lifted = below & (rng.uniform(size=values.shape) < moved)
    return np.where(lifted, LEVEL * 1.02, values), int(lifted.sum())


def test_the_excess_of_a_flat_histogram_is_what_was_added():
    # Ten values in each bin of 10%, 15 more just above the level, 4 fewer just below it.
    centres = LEVEL * 1.1 ** (np.arange(-7, 7) + 0.5)
    counts = np.full(14, 10)
    counts[7] += 15
    counts[6] -= 4
    found = excess_mass(np.repeat(centres, counts), LEVEL)
    assert found.excess == pytest.approx(15)
    assert found.excess_ratio == pytest.approx(1.5)
    assert found.missing == pytest.approx(4)
    assert (found.observed, found.n_values) == (25, 151)


def test_values_lifted_over_the_level_are_found_and_as_many_are_missing_below():
    rng = np.random.default_rng(3)
    values, lifted = incomes(rng, 412, 8, moved=0.6)
    found = excess_mass(values, LEVEL)
    assert found.low < lifted < found.high
    assert found.low > 0
    assert found.missing == pytest.approx(lifted, abs=2 * (found.high - found.low) / 4)


def test_a_smooth_distribution_shows_no_excess_in_95_of_100_draws():
    rng = np.random.default_rng(12)
    hits = []
    for _ in range(300):
        values, _ = incomes(rng, 85, 8)
        found = excess_mass(values, LEVEL, draws=199)
        hits.append(found.low <= 0 <= found.high)
    # ±2.5 points is two errors of a share of 95% in 300 draws.
    assert np.mean(hits) == pytest.approx(0.95, abs=0.03)


def test_few_values_near_the_level_are_refused_in_words():
    with pytest.raises(DesignError, match="too few"):
        excess_mass(np.linspace(4e5, 6e5, 30), LEVEL)


def test_each_unit_counts_once_by_the_side_where_it_stands_more_often():
    values = np.array([[510e3, 520e3, 490e3], [490e3, 495e3, np.nan], [500e3, 900e3, 100e3]])
    found = count_beside(values, LEVEL)
    assert (found.cells_below, found.cells_above) == (3, 3)
    assert (found.units_below, found.units_above) == (1, 2)
    assert found.p_value == pytest.approx(0.5)  # 2 or 3 of 3 heads: 4 of 8


def test_the_check_of_a_design_counts_with_the_same_code():
    assert bunching.count_beside is count_beside


def test_the_indicator_pools_years_and_keeps_the_counts_where_no_excess_can_be_told():
    rng = np.random.default_rng(5)
    values, _ = incomes(rng, 30, 2)
    grid = grid_of_array(values, periods=[2022, 2023])
    found = measure_indicator("crowding_above_50", grid, Ask(2023))
    assert found.value is None
    assert found.parts["cells_above"] is not None
    assert "无法拟合" in found.notes[0].zh
    values, _ = incomes(rng, 85, 8, moved=0.9)
    grid = grid_of_array(values, periods=range(2016, 2024))
    found = measure_indicator("crowding_above_50", grid, Ask(2023))
    assert found.ci_low > 0
    assert any("不等于造假" in note.zh for note in found.notes)
    assert len(found.table["n"]) == len(found.table["fitted"]) == 14
