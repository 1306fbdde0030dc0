"""Interactive fixed effects: the counterfactual from common factors with unit-specific loadings.

Xu (2017), "Generalized synthetic control method", Political Analysis 25(1), 57-76,
doi:10.1017/pan.2016.2, on the model of Bai (2009), doi:10.3982/ECTA6135; with
``estimator="em"`` the treated units' pre-periods enter the factors too (Gobillon & Magnac 2016,
doi:10.1162/REST_a_00537). Numbers agree with R ``gsynth``.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from cps.design.record import Design
from cps.errors import Finding, Text
from cps.estimators._factors import ROUGH, FactorFit
from cps.estimators._factors_cells import (
    Averages,
    Panel,
    averages_of,
    block_bootstrap,
    counterfactual_path,
    covariance_of_redraws,
    jackknife,
    panel_of,
    views,
)
from cps.estimators._factors_findings import (
    ERROR_NAMES,
    common_refusals,
    error_findings,
    error_refusals,
    rejection,
)
from cps.estimators._factors_projection import Choice, Model, choose_factors, parametric_draws
from cps.estimators._options import Number
from cps.estimators._scale import described
from cps.result import Effect

REFERENCE = "Xu (2017), Political Analysis 25(1), doi:10.1017/pan.2016.2"
NAME = Text(
    "交互固定效应（广义合成控制）", "Interactive fixed effects (generalised synthetic control)"
)
ESTIMAND = Text(
    "启动以后各期对承办单位的平均效应（按承办单位×期数加权）",
    "average effect on the treated over all treated unit-periods",
)
OPTIONS = {
    "estimator": ("projection", "em"),
    "factors": Number("auto", 0, 20, is_whole=True, words=("auto",)),
    "max_factors": Number(5, 0, 20, is_whole=True),
    "effects": ("two_way", "unit", "time", "none"),
    "criterion": ("mspe", "pc"),
    "errors": ("parametric", "jackknife", "block_bootstrap", "none"),
    "draws": Number(200, 20, 100_000, is_whole=True),
}
SUPPORTS = frozenset({"gaps", "covariates"})
ASSUMES = {
    "parametric": Text(
        "承办单位的预测误差与轮流充当承办单位的对照单位相同（同方差），单位之间误差独立",
        "treated units' prediction errors are those of comparison units taking turns as treated "
        "(same variance), errors independent between units",
    ),
    "block_bootstrap": Text(
        "承办单位和对照单位各自为大样本中的独立抽取",
        "treated and comparison units are independent draws, many of each",
    ),
    "jackknife": Text(
        "单位为独立抽取，去掉任何一个单位不会改变模型",
        "units are independent draws, and the model survives the loss of any one of them",
    ),
}

Floats = NDArray[np.float64]


def needs(design: Design, options: Mapping[str, str]) -> tuple[Finding, ...]:
    """Reject too few pre-periods or donors for the factors, and errors that can't be had."""
    found = common_refusals(design)
    found += error_refusals(design, options["errors"])
    if found or options["factors"] == "auto":
        return tuple(found)
    r = int(options["factors"])
    panel = panel_of(design)
    n_pre = int(panel.seen[panel.is_treated].sum(axis=1).min())
    need = r + (2 if options["effects"] in ("two_way", "unit") else 1)
    if r and n_pre < need:
        found.append(
            rejection(
                "E-EST-FEW-PRE-PERIODS",
                Text(
                    f"有承办单位的启动前期数为 {n_pre} 期，{r} 个因子至少需要 {need} 期",
                    f"a treated unit has {n_pre} periods before its start; {r} factors need at "
                    f"least {need}",
                ),
                f"{design.name} › factors={r}",
                Text(
                    "减少因子个数，或补充更早的台账", "take fewer factors, or add earlier ledgers"
                ),
            )
        )
    if min(design.n_donors, len(design.periods)) < r + 2:
        found.append(
            rejection(
                "E-EST-MANY-FACTORS",
                Text(
                    f"对照单位 {design.n_donors} 个、{len(design.periods)} 期，求不出 {r} 个因子",
                    f"{design.n_donors} comparison units over {len(design.periods)} periods don't "
                    f"hold {r} factors",
                ),
                f"{design.name} › factors={r}",
                Text("减少因子个数", "take fewer factors"),
            )
        )
    return tuple(found)


def fit(design: Design, *, level: float, seed: int, options: Mapping[str, str]) -> Effect:
    """Choose the number of factors, impute the treated cells, and draw the errors.

    With ``errors="parametric"`` (Xu's algorithm 2) no treated unit is resampled, so that one is
    enough; the block bootstrap and the jackknife need several.
    """
    panel = panel_of(design)
    choice = _choice(panel, options)
    model = Model(choice.chosen, options["effects"], options["estimator"] == "projection")
    found = model.fit(panel)
    observed = panel.observed[panel.is_treated]
    gaps = np.where(observed, model.gaps(panel), np.nan)
    averages = averages_of(panel.starts[panel.is_treated], design.periods, observed)
    kind = options["errors"]
    covariance = _covariance(panel, model, averages, design.periods, options=options, seed=seed)
    parts = views(averages, averages.of(gaps), covariance, level)
    return dataclasses.replace(
        described(
            design,
            parts.overall,
            level=level,
            method="interactive_fixed_effects",
            method_name=NAME,
            reference=REFERENCE,
            estimand=ESTIMAND,
            inference=kind,
            options=dict(options),
        ),
        by_event_time=parts.by_event_time,
        by_cohort=parts.by_cohort,
        by_calendar=parts.by_calendar,
        group_time=parts.group_time,
        event_covariance=parts.event_covariance,
        paths=counterfactual_path(design, gaps),
        findings=(
            *_factor_findings(design, panel, choice, options),
            *error_findings(design, kind, panel),
        ),
        assumes=ASSUMES.get(kind),
        inference_name=ERROR_NAMES.get(kind),
        tables=_tables(design, found, choice),
    )


