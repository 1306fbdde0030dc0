"""Indices of inequality and shortfall against published numbers and what must not change them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cps.indicators import distribution as of
from cps.indicators.decomposition import decompose_theil, round_parts

# The example of R's package ineq (Zeileis, after Cowell 1995).
INEQ = np.array([541, 1463, 2445, 3438, 4437, 5401, 6392, 8304, 11904, 22261], dtype=float)

# GDP a head of the 32 Mexican states in 1940 and 2000, and their regions: PySAL's mexico.csv, after
# Rey & Sastré-Gutiérrez (2010), doi:10.1080/17421772.2010.493955, and Hanson (1998).
GDP_1940 = [
    *(10384, 22361, 9573, 3758, 2934, 8578, 8537, 6909, 17816, 12132, 4359, 2181, 4414, 5309, 3408),
    *(3327, 6936, 4836, 9073, 1892, 3569, 11016, 21965, 4372, 4840, 6399, 2459, 7508, 3605, 5203),
    *(7990, 3734),
]
GDP_2000 = [
    *(27782, 29855, 26103, 36163, 8684, 30735, 28460, 21358, 54349, 17379, 15585, 11820, 12348),
    *(21610, 16322, 11838, 18170, 11478, 38672, 9010, 15685, 26149, 33442, 15866, 15242, 24068),
    *(13360, 23546, 11701, 12191, 17509, 11130),
]
REGIONS = list("21255113423533433215335221513352")
POSITIVE = st.lists(st.integers(1, 10_000_000), min_size=2, max_size=30)


def test_gini_and_its_small_sample_version_are_those_of_r_ineq():
    assert of.gini_of(INEQ) == pytest.approx(0.462091130267624, abs=1e-14)
    assert of.gini_small_of(INEQ) == pytest.approx(0.5134346, abs=5e-8)


def test_theil_l_is_the_logarithm_of_r_ineq_s_atkinson_index():
    # Atkinson's index at 1 is 1 − geometric mean ÷ mean, that is 1 − exp(−L); ineq gives 0.3518251.
    assert 1 - np.exp(-of.theil_l_of(INEQ)) == pytest.approx(0.3518251, abs=5e-8)


@pytest.mark.parametrize(
    ("values", "total", "between"),
    [(GDP_1940, 0.20894344, 0.0345889), (GDP_2000, 0.10660832, 0.03635872)],
)
def test_theil_t_and_its_part_between_regions_are_those_that_pysal_publishes(
    values, total, between
):
    assert of.theil_t_of(np.array(values, dtype=float)) == pytest.approx(total, abs=5e-9)
    found = decompose_theil(values, REGIONS, index="t")
    assert found.between == pytest.approx(between, abs=5e-9)
    assert found.within + found.between == pytest.approx(found.total, rel=1e-14)


@pytest.mark.parametrize(("power", "published"), [(0, 0.5), (1, 0.08), (2, 0.0136)])
def test_shortfall_is_that_of_the_world_bank_handbook(power, published):
    # Haughton & Khandker (2009), Handbook on Poverty and Inequality, World Bank, p. 72: country C and
    # a line of 125 give gaps of 0.20 and 0.12, and a squared gap of 0.0136.
    found = of.shortfall_of(np.array([100.0, 110, 150, 160]), 125, power)
    assert found == pytest.approx(published, abs=1e-15)


def test_palma_p90_p10_and_the_poorest_fifth_of_a_hundred_steps():
    steps = np.arange(1.0, 101)  # richest tenth 91…100, poorest 40% 1…40, poorest fifth 1…20
    assert of.palma_of(steps) == pytest.approx(955 / 820)
    assert of.p90_p10_of(steps) == pytest.approx(90.5 / 10.5)  # averaged where a step ends
    assert of.poorest_fifth_of(steps) == pytest.approx(10.5)
    assert of.gini_of(steps) == pytest.approx((1 - 1 / 100) / 3)


def test_a_unit_on_the_edge_counts_in_part():
    # Of 3 units the poorest fifth is 0.6 of the poorest.
    assert of.poorest_fifth_of(np.array([10.0, 20, 30])) == pytest.approx(10)
    assert of.palma_of(np.array([10.0, 20, 30])) == pytest.approx(0.3 * 30 / (10 + 0.2 * 20))


INDICES = [
    of.gini_of,
    of.theil_t_of,
    of.theil_l_of,
    of.p90_p10_of,
    of.palma_of,
    of.sd_log_of,
]


@pytest.mark.parametrize("index", INDICES)
@given(values=POSITIVE, scale=st.floats(0.01, 100))
def test_scale_order_and_copies_of_the_population_change_no_index(index, values, scale):
    array = np.array(values, dtype=float)
    found = float(index(array))
    assert float(index(scale * array)) == pytest.approx(found, rel=1e-9, abs=1e-9)
    assert float(index(np.tile(array[::-1], 3))) == pytest.approx(found, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("index", [of.gini_of, of.theil_t_of, of.theil_l_of])
@given(values=POSITIVE, share=st.floats(0.1, 0.5), data=st.data())
def test_a_transfer_from_richer_to_poorer_lowers_inequality(index, values, share, data):
    array = np.sort(np.array(values, dtype=float))
    poor = data.draw(st.integers(0, array.size - 2))
    rich = data.draw(st.integers(poor + 1, array.size - 1))
    if array[rich] - array[poor] < 1:
        return
    after = array.copy()
    moved = share * (array[rich] - array[poor])
    after[[poor, rich]] += [moved, -moved]
    assert index(after) < index(array) + 1e-12


@pytest.mark.parametrize("index", ["t", "l"])
@given(
    pairs=st.lists(
        st.tuples(st.integers(1, 10**7), st.sampled_from("abcd")), min_size=2, max_size=30
    )
)
def test_parts_within_and_between_add_up_to_the_whole(index, pairs):
    values, groups = zip(*pairs, strict=True)
    found = decompose_theil(values, groups, index=index)
    assert found.within + found.between == pytest.approx(found.total, rel=1e-12, abs=1e-14)
    assert sum(part.within for part in found.groups) == found.within
    assert found.within > -1e-14
    assert found.between > -1e-14


def test_what_is_between_is_the_index_of_everyone_at_the_group_s_mean():
    found = decompose_theil(GDP_1940, REGIONS, index="l")
    means = {part.group: part.mean for part in found.groups}
    flat = np.array([means[group] for group in REGIONS])
    assert found.between == pytest.approx(float(of.theil_l_of(flat)), rel=1e-12)


def test_printed_parts_add_up_to_the_printed_total():
    parts = (0.1114, 0.1114)  # each rounds down to 0.111, their sum up to 0.223
    shown = round_parts(sum(parts), parts, digits=3)
    assert shown == (0.112, 0.111)
    assert sum(round(one, 3) for one in parts) != pytest.approx(round(sum(parts), 3))


@pytest.mark.parametrize(
    ("index", "values"),
    [
        (of.gini_of, [-1, 5]),
        (of.gini_of, [0, 0]),
        (of.gini_small_of, [5]),
        (of.theil_t_of, [-1, 5]),
        (of.theil_l_of, [0, 5]),
        (of.p90_p10_of, [0, 0, 1]),
        (of.palma_of, [0, 0, 0, 1]),
        (of.sd_log_of, [0, 1]),
    ],
)
def test_an_index_that_is_not_defined_is_absent(index, values):
    assert np.isnan(index(np.array(values, dtype=float)))


def test_a_zero_counts_nothing_in_theil_t_and_one_holder_of_all_gives_ln_n():
    assert of.theil_t_of(np.array([0.0, 0, 0, 8])) == pytest.approx(np.log(4))


@pytest.mark.parametrize(
    ("index", "influence"),
    [
        (of.gini_of, of.gini_influence),
        (of.gini_small_of, of.gini_small_influence),
        (of.theil_t_of, of.theil_t_influence),
        (of.theil_l_of, of.theil_l_influence),
        (of.mean_of, of.mean_influence),
    ],
)
def test_influence_values_give_the_jackknife_error_of_a_large_population(index, influence):
    values = np.random.default_rng(7).lognormal(0, 0.6, 400)
    left_out = np.array([float(index(np.delete(values, i))) for i in range(values.size)])
    n = values.size
    jackknife = np.sqrt((n - 1) / n * ((left_out - left_out.mean()) ** 2).sum())
    own = influence(values)
    assert own.mean() == pytest.approx(0, abs=1e-12)
    # Both are consistent for the same error; at n = 400 they differ by a term of order 1/n.
    assert own.std(ddof=1) / np.sqrt(n) == pytest.approx(jackknife, rel=0.03)


def test_an_index_of_many_draws_is_that_of_each():
    draws = np.random.default_rng(3).lognormal(0, 1, (4, 5, 20))
    for index in (*INDICES, of.median_of, of.poorest_fifth_of):
        assert index(draws)[2, 3] == pytest.approx(float(index(draws[2, 3])), rel=1e-13)
