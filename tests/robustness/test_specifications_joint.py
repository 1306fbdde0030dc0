"""The joint test of a specification curve, and what its spread comes from: against slow versions."""

from __future__ import annotations

from itertools import permutations
from pathlib import Path

import numpy as np
import pytest

from cps.estimators.registry import estimate
from cps.robustness.specifications import trace_specifications
from cps.robustness.specifications.joint import joint_test, own_p_values
from cps.robustness.specifications.summary import influences, single_moves
from tests.robustness.specification_worlds import (
    areas_of,
    log_incomes,
    smaller_grid,
    village_design,
)

ALPHAS = (0.05, 0.1, 0.25, 0.5)


def _slow(own: np.ndarray, common: np.ndarray) -> dict[str, float]:
    """Compute the joint test as its paper says it, one assignment and one cell at a time."""
    n, m = own.shape
    spread = []
    for c in range(m):
        seen = [v * v for v in own[:, c] if not np.isnan(v)]
        spread.append((sum(seen) / len(seen)) ** 0.5)
    found: dict[str, list[float]] = {"median": [], "share": [], "combined": []}
    for r in range(n):
        here = [c for c in range(m) if not np.isnan(common[r, c])]
        values = sorted(common[r, c] for c in here)
        k = len(values)
        middle = (values[(k - 1) // 2] + values[k // 2]) / 2
        up = sum(v > 0 for v in values)
        down = sum(v < 0 for v in values)
        found["median"].append(abs(middle))
        found["share"].append(max(up, down) / k)
        found["combined"].append(abs(sum(own[r, c] / spread[c] for c in here)) / k**0.5)
    ranks = {
        name: [sum(other >= one * (1 - 1e-9) for other in values) / n for one in values]
        for name, values in found.items()
    }
    smallest = [min(ranks[name][r] for name in ranks) for r in range(n)]
    return {
        **{f"p_{name}": ranks[name][0] for name in ranks},
        "p_joint": sum(one <= smallest[0] + 1e-12 for one in smallest) / n,
    }


@pytest.mark.parametrize("seed", range(5))
def test_the_joint_test_is_what_its_definition_gives_cell_by_cell(seed: int) -> None:
    rng = np.random.default_rng(seed)
    own = rng.normal(0, 1, (14, 9)) * rng.uniform(0.5, 40, 9) + rng.normal(0, 0.8, (14, 1))
    own[rng.random(own.shape) < 0.1] = np.nan
    own[0] = np.where(np.isnan(own[0]), 1.0, own[0])
    common = np.arctan(own)
    found = joint_test(own, common)
    assert found is not None
    for name, value in _slow(own, common).items():
        assert getattr(found, name) == pytest.approx(value, abs=1e-12), name


def test_the_p_value_of_one_cell_is_its_rank_among_assignments() -> None:
    own = np.array([[3.0, -1.0], [1.0, 1.0], [-3.0, 0.5], [2.0, np.nan]])
    # Of four estimates two are as large as 3 in size; of three, two as large as 1.
    assert own_p_values(own) == pytest.approx([2 / 4, 2 / 3])


def test_all_alike_assignments_give_a_p_value_of_one() -> None:
    own = np.ones((6, 3))
    found = joint_test(own, own)
    assert found is not None
    assert (found.p_median, found.p_share, found.p_combined, found.p_joint) == (1, 1, 1, 1)


def test_there_is_no_joint_test_of_the_actual_assignment_alone() -> None:
    assert joint_test(np.ones((1, 4)), np.ones((1, 4))) is None


def test_of_all_the_assignments_there_are_no_more_than_a_share_is_called_rare() -> None:
    # Exactness: whichever unit was the host, its rank is among the same assignments. So over all
    # hosts of one panel without an effect, a p-value of at most alpha comes in alpha of the cases.
    y = log_incomes(16, 11)
    p_values: dict[str, list[float]] = {"p_median": [], "p_share": [], "p_joint": []}
    for host in range(16):
        rows = [host, *(one for one in range(16) if one != host)]
        names = [f"村{one:02d}" for one in rows]
        design = village_design(y[rows], (2019,), names=names)
        headline = estimate(design, options={"weights": "did"})
        joint = trace_specifications(design, headline, panel=areas_of(design)).joint
        assert joint is not None
        assert joint.is_enumerated
        assert joint.smallest_p == 1 / 16
        for name, values in p_values.items():
            values.append(getattr(joint, name))
    for name, values in p_values.items():
        for alpha in ALPHAS:
            # Cells that one host bears and another does not may move a single rank.
            assert np.mean(np.array(values) <= alpha + 1e-12) <= alpha + 1 / 16 + 1e-12, name


def test_without_an_effect_the_joint_test_rejects_as_often_as_it_says(tmp_path: Path) -> None:
    # Methods that are linear alone, so that many panels take a second or two; the whole grid is
    # studied by ``python -m tests.robustness.specification_size``.
    dropped = ("sdid", "synthetic_control", "demeaned_control", "level")
    grid = smaller_grid(
        tmp_path, **{one: (f'  {{ name = "{one}"', f'#  {{ name = "{one}"') for one in dropped}
    )
    draws, p_values = 100, []
    for seed in range(draws):
        design = village_design(log_incomes(12, seed), (2019, 2020))
        headline = estimate(design, "group_time_att", options={"base": "universal"})
        joint = trace_specifications(design, headline, seed=seed, grid=grid).joint
        assert joint is not None
        p_values.append(joint.p_joint)
    for alpha in ALPHAS:
        share = float(np.mean(np.array(p_values) <= alpha + 1e-12))
        # Three standard errors; ties between assignments can only make it reject less often.
        assert share <= alpha + 3 * (alpha * (1 - alpha) / draws) ** 0.5
    assert 0.4 < np.mean(p_values) < 0.65


def test_a_large_effect_is_as_rare_as_the_number_of_assignments_allows() -> None:
    design = village_design(log_incomes(24, 2), (2019,), effect=1.5)
    joint = trace_specifications(design, estimate(design, options={"weights": "did"})).joint
    assert joint is not None
    assert joint.p_median == joint.p_joint == joint.smallest_p == 1 / 24
    assert joint.share == 1.0


def _grid() -> list[dict[str, str]]:
    return [
        {"method": m, "controls": "never", "donors": d, "form": f}
        for m in "abc"
        for d in "de"
        for f in "gh"
    ]


def test_on_a_complete_grid_shares_are_those_of_the_analysis_of_variance() -> None:
    cells = _grid()
    of_option = {"a": 0.0, "b": 1.0, "c": 5.0, "d": 0.0, "e": 2.0, "g": 0.0, "h": 0.5}
    y = np.array([sum(of_option.get(one, 0.0) for one in cell.values()) for cell in cells])
    found, explained = influences(y, cells)
    # Balanced and additive: each share is the variance of the option means over the whole.
    expected = {
        name: np.var([of_option.get(option, 0.0) for option in options]) / np.var(y)
        for name, options in (("method", "abc"), ("donors", "de"), ("form", "gh"))
    }
    assert explained == pytest.approx(1.0)
    shares = {one.dimension: one.share for one in found}
    assert shares["controls"] == 0.0
    for name, share in expected.items():
        assert shares[name] == pytest.approx(share)
    assert [one.dimension for one in found] == ["method", "donors", "form", "controls"]
    assert found[0].option_means["c"] == pytest.approx(5.0 + 1.0 + 0.25)


def test_on_a_torn_grid_shares_average_over_all_orders_of_entry() -> None:
    rng = np.random.default_rng(0)
    cells = [one for one in _grid() if rng.random() < 0.8]
    y = rng.normal(size=len(cells))

    def explained(names: tuple[str, ...]) -> float:
        columns = [np.ones(len(cells))] + [
            np.array([float(cell[name] == option) for cell in cells])
            for name in names
            for option in sorted({cell[name] for cell in cells})
        ]
        fitted = np.column_stack(columns) @ np.linalg.lstsq(np.column_stack(columns), y)[0]
        return 1 - float(((y - fitted) ** 2).sum() / ((y - y.mean()) ** 2).sum())

    names = ("method", "donors", "form")
    slow = dict.fromkeys(names, 0.0)
    for order in permutations(names):
        for place, name in enumerate(order):
            slow[name] += (explained(order[: place + 1]) - explained(order[:place])) / 6
    found, together = influences(y, cells)
    assert together == pytest.approx(explained(names))
    for one in found:
        assert one.share == pytest.approx(slow.get(one.dimension, 0.0))


def test_a_single_move_changes_one_choice_and_a_method_brings_its_own_controls() -> None:
    cells = [
        {"method": "a", "controls": "never", "form": "log"},
        {"method": "a", "controls": "never", "form": "level"},
        {"method": "b", "controls": "not_yet", "form": "log"},
        {"method": "b", "controls": "not_yet", "form": "level"},
        {"method": "c", "controls": "never", "form": "log"},
    ]
    moves = single_moves({0: 1.0, 1: 1.5, 2: -1.0, 3: 9.0}, cells, {4: 0}, 0)
    # Cell 3 makes two changes; cell 4 is the headline under another name.
    assert [(one.dimension, one.option, one.change) for one in moves] == [
        ("method", "b", -2.0),
        ("form", "level", 0.5),
    ]