def point(design: Design, *, options: Mapping[str, str]) -> float:
    """Give the estimate alone."""
    return _point(design, panel_of(design), options)


def points(design: Design, starts: Floats, *, options: Mapping[str, str]) -> Floats:
    """Give the estimates under many assignments, the number of factors chosen anew for each.

    Parameters
    ----------
    starts : ndarray, shape (n_assignments, n_units)
        First treated period of each unit, infinity for never.

    Returns
    -------
    ndarray, shape (n_assignments,)
        NaN where a unit has too few periods before its start, or fewer than two are left to
        compare with.
    """
    return np.array([_point(design, panel_of(design, row), options) for row in starts])


def _point(design: Design, panel: Panel, options: Mapping[str, str]) -> float:
    after = np.asarray(design.periods)[None, :] >= panel.starts[panel.is_treated][:, None]
    cells = after & panel.observed[panel.is_treated]
    n_pre = panel.seen[panel.is_treated].sum(axis=1)
    if not cells.any() or not n_pre.min() or (~panel.is_treated).sum() < 2:
        return float("nan")
    choice = _choice(panel, options)
    if choice.chosen and n_pre.min() < choice.chosen + 2:
        return float("nan")
    model = Model(choice.chosen, options["effects"], options["estimator"] == "projection")
    return float(model.gaps(panel)[cells].mean())


def _choice(panel: Panel, options: Mapping[str, str]) -> Choice:
    if options["factors"] != "auto":
        return Choice((), (), (), int(options["factors"]))
    return choose_factors(
        panel,
        effects=options["effects"],
        is_projected=options["estimator"] == "projection",
        most=int(options["max_factors"]),
        criterion=options["criterion"],
    )


def _covariance(
    panel: Panel,
    model: Model,
    averages: Averages,
    periods: tuple[int, ...],
    *,
    options: Mapping[str, str],
    seed: int,
) -> Floats | None:
    kind, n_draws = options["errors"], int(options["draws"])
    if kind == "none":
        return None
    if kind == "parametric":
        draws = averages.of(parametric_draws(panel, model, n_draws=n_draws, seed=seed))
        return np.atleast_2d(np.cov(draws.T))
    rough = Model(model.r, model.effects, model.is_projected, ROUGH)

    def gaps_of(drawn: Sequence[Panel]) -> list[Floats]:
        return [rough.gaps(one) for one in drawn]

    if kind == "jackknife":
        redraws = jackknife(panel, gaps_of)
    else:
        redraws = block_bootstrap(panel, gaps_of, n_draws=n_draws, seed=seed)
    return covariance_of_redraws(redraws, averages, periods, is_jackknife=kind == "jackknife")


def _tables(
    design: Design, found: FactorFit, choice: Choice
) -> dict[str, dict[str, tuple[float | int | str | None, ...]]]:
    tables: dict[str, dict[str, tuple[float | int | str | None, ...]]] = {
        "model": {
            "n_factors": (choice.chosen,),
            "variance": (found.variance,),
            "ic": (found.ic,),
            "pc": (found.pc,),
        },
        "factors": {
            "period": design.periods,
            "time_effect": tuple(float(one) for one in found.periods + found.level),
        },
    }
    for number, factor in enumerate(found.factors.T, start=1):
        # The sign of a factor is arbitrary; the largest loading is made positive.
        sign = (
            1.0
            if found.loadings[np.abs(found.loadings[:, number - 1]).argmax(), number - 1] > 0
            else -1.0
        )
        tables["factors"][f"factor_{number}"] = tuple(float(one) for one in sign * factor)
    if choice.r:
        tables["number_of_factors"] = {
            "n_factors": choice.r,
            "mspe": choice.mspe,
            "pc": choice.pc,
        }
    if design.covariates is not None:
        tables["coefficients"] = {
            "covariate": design.covariate_names,
            "coefficient": tuple(float(one) for one in found.beta),
        }
    return tables


def _factor_findings(
    design: Design, panel: Panel, choice: Choice, options: Mapping[str, str]
) -> list[Finding]:
    if not choice.r:
        return []
    n_pre = int(panel.seen[panel.is_treated].sum(axis=1).min())
    found = [
        Finding(
            "N-EST-FACTORS",
            "note",
            Text(
                f"因子个数 {choice.chosen}，由留一启动前期的预测误差在 0 至 {choice.r[-1]} 之间选定"
                if options["criterion"] == "mspe"
                else f"因子个数 {choice.chosen}，由信息准则在 0 至 {choice.r[-1]} 之间选定",
                f"{choice.chosen} factors, chosen between 0 and {choice.r[-1]} by "
                + (
                    "the error of leaving out one pre-period"
                    if options["criterion"] == "mspe"
                    else "an information criterion"
                ),
            ),
            design.name,
            Text("换用相邻的因子个数核对", "compare neighbouring numbers of factors"),
        )
    ]
    if choice.r[-1] < int(options["max_factors"]):
        found.append(
            Finding(
                "W-EST-FEW-PRE-PERIODS",
                "warn",
                Text(
                    f"有承办单位的启动前期数为 {n_pre} 期，至多能尝试 {choice.r[-1]} 个因子；"
                    "若真实因子更多，估计有偏",
                    f"a treated unit has {n_pre} periods before its start: at most "
                    f"{choice.r[-1]} factors could be tried; if there are more, the estimate is "
                    "biased",
                ),
                design.name,
                Text("补充更早的台账", "add earlier ledgers"),
            )
        )
    return found
