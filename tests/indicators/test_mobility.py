"""Mobility against published matrices and what must hold of any."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cps.indicators.grid import grid_of_array
from cps.indicators.mobility import (
    bracket_classes,
    mobility,
    quantile_classes,
    row_shares,
    shorrocks_index,
)
from cps.indicators.record import Ask
from cps.indicators.registry import measure_indicator

# Quintiles of income per head of 48 US states, 1929–2009: the example of PySAL's giddy.
US_STATES = [
    [0.91011236, 0.0886392, 0.00124844, 0, 0],
    [0.09972299, 0.78531856, 0.11080332, 0.00415512, 0],
    [0, 0.10125, 0.78875, 0.1075, 0.0025],
    [0, 0.00417827, 0.11977716, 0.79805014, 0.07799443],
    [0, 0, 0.00125156, 0.07133917, 0.92740926],
]
# Joint shares by quintile of 125 incomes: the example of R's mobilityIndexR.
INCOME_MOBILITY = [
    [0.152, 0.040, 0.008, 0.000, 0.000],
    [0.048, 0.080, 0.048, 0.024, 0.000],
    [0.000, 0.048, 0.064, 0.056, 0.032],
    [0.000, 0.008, 0.024, 0.120, 0.048],
    [0.000, 0.024, 0.056, 0.000, 0.120],
]


def replay(joint):
    """Make values that move between quintiles as a joint matrix of counts says."""
    start, end = [], []
    for (row, column), n in np.ndenumerate(np.round(np.array(joint) * 125).astype(int)):
        start += [row] * n
        end += [column] * n
    rng = np.random.default_rng(1)
    return (np.array(one) + rng.uniform(0, 0.5, len(one)) for one in (end, start))


def test_shorrocks_index_is_the_one_that_giddy_publishes():
    assert shorrocks_index(US_STATES) == pytest.approx(0.19758992000997844, abs=1e-8)


def test_moves_of_the_mobilityindexr_example_are_counted_as_published():
    now, base = replay(INCOME_MOBILITY)
    found = mobility(now, base)
    assert found.counts / 125 == pytest.approx(np.array(INCOME_MOBILITY))
    assert found.moved == pytest.approx(0.464)  # its prais_bibby
    assert found.mean_jump == pytest.approx(0.64)  # its average_movement
    assert found.shorrocks == pytest.approx(0.58)


def test_no_move_is_0_and_a_class_that_tells_nothing_is_1():
    assert mobility(np.arange(50.0), np.arange(50.0)).shorrocks == 0
    assert shorrocks_index(np.ones((5, 5))) == pytest.approx(1)


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), min_size=5, max_size=40))
def test_every_unit_is_counted_once_and_order_does_not_matter(pairs):
    now, base = (np.array(one, dtype=float) for one in zip(*pairs, strict=True))
    found = mobility(now, base)
    assert found.counts.sum() == found.n == len(pairs)
    assert found.up + found.down == pytest.approx(found.moved)
    assert (mobility(now[::-1], base[::-1]).counts == found.counts).all()
    shares = found.probabilities[np.isfinite(found.probabilities).all(axis=1)]
    assert shares.sum(axis=1) == pytest.approx(np.ones(len(shares)))


def test_equal_values_share_a_class_and_a_value_on_an_edge_is_not_above_it():
    assert quantile_classes([7, 7, 7, 7, 7]).tolist() == [2.0] * 5
    assert bracket_classes([50, 50.01], [5, 10, 20, 50]).tolist() == [3.0, 4.0]


def test_a_class_that_no_unit_started_in_has_no_shares():
    assert np.isnan(row_shares([[1, 1], [0, 0]])[1]).all()
    assert shorrocks_index([[1, 1], [0, 0]]) is None


def test_units_without_both_periods_are_left_out_and_told():
    grid = grid_of_array(
        [[40e4, 60e4], [120e4, 300e4], [30e4, np.nan]],
        periods=[2022, 2023],
        units=["甲", "乙", "丙"],
    )
    found = measure_indicator("mobility_brackets", grid, Ask(2023, base=2022))
    assert (found.n_reported, found.n_units) == (2, 3)
    moves = {
        (start, end): n
        for start, end, n in zip(*(found.table[one] for one in ("from", "to", "n")), strict=True)
        if n
    }
    assert moves == {("20–50", "50–100"): 1, ("100–200", ">200"): 1}
    assert found.parts["up"] == 1
