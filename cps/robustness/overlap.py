"""Were treated and comparison units alike before the start?"""

from __future__ import annotations

from math import comb
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from cps.design.record import Design
from cps.errors import Text
from cps.result import Check, Effect
from cps.robustness._parts import several
from cps.robustness._units import mean_seen

NAME = Text("可比性", "Overlap and balance")
BALANCED = 0.25  # Imbens & Rubin (2015), chapter 14
SIZE = 0.05
_ENOUGH = 10  # units on each side for a propensity score
_EXTREME = 0.9
_LEVEL, _SLOPE = "level_before", "change_before"

Floats = NDArray[np.float64]


def applies(design: Design, effect: Effect) -> Text | None:
    """Say why nothing can be compared, or None."""
    if design.n_donors < 3:
        return Text("对照单位不足 3 个", "fewer than 3 comparison units")
    return None


def run(design: Design, effect: Effect, *, seed: int) -> Check:
    """Compare level and change before the earliest start, and covariates, in standard deviations.

    The standardised difference is the difference in means over the pooled standard deviation
    (Imbens & Rubin 2015, doi:10.1017/CBO9781139025751). Up to 0.25 passes; more fails if it is also
    more than its own sampling error explains, and otherwise the units are too few to say. It also
    fails if most treated units lie outside the comparison units' range, and more than chance puts
    there, or if a propensity score (from 10 units on each side) sets a tenth of them apart. The
    level is shown, and judged only where the method compares levels (synthetic control):
    differencing takes it out.
    """
    names, features = _features(design)
    treated = np.array([cohort is not None for cohort in design.cohort])
    donors = design.is_donor
    rows = {
        name: row
        for name, one in zip(names, features, strict=True)
        if (row := _difference(one[treated], one[donors])) is not None
    }
    if not rows:
        reason = Text("启动前的数据没有差异可比", "nothing varies before the start")
        return Check("overlap", effect.method, None, None, None, NAME, reason)
    judged = [name for name in rows if name != _LEVEL or _compares_levels(effect)]
    apart = _set_apart(
        np.array([one for name, one in zip(names, features, strict=True) if name in judged]),
        treated,
        donors,
    )
    n_treated = int(treated.sum())
    verdict = _verdict([rows[name] for name in judged], apart, n_treated, int(donors.sum()))
    worst = max(judged or rows, key=lambda name: abs(rows[name][0]))
    size, error, outside = rows[worst]
    word = _word(worst)
    tail = _tail(rows, judged, apart)
    return Check(
        name="overlap",
        method=effect.method,
        verdict=verdict,
        statistic=abs(size),
        threshold=BALANCED,
        title=NAME,
        explanation=Text(
            f"启动前比较 {len(rows)} 项，承办与对照差异最大的是{word.zh}：{size:+.2f} 个标准差"
            f"（误差 {error:.2f}，界限 {BALANCED:.2f}）；{n_treated} 个承办单位中有 {outside} 个"
            f"超出对照的范围{tail.zh}",
            f"of {_quantities(len(rows))} before the start, treated and comparison units differ most "
            f"in {word.en}: {size:+.2f} standard deviations (error {error:.2f}, bound "
            f"{BALANCED:.2f}); of {several(n_treated, 'treated unit')} {outside} {'lies' if outside == 1 else 'lie'} "
            "outside the comparison "
            f"units' range{tail.en}",
        ),
        table={
            "quantity": tuple(rows),
            "standardised_difference": tuple(row[0] for row in rows.values()),
            "standard_error": tuple(row[1] for row in rows.values()),
            "n_outside": tuple(row[2] for row in rows.values()),
        },
    )


def _quantities(n: int) -> str:
    return "1 quantity" if n == 1 else f"{n} quantities"


def _compares_levels(effect: Effect) -> bool:
    return effect.options.get("weights") == "sc" or effect.method == "synthetic_control"


def _verdict(
    rows: list[tuple[float, float, int]], apart: int | None, n_treated: int, n_donors: int
) -> bool | None:
    if not rows:
        return None
    critical = NormalDist().inv_cdf(1 - SIZE / (2 * len(rows)))
    is_sure = any(abs(d) > BALANCED and abs(d) > critical * se for d, se, _ in rows)
    is_outside = any(
        2 * outside > n_treated
        and _chance_outside(outside, n_treated, n_donors) <= SIZE / len(rows)
        for _, _, outside in rows
    )
    if is_sure or is_outside or (apart is not None and apart > 0.1 * n_treated):
        return False
    return None if any(abs(d) > BALANCED for d, _, _ in rows) else True


