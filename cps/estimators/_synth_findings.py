"""What must be said of a design before or beside a synthetic comparison."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from cps.design.record import Design
from cps.errors import Finding, Text
from cps.estimators._synth_errors import Spread
from cps.estimators._synth_gaps import Calendar, Gaps
from cps.estimators._synth_placebo import MOST_BLOWN_UP

_LEAST_FOLLOWED = 0.8


def few_donors(design: Design) -> list[Finding]:
    """Reject a design with fewer than two never-treated units."""
    if design.n_donors >= 2:
        return []
    return [
        Finding(
            "E-EST-FEW-DONORS",
            "reject",
            Text(
                f"从未处理的单位只有 {design.n_donors} 个，至少需要 2 个",
                f"{design.n_donors} never-treated units; at least 2 are needed",
            ),
            design.name,
            Text("放宽对照范围，或补充台账", "widen the comparison, or add ledgers"),
        )
    ]


def few_pre_periods(
    design: Design, short: Sequence[int], need: int, *, remedy: bool = True
) -> list[Finding]:
    """Reject cohorts with too few periods before their start; ``short`` lists them.

    ``remedy`` names equal weights as a way out, where the method has them.
    """
    if not short:
        return []
    labels = dict(zip(design.periods, design.period_labels, strict=True))
    names = ", ".join(labels.get(g, str(g)) for g in short)
    return [
        Finding(
            "E-EST-FEW-PRE-PERIODS",
            "reject",
            Text(
                f"有 {len(short)} 个启动批次的启动前期数不足 {need} 期，无法求权重",
                f"{len(short)} cohorts have fewer than {need} periods before the start: "
                "no weights can be found",
            ),
            f"{design.name} › {names}",
            Text(
                "补充更早年份的台账，或改用 weights=did", "add earlier ledgers, or use weights=did"
            )
            if remedy
            else Text(
                "补充更早年份的台账，或改用双重差分",
                "add earlier ledgers, or take difference-in-differences",
            ),
        )
    ]


def optimized_asks_for_sdid(design: Design, options: Mapping[str, str]) -> list[Finding]:
    """Reject coefficients that are found with weights where weights are not those of SDID."""
    chosen = options["covariates"] == "optimized" and options["weights"] != "sdid"
    if design.covariates is None or not chosen:
        return []
    return [
        Finding(
            "E-EST-OPTIMIZED",
            "reject",
            Text(
                f"covariates=optimized 只配 weights=sdid，这里是 weights={options['weights']}",
                f"covariates=optimized goes with weights=sdid, not weights={options['weights']}",
            ),
            design.name,
            Text("改用 covariates=projected", "use covariates=projected"),
        )
    ]


def few_treated(design: Design, errors: str) -> list[Finding]:
    """Reject errors that ask for more than one treated unit where there is one."""
    by_cohort = errors in ("jackknife", "jackknife_refit")
    if not by_cohort and errors != "bootstrap":
        return []
    single = [g for g in design.cohorts if sum(one == g for one in design.cohort) < 2]
    if not (single if by_cohort else design.n_treated < 2):
        return []
    labels = dict(zip(design.periods, design.period_labels, strict=True))
    names = ", ".join(labels.get(g, str(g)) for g in single)
    return [
        Finding(
            "E-EST-ONE-TREATED",
            "reject",
            Text(
                f"有 {len(single)} 个启动批次只有一个承办单位，去掉它就没有可估计的，无法用 {errors}",
                f"{len(single)} cohorts have a single treated unit, and nothing to estimate without "
                f"it: errors={errors} can't be had",
            ),
            f"{design.name} › {names}",
            errors_that_work(design, without=errors),
            count=max(1, len(single)),
        )
    ]


def inference_notes(design: Design, spread: Spread) -> tuple[Finding, ...]:
    """Say how many placebo assignments there are, or why there are none."""
    n = len(spread.gaps.gaps)
    if spread.way != "placebo":
        return ()
    if not n:
        return (no_placebo(design),)
    how_zh = "随机抽取" if spread.is_drawn else "穷尽"
    how_en = "drawn at random" if spread.is_drawn else "all there are"
    return (
        Finding(
            "N-EST-PLACEBO",
            "note",
            Text(
                f"安慰剂推断共 {n} 次指派（{how_zh}）；标准误以承办单位与对照单位波动相近为前提",
                f"{n} placebo assignments ({how_en}); the standard error takes the treated "
                "units' noise to be like the comparison units'",
            ),
            design.name,
            Text("结合留一和安慰剂检验阅读", "read it with the checks of robustness"),
        ),
    )


def errors_that_work(design: Design, *, without: str = "", option: bool = True) -> Text:
    """Name the errors that this design can have.

    Parameters
    ----------
    without : str
        An error known not to work.
    option : bool
        False if the method at hand offers no choice of errors, and another one is named for it.
    """
    sizes = [sum(one == g for one in design.cohort) for g in design.cohorts]
    ways = []
    if without and design.n_donors - design.n_treated >= 2:
        ways.append("placebo")
    if design.n_treated >= 2 and without != "bootstrap":
        ways.append("bootstrap")
    if min(sizes) >= 2 and not without.startswith("jackknife"):
        ways.append("jackknife")
    zh = en = ""
    if ways:
        other_zh, other_en = (
            ("", "use ") if option else ("synthetic_did 的 ", "use synthetic_did's ")
        )
        zh = f"改用 {other_zh}{' 或 '.join(f'errors={one}' for one in ways)}，或 "
        en = f"{other_en}{' or '.join(f'errors={one}' for one in ways)}, or "
    return Text(
        f"{zh or '改用 '}inference=randomisation（承办单位与对照单位互换启动时间，不要求对照单位多于承办单位）",
        f"{en or 'use '}inference=randomisation, which permutes starts among all units and does not "
        "ask for more comparison units than treated ones",
    )


def no_placebo(design: Design, *, has_errors: bool = True) -> Finding:
    """Say that comparison units can't stand in for the treated ones, and what works here.

    ``has_errors`` tells whether the method offers other errors than placebos.
    """
    return Finding(
        "W-EST-NO-PLACEBO",
        "warn",
        Text(
            f"对照单位 {design.n_donors} 个，不足以替代 {design.n_treated} 个承办单位做安慰剂，"
            "没有标准误和区间",
            f"{design.n_donors} comparison units can't stand in for {design.n_treated} "
            "treated ones: no standard error, no interval",
        ),
        design.name,
        errors_that_work(design, option=has_errors),
    )


def no_constant_effect(design: Design) -> tuple[Finding, ...]:
    """Say that the ratio test leaves no constant effect, so that there is no interval."""
    return (
        Finding(
            "N-EST-EMPTY-PLACEBO",
            "note",
            Text(
                "没有区间：区间以效应不随时间变化为前提，而没有一个不变的效应能通过误差比检验——"
                "启动后的差距随时间变化，或启动前拟合得过好",
                "there is no interval: it takes the effect to be constant over time, and the ratio "
                "test rejects every constant effect: gaps after the start vary over time, or the fit "
                "before it is too good",
            ),
            design.name,
            Text("以 p 值和各期效应为准", "read the p-value and the effects by period"),
        ),
    )


def wide_interval(
    design: Design, *, placebo: str, n_pre: int, times: float, half: float, reach: float
) -> tuple[Finding, ...]:
    """Say why the ratio test's interval is not shown: a placebo fitted too well, or no information.

    Parameters
    ----------
    placebo : str
        Whose ratio bounds it; empty if that is not one unit.
    n_pre : int
        Periods before the first start.
    times : float
        How many times more closely that placebo was followed before than the treated.
    half, reach : float
        Half the interval's width; largest less smallest outcome.
    """
    if times > MOST_BLOWN_UP:
        who_zh, who_en = f"（{placebo}）" if placebo else "", f" ({placebo})" if placebo else ""
        what = Text(
            f"不给出区间：其端点取决于一个启动前拟合过好的安慰剂单位{who_zh}，它启动前的拟合比承办单位紧 "
            f"{times:,.0f} 倍（超过 {MOST_BLOWN_UP:.0f} 倍），启动后的误差随之被放大，端点失去意义；"
            f"启动前 {n_pre} 期，对照单位 {design.n_donors} 个",
            f"no interval is shown: its ends would hang on a placebo{who_en} followed too well before "
            f"the start, {times:,.0f} times more closely than the treated (more than "
            f"{MOST_BLOWN_UP:.0f}), which blows its error afterwards up as much; {n_pre} periods "
            f"before the start, {design.n_donors} comparison units",
        )
    elif half > reach:
        what = Text(
            f"不给出区间：反演得到的半宽 {half:,.4g} 超过结果变量自身的全距 {reach:,.4g}，没有信息；"
            f"只凭启动前 {n_pre} 期算出的误差比很不稳定",
            f"no interval is shown: half its width, {half:,.4g}, would exceed the whole range of the "
            f"outcome, {reach:,.4g}, and say nothing: ratios of errors are unstable with {n_pre} "
            "periods before the start",
        )
    else:
        return ()
    mend = Text(
        "以 p 值为准，或补充更早的时期，或改用 inference=randomisation（比较差距本身，不除以启动前误差）",
        "rely on the p-value, add earlier periods, or take inference='randomisation', which ranks "
        "the gaps themselves, not their ratio to the fit before",
    )
    return (Finding("W-EST-WIDE-PLACEBO", "warn", what, design.name, mend),)


def quality_of_fit(design: Design, actual: Gaps, calendar: Calendar) -> tuple[Finding, ...]:
    """Warn where the synthetic path follows too little of the treated units' movement before.

    So too where it follows all of it, with more donors than periods: weights are not unique then.
    Ferman & Pinto (2021): one less the squared gaps over the squared deviations from the own mean.
    """
    labels = dict(zip(design.periods, design.period_labels, strict=True))
    poor, perfect = [], []
    for c, g in enumerate(calendar.cohorts):
        pre = calendar.is_pre[c]
        members = np.array([one == g for one in design.cohort])
        path = design.y[members][:, pre].mean(axis=0)
        rest = float((actual.gaps[0, c, pre] ** 2).sum())
        total = float(((path - path.mean()) ** 2).sum())
        share = 1 - rest / total if total > 0 else (1.0 if rest == 0 else -np.inf)
        if share < _LEAST_FOLLOWED:
            poor.append((labels.get(int(g), str(g)), share))
        elif share > 1 - 1e-9 and design.n_donors > pre.sum() + 1:
            perfect.append(labels.get(int(g), str(g)))
    if perfect:
        return (_perfect_fit(design, perfect), *_poor_fit(design, poor))
    return _poor_fit(design, poor)


def _perfect_fit(design: Design, perfect: list[str]) -> Finding:
    return Finding(
        "W-EST-PERFECT-FIT",
        "warn",
        Text(
            f"有 {len(perfect)} 个启动批次启动前期数少于对照单位，可以完全拟合，权重不唯一，取其中最均匀的一组",
            f"{len(perfect)} cohorts have fewer periods before the start than comparison units, and "
            "are fitted perfectly: weights are not unique, and the most even ones are taken",
        ),
        f"{design.name} › {', '.join(perfect[:5])}",
        Text(
            "补充更早年份的台账，或以合成双重差分为准",
            "add earlier ledgers, or rely on synthetic difference-in-differences",
        ),
        count=len(perfect),
    )


def _poor_fit(design: Design, poor: list[tuple[str, float]]) -> tuple[Finding, ...]:
    if not poor:
        return ()
    least = max(0.0, min(share for _, share in poor))
    return (
        Finding(
            "W-EST-POOR-FIT",
            "warn",
            Text(
                f"有 {len(poor)} 个启动批次启动前拟合差：合成路径只跟上承办单位波动的 {least:.0%}，"
                f"不足 {_LEAST_FOLLOWED:.0%}，不宜据此下结论",
                f"{len(poor)} cohorts are fitted poorly before the start: the synthetic path follows "
                f"{least:.0%} of the treated units' movement, less than {_LEAST_FOLLOWED:.0%}; "
                "don't conclude from it",
            ),
            f"{design.name} › {', '.join(name for name, _ in poor[:5])}",
            Text(
                "改用 intercept=yes、augment=ridge，或合成双重差分",
                "use intercept=yes, augment=ridge, or synthetic difference-in-differences",
            ),
            count=len(poor),
        ),
    )
