"""Choose an estimator by name, see that the design can bear it, and fit it."""

from __future__ import annotations

import dataclasses
import importlib.util
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from cps.design.record import Design
from cps.design.subset import subset_design
from cps.dropin import load_module, module_names
from cps.errors import DesignError, Finding, Text, UsageError, require_seed, unknown_choice
from cps.estimators._options import Given, settle
from cps.estimators._reliability import reliability
from cps.result import Effect

FOLDER = Path(__file__).parent
PACKAGE = "cps.estimators"
INFERENCE_FOLDER = FOLDER / "inference"
INFERENCE_PACKAGE = f"{PACKAGE}.inference"
_KIND = Text("估计方法", "estimator")
_INFERENCE_KIND = Text("推断方法", "way of inference")
_NOT_METHODS = ("registry", "battery")
# Warnings about a method's own errors, which an inference put in their place makes moot.
_ABOUT_OWN_ERRORS = (
    "W-EST-FEW-TREATED",
    "W-EST-ALONE-IN-COHORT",
    "W-EST-NO-ERROR",
    "W-EST-NO-PLACEBO",
    "W-EST-WIDE-PLACEBO",
    "N-EST-EMPTY-PLACEBO",
    "N-EST-PLACEBO",
)


class Refit:
    """Estimate again with the method and options at hand: what every resampling needs.

    Inference modules get one, so that they know nothing of the method that they serve.
    """

    def __init__(self, design: Design, module: ModuleType, options: dict[str, str]) -> None:
        self.design = design
        self.module = module
        self.options = options

    def one(self, design: Design) -> float:
        """Give the estimate on another design; NaN where the method can't be fitted to it."""
        if any(one.severity == "reject" for one in _refusals(self.module, design, self.options)):
            return float("nan")
        try:
            value = _point(self.module, design, self.options)
        except DesignError:
            return float("nan")
        return float("nan") if value is None else value

    def under(
        self,
        starts: NDArray[np.float64],
        *,
        units: NDArray[np.bool_] | None = None,
        y: NDArray[np.float64] | None = None,
    ) -> NDArray[np.float64]:
        """Give the estimates under other assignments of treatment.

        Parameters
        ----------
        starts : ndarray, shape (n_assignments, n_units)
            First treated period of each unit, infinity for never; over the units kept.
        units : ndarray of bool, shape (n_units of the design,), or None
            Units kept; all if None.
        y : ndarray, shape (n_units, n_periods), or None
            Outcomes in place of the design's, over all its units.

        Returns
        -------
        ndarray, shape (n_assignments,)
        """
        base = self.design if y is None else dataclasses.replace(self.design, y=y, y_natural=y)
        if units is not None:
            base = subset_design(base, units=units)
        if hasattr(self.module, "points"):
            return np.asarray(self.module.points(base, starts, options=self.options))
        return np.array(
            [
                self.one(
                    subset_design(
                        base, cohort=[int(one) if np.isfinite(one) else None for one in row]
                    )
                )
                for row in starts
            ]
        )

    def without(self, absent: NDArray[np.bool_]) -> NDArray[np.float64]:
        """Give the estimates without some units, shape (n,); NaN where there is none.

        Parameters
        ----------
        absent : ndarray of bool, shape (n, n_units)
        """
        found: NDArray[np.float64] | None = None
        if hasattr(self.module, "points_without"):
            found = self.module.points_without(self.design, absent, options=self.options)
        if found is None:
            found = np.array([self.one(subset_design(self.design, units=~row)) for row in absent])
        return found

    def of(self, outcomes: NDArray[np.float64]) -> NDArray[np.float64]:
        """Give the estimates of other outcomes of the design's units under its own assignment.

        Parameters
        ----------
        outcomes : ndarray, shape (n_outcomes, n_units, n_periods)

        Returns
        -------
        ndarray, shape (n_outcomes,)
        """
        found: NDArray[np.float64] | None = None
        if hasattr(self.module, "outcome_points"):
            found = self.module.outcome_points(self.design, outcomes, options=self.options)
        if found is None:
            starts = self.design.starts[None]
            found = np.array([float(self.under(starts, y=one)[0]) for one in outcomes])
        return found


def list_estimators(folder: Path | None = None) -> tuple[str, ...]:
    """List the estimators of the package, and those that lie in ``folder``."""
    names = [name for name in module_names(FOLDER) if name not in _NOT_METHODS]
    return tuple(sorted({*names, *(module_names(folder) if folder else ())}))


def list_inferences() -> tuple[str, ...]:
    """List the ways of inference that can replace a method's own."""
    return tuple(module_names(INFERENCE_FOLDER))


