"""Least squares over the simplex: optimality conditions, a slow solver, awkward problems."""

from __future__ import annotations

import numpy as np
import pytest

from cps.estimators._nelder_mead import nelder_mead
from cps.estimators._simplex import simplex_even, simplex_nearest, simplex_qp, simplex_ridge
from cps.estimators._simplex_active import Shared, active_set
from cps.estimators._synth_ridge import choose_penalty


def problems(seed: int, m: int, k: int, n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Random walks to be mixed into others; one column barred in each problem."""
    rng = np.random.default_rng(seed)
    matrix, target = rng.normal(size=(m, k)).cumsum(axis=0), rng.normal(size=(n, m)).cumsum(axis=1)
    allowed = np.ones((n, k), dtype=bool)
    allowed[np.arange(n), np.arange(n) % k] = False
    return matrix, target, allowed


def gap(x: np.ndarray, gradient: np.ndarray, allowed: np.ndarray) -> float:
    """Frank-Wolfe's gap: an upper bound of what is lost against the minimum, zero there only."""
    least = np.where(allowed, gradient, np.inf).min(axis=1)
    return float(((x * gradient).sum(axis=1) - least).max())


@pytest.mark.parametrize(("m", "k", "n"), [(19, 38, 39), (6, 75, 60), (60, 20, 30), (3, 2, 5)])
def test_quadratic_programs_meet_their_optimality_conditions(m: int, k: int, n: int) -> None:
    matrix, target, allowed = problems(0, m, k, n)
    gram, linear = (matrix.T @ matrix)[None], target @ matrix
    x = simplex_qp(gram, linear, allowed)
    assert x.sum(axis=1) == pytest.approx(np.ones(n), abs=1e-12)
    assert (x >= 0).all()
    assert (x[~allowed] == 0).all()
    # Gradients are of size 1e2 to 1e3: eleven digits are what sums of that size leave.
    assert gap(x, x @ gram[0] - linear, allowed) < 1e-7


@pytest.mark.parametrize("eta", [0.001, 1.0, 30.0])
@pytest.mark.parametrize(("m", "k", "n"), [(19, 38, 39), (6, 75, 60), (60, 20, 30)])
def test_penalised_programs_meet_their_optimality_conditions(
    m: int, k: int, n: int, eta: float
) -> None:
    matrix, target, allowed = problems(1, m, k, n)
    x = simplex_ridge(matrix, target, allowed, eta=np.full(n, eta))
    gradient = (x @ matrix.T - target) @ matrix + eta * x
    assert x.sum(axis=1) == pytest.approx(np.ones(n), abs=1e-12)
    assert (x >= 0).all()
    assert (x[~allowed] == 0).all()
    # As above: rounding in gradients of size 1e2 to 1e3.
    assert gap(x, gradient, allowed) < 1e-7


def test_the_two_solvers_agree_where_both_apply() -> None:
    matrix, target, allowed = problems(2, 12, 15, 10)
    eta = np.full(10, 2.0)
    gram = (matrix.T @ matrix)[None] + 2.0 * np.eye(15)
    dual = simplex_ridge(matrix, target, allowed, eta=eta)
    assert simplex_qp(gram, target @ matrix, allowed) == pytest.approx(dual, abs=1e-8)


def test_a_slow_independent_solver_finds_the_same_minimum() -> None:
    from scipy.optimize import minimize

    matrix, target, _ = problems(3, 9, 6, 1)

    def loss(x: np.ndarray) -> float:
        return float(((matrix @ x - target[0]) ** 2).sum())

    slow = minimize(
        loss,
        np.full(6, 1 / 6),
        bounds=[(0, 1)] * 6,
        constraints={"type": "eq", "fun": lambda x: x.sum() - 1},
        options={"ftol": 1e-15, "maxiter": 2000},
    )
    every = np.ones((1, 6), dtype=bool)
    x = simplex_qp((matrix.T @ matrix)[None], target @ matrix, every)[0]
    # The slow one stops at a relative 1e-8 or so; ours must be no worse.
    assert loss(x) <= slow.fun * (1 + 1e-8)
    assert loss(x) == pytest.approx(slow.fun, rel=1e-6)


def test_problems_with_columns_of_their_own_are_those_that_share_one_by_one() -> None:
    matrix, target, allowed = problems(4, 8, 12, 5)
    own = np.broadcast_to(matrix, (5, 8, 12))
    gram = matrix.T @ matrix
    eta = np.full(5, 3.0)
    assert simplex_ridge(own, target, allowed, eta=eta) == pytest.approx(
        simplex_ridge(matrix, target, allowed, eta=eta), abs=1e-9
    )
    assert simplex_qp(
        np.broadcast_to(gram, (5, 12, 12)), target @ matrix, allowed
    ) == pytest.approx(simplex_qp(gram[None], target @ matrix, allowed), abs=1e-9)


@pytest.mark.parametrize(("m", "k", "n"), [(2, 46, 200), (5, 46, 45), (84, 20, 30), (1, 6, 9)])
def test_a_batch_gives_what_its_problems_give_one_at_a_time(m: int, k: int, n: int) -> None:
    matrix, target, allowed = problems(12, m, k, n)
    # Awkward ones among them: a perfect fit, a flat target, one column allowed, a twin of a column.
    target[0], target[1] = matrix[:, 1:].mean(axis=1), matrix.mean()
    allowed[2] = np.arange(k) == 1
    matrix[:, 3] = matrix[:, 4]
    eta = np.linspace(1e-3, 5.0, n)
    together = (
        simplex_even(matrix, target, allowed),
        simplex_ridge(matrix, target, allowed, eta=eta),
    )
    for i in range(0, n, max(1, n // 15)):
        one = slice(i, i + 1)
        alone = (
            simplex_even(matrix, target[one], allowed[one]),
            simplex_ridge(matrix, target[one], allowed[one], eta=eta[one]),
        )
        for batch, single, ridge in zip(together, alone, (0.0, eta[i]), strict=True):
            # A twin may stand in for its twin: fits are unique where weights are not.
            assert batch[one] @ matrix.T == pytest.approx(single @ matrix.T, rel=1e-9, abs=1e-9)
            assert (batch[one] ** 2).sum() == pytest.approx((single**2).sum(), rel=1e-6)
            gradient = (single @ matrix.T - target[one]) @ matrix + ridge * single
            # What rounding leaves of products of this size.
            assert gap(single, gradient, allowed[one]) < 1e-10 * (matrix**2).sum(axis=0).max()


def test_equal_columns_and_a_single_column_do_no_harm() -> None:
    matrix, target, _ = problems(5, 10, 4, 3)
    twice = np.hstack([matrix, matrix])
    every = np.ones((3, 8), dtype=bool)
    x = simplex_qp((twice.T @ twice)[None], target @ twice, every)
    plain = simplex_qp((matrix.T @ matrix)[None], target @ matrix, every[:, :4])
    assert x[:, :4] + x[:, 4:] == pytest.approx(plain, abs=1e-6)
    only = np.zeros((3, 8), dtype=bool)
    only[:, 2] = True
    assert simplex_qp((twice.T @ twice)[None], target @ twice, only)[:, 2] == pytest.approx(1)
    ridge = simplex_ridge(twice, target, only, eta=np.full(3, 1.0))
    assert ridge[:, 2] == pytest.approx(1)


def test_a_mix_of_columns_is_found_to_the_last_digit() -> None:
    matrix, _, _ = problems(6, 15, 9, 1)
    truth = np.array([0.2, 0, 0, 0.5, 0, 0, 0.3, 0, 0])
    target = (matrix @ truth)[None]
    x = simplex_qp((matrix.T @ matrix)[None], target @ matrix, np.ones((1, 9), dtype=bool))[0]
    assert x == pytest.approx(truth, abs=1e-9)


def test_of_many_perfect_fits_the_most_even_one_is_taken() -> None:
    from scipy.optimize import minimize

    rng = np.random.default_rng(9)
    matrix = rng.normal(size=(4, 15))
    target = (matrix @ rng.dirichlet(np.ones(15)))[None]
    every = np.ones((1, 15), dtype=bool)
    x = simplex_even(matrix, target, every)
    assert matrix @ x[0] == pytest.approx(target[0], abs=1e-9)
    slow = minimize(
        lambda w: (w**2).sum(),
        np.full(15, 1 / 15),
        bounds=[(0, 1)] * 15,
        constraints=[
            {"type": "eq", "fun": lambda w: w.sum() - 1},
            {"type": "eq", "fun": lambda w: matrix @ w - target[0]},
        ],
        options={"ftol": 1e-14, "maxiter": 500},
    )
    assert x[0] == pytest.approx(slow.x, abs=1e-6)  # what the slow one is good to
    order = rng.permutation(15)
    assert simplex_even(matrix[:, order], target, every)[0] == pytest.approx(x[0][order], abs=1e-9)


def test_twins_share_their_weight_evenly_where_the_fit_is_not_perfect_too() -> None:
    matrix, target, _ = problems(13, 12, 7, 4)
    twice = np.hstack([matrix, matrix[:, ::-1]])
    every = np.ones((4, 14), dtype=bool)
    plain = simplex_even(matrix, target, every[:, :7])
    assert ((matrix @ plain.T - target.T) ** 2).sum(axis=0).min() > 1
    x = simplex_even(twice, target, every)
    assert x[:, :7] == pytest.approx(plain / 2, abs=1e-8)
    assert x[:, 7:] == pytest.approx(plain[:, ::-1] / 2, abs=1e-8)
    own = np.broadcast_to(twice, (4, *twice.shape))
    assert simplex_even(own, target, every) == pytest.approx(x, abs=1e-8)


def test_columns_that_are_all_alike_get_equal_weights() -> None:
    every = np.ones((2, 5), dtype=bool)
    every[1, 2] = False
    equal = every / every.sum(axis=1, keepdims=True)
    for columns in (np.zeros((3, 5)), np.tile([[1.0], [2.0], [3.0]], 5)):
        for target in (np.zeros((2, 3)), np.array([[1.0, 2.0, 3.0], [5.0, -1.0, 0.0]])):
            assert simplex_even(columns, target, every) == pytest.approx(equal, abs=1e-9)


def test_where_no_fit_is_perfect_even_weights_are_the_plain_ones() -> None:
    matrix, target, allowed = problems(10, 19, 12, 6)
    plain = simplex_qp((matrix.T @ matrix)[None], target @ matrix, allowed)
    assert simplex_even(matrix, target, allowed) == pytest.approx(plain, abs=1e-12)
    own = np.broadcast_to(matrix, (6, *matrix.shape))
    assert simplex_even(own, target, allowed) == pytest.approx(plain, abs=1e-9)


def test_columns_without_any_variation_get_even_weights() -> None:
    flat, nothing = np.zeros((5, 4)), np.zeros((2, 5))
    every = np.ones((2, 4), dtype=bool)
    for x in (
        simplex_even(flat, nothing, every),
        simplex_ridge(flat, nothing, every, eta=np.ones(2)),
    ):
        assert x.sum(axis=1) == pytest.approx(np.ones(2))
        assert np.isfinite(x).all()


@pytest.mark.parametrize("unit", [1e-6, 1e6])
def test_the_unit_of_measure_does_not_matter(unit: float) -> None:
    matrix, target, allowed = problems(11, 9, 14, 8)
    eta = np.full(8, 0.5)
    scaled = simplex_ridge(unit * matrix, unit * target, allowed, eta=unit**2 * eta)
    assert scaled == pytest.approx(simplex_ridge(matrix, target, allowed, eta=eta), abs=1e-9)
    scaled = simplex_even(unit * matrix, unit * target, allowed)
    assert scaled == pytest.approx(simplex_even(matrix, target, allowed), abs=1e-9)


@pytest.mark.parametrize("seed", range(40))
def test_awkward_problems_end_at_a_minimum_all_the_same(seed: int) -> None:
    """Repeated columns, small whole numbers, perfect fits, more columns than rows."""
    rng = np.random.default_rng(seed)
    m, k, n = rng.integers(1, 12), rng.integers(2, 15), rng.integers(1, 6)
    matrix = rng.integers(0, 3, (m, k)).astype(float)
    if seed % 2:
        matrix = rng.normal(size=(m, k))[:, rng.integers(0, k, k)]
    target = rng.dirichlet(np.ones(k), n) @ matrix.T if seed % 3 else rng.normal(size=(n, m))
    allowed = rng.random((n, k)) < 0.8
    allowed[:, 0] = True
    for x in (
        simplex_qp((matrix.T @ matrix)[None], target @ matrix, allowed),
        simplex_even(matrix, target, allowed),
    ):
        assert (x >= 0).all()
        assert (x[~allowed] == 0).all()
        # Products here are of size 1 to 50.
        assert gap(x, (x @ matrix.T - target) @ matrix, allowed) < 1e-7


def test_a_good_guess_of_the_weights_changes_nothing_but_the_way() -> None:
    matrix, target, allowed = problems(7, 12, 10, 6)
    gram, linear = (matrix.T @ matrix)[None], target @ matrix
    cold = simplex_qp(gram, linear, allowed)
    nearby = simplex_qp(gram, linear + 0.5, allowed)
    assert simplex_qp(gram, linear, allowed, start=nearby) == pytest.approx(cold, abs=1e-9)


def test_inputs_stay_as_they_were() -> None:
    matrix, target, allowed = problems(8, 6, 5, 4)
    gram, linear, eta = (matrix.T @ matrix)[None], target @ matrix, np.ones(4)
    arrays = (matrix, target, allowed, gram, linear, eta)
    before = [one.copy() for one in arrays]
    for one in arrays:
        one.setflags(write=False)
    simplex_qp(gram, linear, allowed)
    simplex_ridge(matrix, target, allowed, eta=eta)
    assert all((one == then).all() for one, then in zip(arrays, before, strict=True))


def test_the_downhill_simplex_ends_where_scipys_does() -> None:
    from scipy.optimize import minimize

    def bananas(task: np.ndarray, x: np.ndarray) -> np.ndarray:
        a = 1.0 + task
        return (a - x[:, 0]) ** 2 + 10 * (x[:, 1] - x[:, 0] ** 2) ** 2 + (x[:, 2] - a) ** 4

    start = np.array([[0.3, 0.3, 0.3], [0.0, 0.5, 1.0]])
    ours = nelder_mead(bananas, start)
    for i, x0 in enumerate(start):
        task = np.array([i])
        theirs = minimize(
            lambda x, task=task: float(bananas(task, x[None])[0]),
            x0,
            method="Nelder-Mead",
            options={"maxiter": 1000},
        )
        # The same steps in another order of sums: rounding only.
        assert ours[i] == pytest.approx(theirs.x, abs=1e-7)


def test_nearest_mixes_are_those_of_the_products_of_their_deviations() -> None:
    rng = np.random.default_rng(11)
    points, wanted = rng.normal(size=(20, 6)), 0.4 * rng.normal(size=(50, 6))
    v = 10.0 ** rng.uniform(-5, 0, (50, 6))
    allowed = rng.random((50, 20)) < 0.8
    deviations = (points - wanted[:, None]) * np.sqrt(v)[:, None]
    products = deviations @ np.swapaxes(deviations, 1, 2)
    by_products = simplex_qp(products, np.zeros((50, 20)), allowed)
    found = simplex_nearest(points, wanted, v, allowed)
    again = simplex_nearest(points, wanted, v, allowed, start=found)

    def distance(x: np.ndarray) -> np.ndarray:
        return np.asarray((v * (x @ points - wanted) ** 2).sum(axis=1))

    assert (found[~allowed] == 0).all()
    np.testing.assert_allclose(found.sum(axis=1), 1.0, atol=1e-12)
    # Where six coordinates can be met exactly the mix is not unique, but the distance is: 0.
    np.testing.assert_allclose(distance(found), distance(by_products), rtol=1e-7, atol=1e-11)
    np.testing.assert_allclose(distance(again), distance(found), rtol=1e-7, atol=1e-11)
    assert (distance(found) > 1e-6).any()


def test_many_columns_are_solved_without_their_products_to_the_same_weights(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Products of ten thousand columns would take 800 MB; how they are had must not matter.
    draw = np.random.default_rng(5)
    columns, target = draw.normal(size=(6, 90)), draw.normal(size=(7, 6)) * 3
    allowed = draw.random((7, 90)) < 0.8
    held = simplex_even(columns, target, allowed)
    gram, linear = columns.T @ columns, target @ columns
    monkeypatch.setattr("cps.estimators._simplex.MANY", 10)
    assert simplex_even(columns, target, allowed) == pytest.approx(held, abs=1e-12)
    shared = active_set(Shared(columns), linear, allowed, None)
    assert shared == pytest.approx(simplex_qp(gram[None], linear, allowed), abs=1e-12)


def test_a_ridge_penalty_is_chosen_alike_with_and_without_products_of_donors(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    draw = np.random.default_rng(6)
    donors = draw.normal(size=(50, 9))
    columns, target = donors - donors.mean(axis=0), draw.normal(size=9) * 3
    penalty, penalties, errors = choose_penalty(columns, target, "one_se")
    monkeypatch.setattr("cps.estimators._synth_ridge.MANY", 10)
    other, _, others = choose_penalty(columns, target, "one_se")
    assert other == penalty
    # Rounding in directions that no donor moves in is divided by the least of the penalties.
    assert others == pytest.approx(errors, rel=1e-6)
    assert len(penalties) == 21
