"""Designs, effects, checks and overviews as tables that an analyst reads in a notebook."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from cps.design.record import Design
from cps.errors import Text, UsageError
from cps.planning.record import Plan
from cps.result import Check, Effect, Estimate
from cps.robustness.specifications import SpecificationCurve
from cps.synthesis.grade import Grade
from cps.synthesis.money import Worth

SYNTHETIC = "合成数据 · Synthetic data"


@dataclass(frozen=True, slots=True)
class Shown:
    """A frame as a notebook shows it: whole sentences, no types, the synthetic mark on top.

    Parameters
    ----------
    frame : polars.DataFrame
        What is shown, to compute with.
    mark : str
        The synthetic mark, or empty.
    """

    frame: pl.DataFrame
    mark: str = ""

    def _repr_html_(self) -> str:
        with _display():
            table = self.frame._repr_html_()
        return f"<strong>{self.mark}</strong>{table}" if self.mark else table

    def __repr__(self) -> str:
        with _display():
            return f"{self.mark}\n{self.frame}".strip()


def show(
    thing: Design
    | Effect
    | Check
    | Grade
    | Plan
    | SpecificationCurve
    | Worth
    | Sequence[Effect]
    | Sequence[Check]
    | Mapping[str, Any],
    design: Design | None = None,
) -> Shown:
    """Show a design, effects, checks or an overview as a table.

    Several effects are set side by side, a row each; one effect alone is shown with everything
    that it holds: overall, by event time, cohort and calendar period, and each ATT(g, t).

    Parameters
    ----------
    thing : Design, Effect, Check, Grade, Plan, SpecificationCurve, Worth, effects, checks
        Or what ``synthesise`` gives.
    design : Design or None
        The design that it comes from: if that is synthetic, the table is marked.

    Returns
    -------
    Shown
        Column heads in Chinese and English; money in 元, log points as they are; ``.frame`` holds
        the values.

    Raises
    ------
    UsageError
        If it is something else.
    """
    source = thing if isinstance(thing, Design | Grade | SpecificationCurve | Worth) else design
    mark = SYNTHETIC if source is not None and source.is_synthetic else ""
    return Shown(_frame(thing), mark)


def _display() -> pl.Config:
    return pl.Config(
        fmt_str_lengths=600,
        tbl_rows=200,
        tbl_cols=-1,
        tbl_width_chars=400,
        tbl_hide_column_data_types=True,
        tbl_hide_dataframe_shape=True,
        float_precision=4,
    )


def _frame(thing: Any) -> pl.DataFrame:
    if isinstance(thing, Design):
        return _design(thing)
    if isinstance(thing, Effect):
        return _numbers(thing)
    if isinstance(thing, Plan | Worth):
        return pl.DataFrame(thing.table(), strict=False)
    if isinstance(thing, Grade):
        return _grade(thing)
    if isinstance(thing, SpecificationCurve):
        return _specifications(thing)
    if isinstance(thing, Mapping) and "comparison" in thing:
        return pl.DataFrame(thing["comparison"], strict=False)
    many = [thing] if isinstance(thing, Check) else thing
    if isinstance(many, Sequence) and not isinstance(many, str):
        effects = [one for one in many if isinstance(one, Effect)]
        checks = [one for one in many if isinstance(one, Check)]
        if len(effects) == len(many):
            return _effects(effects)
        if len(checks) == len(many):
            return _checks(checks)
    raise UsageError(
        Text(f"不能显示 {type(thing).__name__}", f"a {type(thing).__name__} can't be shown"),
        where="show(…)",
        mend=Text(
            "给出设计、效应、检验或总览",
            "give a design, effects, checks or what synthesise returns",
        ),
    )


def _design(design: Design) -> pl.DataFrame:
    labels = dict(zip(design.periods, design.period_labels, strict=True))
    roles: list[str | None] = [
        "承办 treated" if cohort is not None else "对照 comparison" for cohort in design.cohort
    ]
    rows: dict[str, list[str | None]] = {
        "单位 unit": list(design.units),
        "角色 role": roles,
        "启动 start": [
            None if cohort is None else labels.get(cohort, str(cohort)) for cohort in design.cohort
        ],
        "原因 reason": [None] * len(design.units),
    }
    for one in design.exclusions:
        rows["单位 unit"].append(one.unit or f"{one.area}（全部 all）")
        rows["角色 role"].append("未纳入 left out")
        rows["启动 start"].append(None)
        rows["原因 reason"].append(f"{one.explanation.zh} {one.explanation.en}")
    frame = pl.DataFrame(rows, schema=dict.fromkeys(rows, pl.String))
    return frame.sort("角色 role", "单位 unit")


def _effects(effects: Sequence[Effect]) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "方法 method": [f"{one.method_name.zh} {one.method_name.en}" for one in effects],
            "选项 options": [", ".join(one.options.values()) for one in effects],
            "单位 measure": [one.measure for one in effects],
            "效应 att": [one.overall.att for one in effects],
            "标准误 se": [one.overall.se for one in effects],
            "下限 low": [one.overall.ci_low for one in effects],
            "上限 high": [one.overall.ci_high for one in effects],
            "p": [one.overall.p_value for one in effects],
            "换算 in own unit": [one.natural.att if one.natural else None for one in effects],
            "推断 inference": [
                f"{one.inference_name.zh} {one.inference_name.en}"
                if one.inference_name
                else one.inference
                for one in effects
            ],
            "守住水平 holds its level": [
                {True: "是 yes", False: "否 no", None: "未研究 not studied"}[one.is_reliable]
                for one in effects
            ],
            "承办 treated": [one.n_treated for one in effects],
            "对照 comparison": [one.n_comparison for one in effects],
        },
        schema_overrides={
            name: pl.Float64
            for name in ("效应 att", "标准误 se", "下限 low", "上限 high", "p", "换算 in own unit")
        },
    )


def _numbers(effect: Effect) -> pl.DataFrame:
    """Give every estimate of one effect, a row each."""
    rows: list[tuple[str, int | None, int | None, Estimate]] = [
        ("总体 overall", None, None, effect.overall)
    ]
    rows += [(f"汇总 {name}", None, None, one) for name, one in effect.aggregations.items()]
    rows += [
        ("期数 event time", one.event_time, None, one.estimate) for one in effect.by_event_time
    ]
    rows += [("批次 cohort", one.period, None, one.estimate) for one in effect.by_cohort]
    rows += [("时期 period", one.period, None, one.estimate) for one in effect.by_calendar]
    rows += [("ATT(g,t)", one.cohort, one.period, one.estimate) for one in effect.group_time]
    estimates = [row[3] for row in rows]
    numbers = {
        "效应 att": [one.att for one in estimates],
        "标准误 se": [one.se for one in estimates],
        "下限 low": [one.ci_low for one in estimates],
        "上限 high": [one.ci_high for one in estimates],
        "p": [one.p_value for one in estimates],
        "带下限 band low": [one.band_low for one in estimates],
        "带上限 band high": [one.band_high for one in estimates],
    }
    return pl.DataFrame(
        {
            "项目 what": [row[0] for row in rows],
            "期/批次 at": [row[1] for row in rows],
            "时期 t": [row[2] for row in rows],
            **numbers,
        },
        schema_overrides={
            "期/批次 at": pl.Int64,
            "时期 t": pl.Int64,
            **dict.fromkeys(numbers, pl.Float64),
        },
    )


def _checks(checks: Sequence[Check]) -> pl.DataFrame:
    words = {True: "通过 passed", False: "未通过 failed", None: "无法判断 can't say"}
    return pl.DataFrame(
        {
            "检验 check": [f"{one.title.zh} {one.title.en}" for one in checks],
            "结论 verdict": [words[one.verdict] for one in checks],
            "统计量 statistic": [one.statistic for one in checks],
            "界限 threshold": [one.threshold for one in checks],
            "说明 explanation": [f"{one.explanation.zh}\n{one.explanation.en}" for one in checks],
        },
        schema_overrides={"统计量 statistic": pl.Float64, "界限 threshold": pl.Float64},
    )


def _grade(grade: Grade) -> pl.DataFrame:
    """Give the grade in the first row and every rule in those below it."""
    said = "\n".join(
        (f"{grade.name.zh} {grade.name.en}", grade.reading_said.zh, grade.reading_said.en)
    )
    rows: list[tuple[str | float | None, ...]] = [
        ("证据等级 grade of evidence", None, None, None, None, grade.letter, said)
    ]
    rows += [
        (
            f"{one.name.zh} {one.name.en}",
            one.value,
            *(f"{'≤' if one.is_low else '≥'} {at:g}" if at is not None else None for at in ats),
            one.letter,
            f"{one.said.zh}\n{one.said.en}",
        )
        for one in grade.rules
        for ats in ((one.at_a, one.at_b, one.at_c),)
    ]
    names = ("规则 rule", "所见 value", "A", "B", "C", "等级 letter", "说明 found")
    schema = {name: pl.Float64 if name == "所见 value" else pl.String for name in names}
    return pl.DataFrame(rows, schema=schema, orient="row")


def _specifications(curve: SpecificationCurve) -> pl.DataFrame:
    """Give the headline, the whole curve and its joint test, then each option; cells in ``table()``."""
    joint = curve.joint
    none = (None, None, None)
    rows: list[tuple[Any, ...]] = [
        ("主结果 headline", 1, curve.headline_estimate, *none),
        ("全部设定（中位数） all, median", curve.n_estimated, curve.median, *none),
        ("实为同一设定 the same as another", curve.n_same, None, *none),
        ("不能估计 refused", curve.n_refused, None, *none),
        ("联合检验 joint test", joint.n_cells, None, None, None, joint.p_joint)
        if joint
        else (
            f"没有联合检验 no joint test: {curve.no_joint.en if curve.no_joint else ''}",
            0,
            None,
            *none,
        ),
    ]
    shares = {one.dimension: one for one in curve.influences}
    becomes = {(one.dimension, one.option): one.estimate for one in curve.moves}
    for place, dimension in enumerate(curve.dimensions):
        influence = shares[dimension.name]
        for option in dimension.options:
            taken = [
                one
                for one in curve.cells
                if one.status == "estimated" and one.choices[place] == option.name
            ]
            rows.append(
                (
                    f"{dimension.title.zh}：{option.title.zh} "
                    f"{dimension.title.en}: {option.title.en}",
                    len(taken),
                    influence.option_means.get(option.name),
                    influence.share,
                    becomes.get((dimension.name, option.name)),
                    None,
                )
            )
    names = (
        "项目 what",
        "设定数 n",
        "估计（平均） mean",
        "解释 explains",
        "主结果变为 becomes",
        "p",
    )
    schema = {name: pl.Float64 for name in names} | {names[0]: pl.String, names[1]: pl.Int64}
    return pl.DataFrame(rows, schema=schema, orient="row")