def estimate(
    design: Design,
    method: str = "synthetic_did",
    *,
    inference: str | None = None,
    level: float = 0.95,
    seed: int = 0,
    options: Given | None = None,
    inference_options: Given | None = None,
    folder: Path | None = None,
) -> Effect:
    """Estimate the effect of one design with one method.

    Parameters
    ----------
    design : Design
    method : str
        One of ``list_estimators()``, or a module in ``folder``.
    inference : str or None
        One of ``list_inferences()``, to put in the place of the method's own.
    level : float
        Confidence level, between 0 and 1.
    seed : int
        Of placebo draws; methods with analytic errors do not use it.
    options, inference_options : mapping of str to str or number
        The method's and the inference's own choices, e.g. ``{"control": "not_yet"}``.
    folder : Path or None
        Folder with further estimator modules.

    Raises
    ------
    UsageError
        If there is no such method, inference or option; lists what there is.
    DesignError
        If the design can't bear the method; says what is missing.
    """
    if not 0 < level < 1:
        raise UsageError(
            Text(f"置信水平 {level} 不在 0 与 1 之间", f"the level {level} is not between 0 and 1"),
            where="estimate(level=…)",
            mend=Text("例如 0.95", "give 0.95, say"),
        )
    require_seed(seed)
    module, chosen = _ready(design, method, options or {}, folder)
    effect: Effect = module.fit(design, level=level, seed=seed, options=chosen)
    effect = dataclasses.replace(effect, is_diagnosis=getattr(module, "DIAGNOSIS", False))
    if inference is None:
        return _with_reliability(design, effect)
    way = load_module(INFERENCE_PACKAGE, INFERENCE_FOLDER, inference, kind=_INFERENCE_KIND)
    ways = settle(way.OPTIONS, inference_options or {}, where=inference)
    _raise_if_rejected(list(way.needs(design, effect, ways)))
    infer: Callable[..., Effect] = way.infer
    inferred = infer(
        design, effect, Refit(design, module, chosen), level=level, seed=seed, options=ways
    )
    named = dataclasses.replace(
        inferred,
        inference=inference,
        inference_name=way.NAME,
        assumes=way.ASSUMES,
        findings=tuple(one for one in inferred.findings if one.code not in _ABOUT_OWN_ERRORS),
    )
    return _with_reliability(design, named)


def name_method(method: str) -> Text:
    """Give the name of an estimator as people call it."""
    name: Text = _module(method, None).NAME
    return name


def count_treated(design: Design) -> int:
    """Count what inference counts as treated: units, or clusters where units are grouped."""
    if design.cluster is None:
        return design.n_treated
    return len(
        {
            group
            for group, cohort in zip(design.cluster, design.cohort, strict=True)
            if cohort is not None
        }
    )


def _with_reliability(design: Design, effect: Effect) -> Effect:
    """Say of an effect whether its pair of method and inference held its level."""
    n_treated = count_treated(design)
    record = reliability(effect.method, effect.options, effect.inference, n_treated)
    if record is None or not record.is_judged:
        return effect
    if record.is_offered:
        return dataclasses.replace(effect, is_reliable=True)
    share = "—" if record.coverage is None else f"{100 * record.coverage:.0f}%"
    size = "—" if record.size is None else f"{100 * record.size:.0f}%"
    finding = Finding(
        "W-EST-LEVEL",
        "warn",
        Text(
            f"已知真值的模拟中，处理单位为 {record.treated} 个时，这一方法与推断的搭配未守住名义水平："
            f"95% 区间的覆盖率 {share}，5% 检验的误拒率 {size}",
            f"in simulations with a known truth and {record.treated} treated, this method with this "
            f"inference missed its level: 95% intervals covered {share}, 5% tests rejected {size}",
        ),
        f"{design.name} › {effect.method}",
        Text("以守住水平的方法为准", "rely on a pair that holds its level"),
    )
    return dataclasses.replace(effect, is_reliable=False, findings=(*effect.findings, finding))


def point_estimate(
    design: Design,
    method: str,
    *,
    options: Given | None = None,
    folder: Path | None = None,
) -> float | None:
    """Give a method's estimate alone, as checks need it many times over.

    Raises
    ------
    UsageError, DesignError
        As :func:`estimate`.
    """
    module, chosen = _ready(design, method, options or {}, folder)
    return _point(module, design, chosen)


def refit(
    design: Design, method: str, *, options: Given | None = None, folder: Path | None = None
) -> Refit:
    """Give what estimates the design, or others like it, again with one method.

    Raises
    ------
    UsageError, DesignError
        As :func:`estimate`.
    """
    return Refit(design, *_ready(design, method, options or {}, folder))


def settled_options(method: str, options: Given, *, folder: Path | None = None) -> dict[str, str]:
    """Give all of a method's options, those not given at their defaults."""
    return settle(_module(method, folder).OPTIONS, options, where=method)


def _point(module: ModuleType, design: Design, options: dict[str, str]) -> float | None:
    if hasattr(module, "point"):
        return float(module.point(design, options=options))
    effect: Effect = module.fit(design, level=0.95, seed=0, options=options)
    return effect.overall.att


def _ready(
    design: Design, method: str, options: Given, folder: Path | None
) -> tuple[ModuleType, dict[str, str]]:
    module = _module(method, folder)
    chosen = settle(module.OPTIONS, options, where=method)
    _raise_if_rejected(_refusals(module, design, chosen))
    return module, chosen


