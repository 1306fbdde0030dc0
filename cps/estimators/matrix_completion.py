"""Matrix completion: treated cells are missing, and filled in by a panel of low rank.

Athey, Bayati, Doudchenko, Imbens & Khosravi (2021), JASA 116(536), 1716-1730,
doi:10.1080/01621459.2021.1891924: nuclear-norm penalty, unit and period effects unpenalised.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from cps.design.record import Design
from cps.errors import Finding, Text
from cps.estimators._factors_cells import (
    Averages,
    Panel,
    averages_of,
    block_bootstrap,
    counterfactual_path,
    covariance_of_redraws,
    jackknife,
    panel_of,
    placebo_gaps,
    views,
)
from cps.estimators._factors_completion import Completion, complete, complete_all
from cps.estimators._factors_findings import (
    ERROR_NAMES,
    common_refusals,
    error_findings,
    error_refusals,
)
from cps.estimators._options import Number
from cps.estimators._scale import described, rank_estimate
from cps.result import Effect

REFERENCE = "Athey et al. (2021), JASA 116(536), doi:10.1080/01621459.2021.1891924"
NAME = Text("矩阵补全", "Matrix completion")
ESTIMAND = Text(
    "启动以后各期对承办单位的平均效应（按承办单位×期数加权）",
    "average effect on the treated over all treated unit-periods",
)
OPTIONS = {
    "penalty": Number("auto", 0, words=("auto",)),
    "effects": ("two_way", "unit", "time", "none"),
    "errors": ("placebo", "jackknife", "block_bootstrap", "none"),
    "draws": Number(200, 20, 100_000, is_whole=True),
}
SUPPORTS = frozenset({"gaps"})
ASSUMES = {
    "placebo": Text(
        "承办单位的波动与对照单位相近，任一对照单位都可以替代承办单位",
        "treated units are as noisy as comparison units, any of which could have been treated",
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
    """Reject cells that don't tell effects apart, and errors that can't be had."""
    return tuple(common_refusals(design) + error_refusals(design, options["errors"]))


def fit(design: Design, *, level: float, seed: int, options: Mapping[str, str]) -> Effect:
    """Choose the penalty, complete the panel, and redraw for the errors at that penalty.

    The folds that choose the penalty are the same whatever the ``seed``, which is that of the
    draws.
    """
    panel = panel_of(design)
    found = _complete(panel, options)
    observed = panel.observed[panel.is_treated]
    gaps = np.where(observed, (panel.y - found.fitted)[panel.is_treated], np.nan)
    averages = averages_of(panel.starts[panel.is_treated], design.periods, observed)
    covariance, placebos = _errors(
        panel, found.penalty, averages, design.periods, options=options, seed=seed
    )
    parts = views(averages, averages.of(gaps), covariance, level)
    kind = options["errors"]
    overall = parts.overall
    if kind == "placebo":
        overall = rank_estimate(
            float(averages.of(gaps)[0]), placebos, level, n_units=design.n_donors
        )
    return dataclasses.replace(
        described(
            design,
            overall,
            level=level,
            method="matrix_completion",
            method_name=NAME,
            reference=REFERENCE,
            estimand=ESTIMAND,
            inference=kind,
            options=dict(options),
        ),
        p_value_floor=1 / (1 + len(placebos)) if kind == "placebo" else None,
        by_event_time=parts.by_event_time,
        by_cohort=parts.by_cohort,
        by_calendar=parts.by_calendar,
        group_time=parts.group_time,
        event_covariance=parts.event_covariance,
        paths=counterfactual_path(design, gaps),
        placebos=tuple(float(one) for one in placebos),
        findings=(*_model_findings(design, found), *error_findings(design, kind, panel)),
        assumes=ASSUMES.get(kind),
        inference_name=ERROR_NAMES.get(kind),
        tables=_tables(found),
    )


def point(design: Design, *, options: Mapping[str, str]) -> float:
    """Give the estimate alone."""
    return _point(design, panel_of(design), options)


def points(design: Design, starts: Floats, *, options: Mapping[str, str]) -> Floats:
    """Give the estimates under many assignments, the penalty chosen anew for each.

    Parameters
    ----------
    starts : ndarray, shape (n_assignments, n_units)
        First treated period of each unit, infinity for never.

    Returns
    -------
    ndarray, shape (n_assignments,)
        NaN where a unit has no period before its start, or fewer than two are left to compare with.
    """
    return np.array([_point(design, panel_of(design, row), options) for row in starts])


def _point(design: Design, panel: Panel, options: Mapping[str, str]) -> float:
    after = np.asarray(design.periods)[None, :] >= panel.starts[panel.is_treated][:, None]
    cells = after & panel.observed[panel.is_treated]
    n_pre = panel.seen[panel.is_treated].sum(axis=1)
    if not cells.any() or not n_pre.min() or (~panel.is_treated).sum() < 2:
        return float("nan")
    return float((panel.y - _complete(panel, options).fitted)[panel.is_treated][cells].mean())


def _complete(panel: Panel, options: Mapping[str, str]) -> Completion:
    given = options["penalty"]
    return complete(
        panel.y,
        panel.seen,
        penalty=None if given == "auto" else float(given),
        effects=options["effects"],
    )


def _errors(
    panel: Panel,
    penalty: float,
    averages: Averages,
    periods: tuple[int, ...],
    *,
    options: Mapping[str, str],
    seed: int,
) -> tuple[Floats | None, Floats]:
    """Give the averages' covariance, and placebo effects where they are what it rests on."""
    kind, n_draws, none = options["errors"], int(options["draws"]), np.zeros(0)

    def gaps_of(drawn: Sequence[Panel]) -> list[Floats]:
        y, seen = np.array([one.y for one in drawn]), np.array([one.seen for one in drawn])
        # A penalty counts per cell: a panel with fewer of them takes less.
        scale = seen.sum(axis=(1, 2)) / panel.seen.sum()
        fitted = complete_all(y, seen, penalty * scale, effects=options["effects"], tolerance=1e-5)
        return [mine[one.is_treated] for one, mine in zip(drawn, y - fitted, strict=True)]

    if kind == "none":
        return None, none
    if kind == "placebo":
        gaps = placebo_gaps(panel, gaps_of, n_draws=n_draws, seed=seed)
        found = averages.of(gaps)
        return np.atleast_2d(np.cov(found.T, ddof=0)), found[:, 0]
    if kind == "jackknife":
        redraws = jackknife(panel, gaps_of)
    else:
        redraws = block_bootstrap(panel, gaps_of, n_draws=n_draws, seed=seed)
    is_jackknife = kind == "jackknife"
    return covariance_of_redraws(redraws, averages, periods, is_jackknife=is_jackknife), none


def _tables(found: Completion) -> dict[str, dict[str, tuple[float | int | str | None, ...]]]:
    tables: dict[str, dict[str, tuple[float | int | str | None, ...]]] = {
        "model": {"penalty": (found.penalty,), "rank": (found.rank,)}
    }
    if found.penalties:
        tables["penalties"] = {"penalty": found.penalties, "mspe": found.errors}
    return tables


def _model_findings(design: Design, found: Completion) -> list[Finding]:
    if not found.penalties:
        return []
    note = Finding(
        "N-EST-PENALTY",
        "note",
        Text(
            f"惩罚系数由随机留出单元格的预测误差选定，低秩部分的秩为 {found.rank}",
            f"the penalty was chosen on cells left out at random; the low-rank part has rank "
            f"{found.rank}",
        ),
        design.name,
        Text("换用相邻的惩罚系数核对", "compare neighbouring penalties"),
    )
    if found.penalty > found.penalties[-1]:
        return [note]
    edge = Text(
        "选中的惩罚系数是所试的最小值，低秩部分几乎不受约束",
        "the penalty chosen is the smallest tried: the low-rank part is hardly restrained",
    )
    return [note, dataclasses.replace(note, code="W-EST-PENALTY-EDGE", severity="warn", what=edge)]