def _chance_outside(n_outside: int, n_treated: int, n_donors: int) -> float:
    """Give the chance that so many of n alike units, or more, lie beyond all of m others."""
    q = 2 / (n_donors + 1)
    return sum(
        comb(n_treated, k) * q**k * (1 - q) ** (n_treated - k)
        for k in range(n_outside, n_treated + 1)
    )


def _tail(rows: dict[str, tuple[float, float, int]], judged: list[str], apart: int | None) -> Text:
    zh, en = "", ""
    if apart is not None:
        zh += f"；倾向得分把 {apart} 个承办单位与对照分开"
        en += f"; a propensity score sets {several(apart, 'treated unit')} apart"
    if _LEVEL in rows and _LEVEL not in judged:
        level = f"{rows[_LEVEL][0]:+.2f}"
        zh += f"；结果水平相差 {level} 个标准差，做差后不影响估计"
        en += f"; the outcome's level differs by {level}, which differencing takes out"
    return Text(zh, en)


def _features(design: Design) -> tuple[list[str], list[Floats]]:
    before = np.asarray(design.periods) < min(design.cohorts) - design.anticipation
    y = design.y[:, before]
    features, names = [mean_seen(y)], [_LEVEL]
    if y.shape[1] > 1:
        half = y.shape[1] // 2
        features.append(mean_seen(y[:, -half:]) - mean_seen(y[:, :half]))
        names.append(_SLOPE)
    if design.covariates is not None:
        for name, values in zip(design.covariate_names, design.covariates, strict=True):
            features.append(mean_seen(values[:, before]))
            names.append(name)
    return names, features


def _difference(treated: Floats, donors: Floats) -> tuple[float, float, int] | None:
    """Give the standardised difference, its error and how many treated lie out of range."""
    treated, donors = treated[np.isfinite(treated)], donors[np.isfinite(donors)]
    n, m = len(treated), len(donors)
    if n < 1 or m < 3:
        return None
    variance = donors.var(ddof=1)
    if n > 2:
        variance = (variance + treated.var(ddof=1)) / 2
    scale = max(float(np.abs(donors).max()), float(np.abs(treated).max()), 1e-300)
    if np.sqrt(variance) < 1e-12 * scale:
        return None
    d = float((treated.mean() - donors.mean()) / np.sqrt(variance))
    se = float(np.sqrt(1 / n + 1 / m + d**2 / (2 * (n + m))))
    outside = int(((treated < donors.min()) | (treated > donors.max())).sum())
    return d, se, outside


def _set_apart(
    features: Floats, treated: NDArray[np.bool_], donors: NDArray[np.bool_]
) -> int | None:
    """Count treated units whose propensity score no comparison unit comes near, or None."""
    if not len(features):
        return None
    rows = (treated | donors) & np.isfinite(features).all(axis=0)
    is_treated = treated[rows]
    n, m = int(is_treated.sum()), int((~is_treated).sum())
    if min(n, m) < _ENOUGH or min(n, m) < 5 * len(features):
        return None
    x = features[:, rows].T
    x = (x - x.mean(axis=0)) / x.std(axis=0)
    x = np.column_stack([np.ones(len(x)), x])
    score = _logistic(x, is_treated.astype(float))
    return int(((score > _EXTREME) & (score > score[~is_treated].max()) & is_treated).sum())


def _logistic(x: Floats, z: Floats) -> Floats:
    """Fit probabilities by Newton's method; a light ridge keeps separated units finite."""
    beta = np.zeros(x.shape[1])
    ridge = np.diag([0.0] + [1e-2] * (x.shape[1] - 1))
    for _ in range(50):
        p = 1 / (1 + np.exp(-np.clip(x @ beta, -30, 30)))
        step = np.linalg.solve(
            x.T @ (x * (p * (1 - p))[:, None]) + ridge + 1e-9 * np.eye(len(beta)),
            x.T @ (z - p) - ridge @ beta,
        )
        beta = beta + step
        if np.abs(step).max() < 1e-8:
            break
    return np.asarray(1 / (1 + np.exp(-np.clip(x @ beta, -30, 30))))


def _word(label: str) -> Text:
    words = {
        _LEVEL: Text("结果水平", "the outcome's level"),
        _SLOPE: Text("结果的变化", "the outcome's change"),
    }
    return words.get(label, Text(f"“{label}”", label))