def _raise_if_rejected(findings: list[Finding]) -> None:
    rejected = [one for one in findings if one.severity == "reject"]
    if rejected:
        first = rejected[0]
        raise DesignError(first.what, where=first.where, mend=first.mend, findings=rejected)


def _refusals(module: ModuleType, design: Design, options: dict[str, str]) -> list[Finding]:
    return [*_unsupported(module, design), *module.needs(design, options)]


# What a design may hold that a method must know of -> how to say so, and what to do about it.
_FEATURES: dict[str, tuple[Text, Text]] = {
    "gaps": (
        Text("面板有缺口", "the panel has gaps"),
        Text(
            "设计时用 missing=drop_unit（各单位只出现一次的截面数据除外），或换用能处理缺口的方法",
            "design it with missing='drop_unit' (of no use where each unit is seen once), or take a "
            "method that bears gaps",
        ),
    ),
    "covariate_gaps": (
        Text("协变量有缺口", "a covariate has gaps"),
        Text(
            "设计时用 missing=drop_unit，或换用 synthetic_control（fit=covariates）",
            "design it with missing='drop_unit', or take synthetic_control with fit=covariates",
        ),
    ),
    "covariates": (
        Text("设计含协变量", "the design has covariates"),
        Text("设计时不列协变量，或换用能用协变量的方法", "leave them out, or take another method"),
    ),
    "weights": (
        Text("设计含抽样权重", "the design has sampling weights"),
        Text("设计时不给权重，或换用能加权的方法", "leave them out, or take another method"),
    ),
    "clusters": (
        Text("设计把单位归入聚类", "the design groups units into clusters"),
        Text("设计时不给 cluster，或换用能聚类的方法", "leave them out, or take another method"),
    ),
    "dose": (
        Text("设计含处理强度", "the design has a dose"),
        Text("设计时不给 dose，或换用 dose_response", "leave it out, or take dose_response"),
    ),
    "joint": (
        Text("有单位同时承办别的项目", "some units host other initiatives too"),
        Text("换用 joint_effects，或剔除这些单位", "take joint_effects, or leave those units out"),
    ),
}


def _unsupported(module: ModuleType, design: Design) -> list[Finding]:
    supports: frozenset[str] = getattr(module, "SUPPORTS", frozenset())
    held = {
        "gaps": not design.is_balanced,
        "covariate_gaps": design.covariates is not None
        and design.is_balanced
        and bool(np.isnan(design.covariates).any()),
        "covariates": design.covariates is not None,
        "weights": design.weights is not None,
        "clusters": design.cluster is not None,
        "dose": design.dose is not None,
        "joint": bool(design.other_cohorts),
    }
    return [
        Finding(
            f"E-EST-{feature.upper()}",
            "reject",
            Text(
                f"{_FEATURES[feature][0].zh}，{module.NAME.zh}用不上",
                f"{_FEATURES[feature][0].en}, which {module.NAME.en[:1].lower()}{module.NAME.en[1:]} "
                "does not take",
            ),
            design.name,
            _FEATURES[feature][1],
        )
        for feature, is_held in held.items()
        if is_held and feature not in supports
    ]


# What the literature and other packages call them.
_ALSO_CALLED = {
    "synthetic_did": ("sdid", "synthdid"),
    "synthetic_control": ("sc", "scm", "synth", "augsynth", "ascm"),
    "group_time_att": ("did", "cs", "csdid", "callaway_santanna", "att_gt"),
    "imputation": ("bjs", "borusyak", "did_imputation", "fect", "gardner", "did2s"),
    "interaction_weighted": ("sunab", "sun_abraham", "sa"),
    "two_way_fixed_effects": ("twfe", "bacon", "fixest", "feols", "event_study"),
    "interactive_fixed_effects": ("gsynth", "ife", "xu"),
    "matrix_completion": ("mc", "mcnnm", "mc_nnm"),
    "structural_time_series": ("causalimpact", "bsts"),
    "interrupted_time_series": ("itsa", "its", "cits"),
    "stacked": ("stacked_did", "cengiz"),
    "dose_response": ("dose", "continuous"),
    "joint_effects": ("joint",),
}


def _unknown_method(method: str, folder: Path | None) -> UsageError:
    names = list_estimators(folder)
    meant = next((one for one, also in _ALSO_CALLED.items() if method.lower() in also), None)
    if meant is None:
        return unknown_choice(_KIND, method, names, where="estimate(method=…)")
    return UsageError(
        Text(f"没有名为“{method}”的估计方法", f"there is no estimator named {method!r}"),
        where="estimate(method=…)",
        mend=Text(f"这里叫 {meant}", f"it is called {meant} here"),
    )


def _module(method: str, folder: Path | None) -> ModuleType:
    if method in _NOT_METHODS or method not in list_estimators(folder):
        raise _unknown_method(method, folder)
    if folder and method in module_names(folder):
        spec = importlib.util.spec_from_file_location(method, folder / f"{method}.py")
        if spec is None or spec.loader is None:
            raise ImportError(method)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module
    return load_module(PACKAGE, FOLDER, method, kind=_KIND)
