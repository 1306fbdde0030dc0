"""Inference for few treated units whose errors are larger or smaller than the comparison units'.

Ferman & Pinto (2019), Review of Economics and Statistics 101(3), doi:10.1162/rest_a_00759.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from cps.design.record import Design
from cps.errors import Finding, Text
from cps.estimators._options import Number
from cps.estimators.inference._residual import (
    errors,
    infer_from,
    residual_refusals,
    small_sample_factor,
    stand_ins,
    weights_or_refuse,
)
from cps.estimators.registry import Refit
from cps.result import Effect

NAME = Text("Ferman–Pinto 推断", "Ferman–Pinto inference")
REFERENCE = "Ferman & Pinto (2019), REStat 101(3), doi:10.1162/rest_a_00759"
ASSUMES = Text(
    "误差方差是单位规模倒数（或启动前波动）的线性函数，按方差标准化后各单位误差同分布、相互独立；"
    "对照单位较多",
    "the errors' variance is linear in 1 / size (or in the volatility before the start); once "
    "divided by it, errors are alike and independent between units; comparison units are many",
)
OPTIONS: dict[str, tuple[str, ...] | Number] = {
    "size": ("auto", "weights", "denominator", "volatility"),
    "tails": ("symmetric", "equal"),
    "correction": ("small_sample", "none"),
    "draws": Number(9999, 99, 999_999, is_whole=True),
}
_MIN_CHANGES = 3  # changes before the earliest start, for a unit's volatility

Floats = NDArray[np.float64]


def needs(design: Design, effect: Effect, options: Mapping[str, str]) -> tuple[Finding, ...]:
    """Reject a design without residuals, or without anything that could explain their variance."""
    found = list(residual_refusals(design, effect))
    size = _settle(design, options["size"])
    if (size == "weights" and design.weights is None) or (
        size == "denominator" and design.denominator is None
    ):
        found.append(
            _reject(
                design,
                Text("设计中没有所选的规模", "the design does not hold the size chosen"),
                Text("设计时给出 weights 或 denominator", "give it weights or a denominator"),
            )
        )
    if size == "volatility" and _n_before(design) < _MIN_CHANGES + 1:
        found.append(
            _reject(
                design,
                Text(
                    f"启动前只有 {_n_before(design)} 期，估不出各单位的波动，也没有规模可用",
                    f"{_n_before(design)} periods before the start do not show the units' "
                    "volatility, and there is no size",
                ),
                Text("设计时给出 weights 或 denominator", "give it weights or a denominator"),
            )
        )
    return tuple(found)


def infer(
    design: Design,
    effect: Effect,
    refit: Refit,
    *,
    level: float,
    seed: int,
    options: Mapping[str, str],
) -> Effect:
    """Rescale comparison units' residuals to the variance that treated units of their size have.

    The variance of what a comparison unit would add in a treated unit's place is regressed on a
    constant and 1 / size, both coefficients at least 0; sizes are the mean of ``weights`` or of the
    ``denominator``. Where there is neither, the variance of changes before the earliest start
    stands for 1 / size.

    Raises
    ------
    DesignError
        If the estimate is not linear in the treated units' outcomes.
    """
    weights = weights_or_refuse(design, effect, refit)
    parts = stand_ins(design, weights)
    size = _settle(design, options["size"])
    roughness = _roughness(design, size)
    of_treated = roughness[np.isfinite(design.starts)]
    of_donors = roughness[design.is_donor]
    scale = np.array(
        [_scale(part, one, of_donors) for part, one in zip(parts, of_treated, strict=True)]
    )
    widened = options["correction"] == "small_sample"
    found = errors(
        parts,
        scale,
        draws=int(options["draws"]),
        seed=seed,
        factor=small_sample_factor(design, weights) if widened else 1.0,
    )
    said = (_said(design, size, scale), *_outside(design, of_treated, of_donors))
    return infer_from(design, effect, found, level=level, tails=options["tails"], said=said)


def variance_line(squares: Floats, roughness: Floats) -> tuple[float, float]:
    """Fit squares = a + b · roughness by least squares, with a and b at least 0."""
    centred = roughness - roughness.mean()
    spread = float(centred @ centred)
    b = float(centred @ squares) / spread if spread > 0 else 0.0
    a = float(squares.mean()) - b * float(roughness.mean())
    if b < 0:
        return float(squares.mean()), 0.0
    if a < 0:
        return 0.0, float(roughness @ squares) / float(roughness @ roughness)
    return a, b


def _scale(part: Floats, of_treated: float, of_donors: Floats) -> Floats:
    a, b = variance_line(part**2, of_donors)
    own, others = a + b * of_treated, a + b * of_donors
    tiny = 1e-12 * max(float(others.max()), 1e-300)
    return np.asarray(np.sqrt(own / np.maximum(others, tiny)))


def _outside(design: Design, of_treated: Floats, of_donors: Floats) -> tuple[Finding, ...]:
    n = int(((of_treated > of_donors.max()) | (of_treated < of_donors.min())).sum())
    if not n:
        return ()
    return (
        Finding(
            "W-INF-EXTRAPOLATED",
            "warn",
            Text(
                f"{n} 个承办单位的规模或波动超出对照单位的范围，误差方差靠外推，拒绝会偏多",
                f"{n} treated units lie outside the comparison units' range of size or volatility: "
                "their variance is extrapolated, and the test rejects too often",
            ),
            design.name,
            Text("增加规模相近的对照单位", "add comparison units of similar size"),
        ),
    )


def _settle(design: Design, size: str) -> str:
    if size != "auto":
        return size
    if design.weights is not None:
        return "weights"
    return "volatility" if design.denominator is None else "denominator"


def _roughness(design: Design, size: str) -> Floats:
    """Give 1 / size of each unit, or the variance of its changes before the earliest start."""
    if size == "weights" and design.weights is not None:
        return np.asarray(1 / design.weights.mean(axis=1))
    if size == "denominator" and design.denominator is not None:
        return np.asarray(1 / design.denominator.mean(axis=1))
    before = design.y[:, : _n_before(design)]
    changes = np.diff(before - before[design.is_donor].mean(axis=0), axis=1)
    return np.asarray((changes**2).mean(axis=1))


def _n_before(design: Design) -> int:
    first = min(design.cohorts) - design.anticipation
    return sum(period < first for period in design.periods)


def _reject(design: Design, what: Text, mend: Text) -> Finding:
    return Finding("E-INF-NO-SIZE", "reject", what, design.name, mend)


def _said(design: Design, size: str, scale: Floats) -> Finding:
    words = {
        "weights": ("抽样权重", "the sampling weights"),
        "denominator": ("分母", "the denominator"),
        "volatility": ("启动前的波动", "the volatility before the start"),
    }
    low, high = float(scale.min()), float(scale.max())
    return Finding(
        "N-INF-RESCALED",
        "note",
        Text(
            f"误差方差按{words[size][0]}估计，对照单位的残差乘以 {low:.3g} 至 {high:.3g}",
            f"the errors' variance follows {words[size][1]}: comparison units' residuals are "
            f"multiplied by {low:.3g} to {high:.3g}",
        ),
        design.name,
        Text("无须处理", "nothing to do"),
    )
