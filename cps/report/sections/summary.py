"""The headline in plain words, with its interval and what it rests on."""

from __future__ import annotations

from cps.locale import Content, Message, Quantity, measure_kind
from cps.report.blocks import Block, Heading, Paragraph
from cps.report.sections._common import (
    amount,
    counted,
    headline_direction,
    host_word,
    inference_name,
    interval,
    is_scheme,
    level,
    outcome_name,
    own_unit,
    per_period,
    period_label,
    text_of,
    worded,
)
from cps.result import Effect
from cps.runs import Run

ORDER = 10
PAGE = "initiative"
TEXT = {
    "zh": {
        "heading": "结论",
        "up": "项目启动后，{host}的{outcome}{per}高出约 {amount}。{level}% 区间为 {interval}，不含零：与零分得开，为正。",
        "up_other": "启动后，{host}的{outcome}{per}高出约 {amount}。{level}% 区间为 {interval}，不含零：与零分得开，为上升。",
        "down": "项目启动后，{host}的{outcome}{per}约低 {amount}。{level}% 区间为 {interval}，不含零：与零分得开，为负。",
        "down_other": "启动后，{host}的{outcome}{per}变化 {amount}。{level}% 区间为 {interval}，不含零：与零分得开，为下降。",
        "unclear": "没有发现明确的效应。{host}的{outcome}{per}的变化估计为 {amount}，但 {level}% 区间为 {interval}，包含零：现有数据分不清是增是减。",
        "mixed": "没有发现明确的效应。{host}的{outcome}{per}的变化估计为 {amount}，{level}% 区间 {interval} 不含零，但 p 值没有达到同一水平：两种依据不一致。",
        "too_few": "{host}的{outcome}{per}的变化估计为 {amount}（{level}% 区间 {interval}），但承办或对照不足五个，这一区间偏窄，不能据此下结论。",
        "no_interval": "{host}的{outcome}{per}的变化估计为 {amount}；这些数据给不出区间，不能据此下结论。",
        "relative": "折合 {amount}（{level}% 区间 {interval}）。",
        "basis": "比较对象：{treated}承办，{comparison}对照；方法：{method}；时期 {first} 至 {last}，启动前 {n_pre} 期、启动后 {n_post} 期（按最早批次）。",
        "basis_other": "比较对象：{treated}已实施，{comparison}未实施；方法：{method}；时期 {first} 至 {last}，启动前 {n_pre} 期、启动后 {n_post} 期（按最早批次）。",
        "p_value": "p 值 {p}（{inference}）。",
        "p_floor": "p 值 {p}（{inference}，p 值最小只能到 {floor}）。",
        "detectable": "这一设计以八成把握能发现的最小效应约为 {amount}；更小的效应，“没有发现”不等于“没有”。",
        "grade": "证据等级：{letter}（{name}）。能不能归于所评的举措，以等级为准；逐条规则见“证据等级”一节。",
        "nothing": "没有可以报告的估计。",
    },
    "en": {
        "heading": "Result",
        "up": "Since the start, for {host}: about {amount} more in {outcome} {per}. The {level}% interval, {interval}, leaves out zero: told apart from zero, an increase.",
        "up_other": "Since the start, for {host}: about {amount} more in {outcome} {per}. The {level}% interval, {interval}, leaves out zero: told apart from zero, a rise.",
        "down": "Since the start, for {host}: {amount} in {outcome} {per}. The {level}% interval, {interval}, leaves out zero: told apart from zero, a decrease.",
        "down_other": "Since the start, for {host}: {amount} in {outcome} {per}. The {level}% interval, {interval}, leaves out zero: told apart from zero, a fall.",
        "unclear": "No clear effect was found. For {host}, the change in {outcome} {per} is estimated at {amount}, but the {level}% interval, {interval}, holds zero: the data can't tell a rise from a fall.",
        "mixed": "No clear effect was found. For {host}, the change in {outcome} {per} is estimated at {amount}; the {level}% interval, {interval}, leaves out zero, but the p-value does not reach that level: the two disagree.",
        "too_few": "For {host}, the change in {outcome} {per} is estimated at {amount} ({level}% interval {interval}), but with fewer than five units on a side the interval is too narrow: no conclusion should rest on it.",
        "no_interval": "For {host}, the change in {outcome} {per} is estimated at {amount}; these data give no interval, and no conclusion should rest on it.",
        "relative": "That is {amount} ({level}% interval {interval}).",
        "basis": "Compared: {treated} treated with {comparison} not; method: {method}; periods {first} to {last}, {n_pre} before and {n_post} from the earliest start on.",
        "basis_other": "Compared: {treated} reached with {comparison} not; method: {method}; periods {first} to {last}, {n_pre} before and {n_post} from the earliest start on.",
        "p_value": "p-value {p} ({inference}).",
        "p_floor": "p-value {p} ({inference}; it can't go below {floor}).",
        "detectable": "The smallest effect that this design would find four times in five is about {amount}; of anything smaller, not found does not mean not there.",
        "grade": "Grade of evidence: {letter} ({name}). It says whether a change may be put down to what is evaluated; the section of that name gives every rule.",
        "nothing": "There is no estimate to report.",
    },
}


def build(run: Run) -> list[Block]:
    """State the headline effect."""
    blocks: list[Block] = [Heading(Message("summary.heading"))]
    if not run.effects or run.effects[0].overall.att is None:
        return [*blocks, Paragraph(Message("summary.nothing"), "lead")]
    effect = run.effects[0]
    estimate, kind, unit = own_unit(effect)
    found = headline_direction(effect)
    said: dict[str, Content] = {
        "host": host_word(effect, is_host=not is_scheme(run)),
        "outcome": outcome_name(run),
        "per": per_period(run),
        "amount": amount(estimate.att, kind, unit, is_signed=found != "up"),
    }
    if found != "no_interval":
        said |= {"level": level(effect), "interval": interval(estimate, kind, unit)}
    blocks.append(Paragraph(Message(worded(run, f"summary.{found}", TEXT), said), "lead"))
    if effect.natural is not None and found != "no_interval":
        in_logs = measure_kind(effect.measure)
        relative: dict[str, Content] = {
            "amount": amount(effect.overall.att, *in_logs),
            "level": level(effect),
            "interval": interval(effect.overall, *in_logs),
        }
        blocks.append(Paragraph(Message("summary.relative", relative)))
    return [*blocks, *_graded(run), *_basis(run, effect)]


def _graded(run: Run) -> list[Block]:
    grade = run.extra.get("grade")
    if not grade:
        return []
    said: dict[str, Content] = {"letter": grade["letter"], "name": text_of(grade["name"])}
    return [Paragraph(Message("summary.grade", said))]


def _basis(run: Run, effect: Effect) -> list[Block]:
    unit_kind = str(run.design["unit_kind"])
    periods = run.design["periods"]
    basis: dict[str, Content] = {
        "treated": counted(effect.n_treated, unit_kind),
        "comparison": counted(effect.n_comparison, unit_kind),
        "method": effect.method_name,
        "first": period_label(run, periods[0]),
        "last": period_label(run, periods[-1]),
        "n_pre": Quantity(effect.n_pre, "count"),
        "n_post": Quantity(effect.n_post, "count"),
    }
    blocks: list[Block] = [Paragraph(Message(worded(run, "summary.basis", TEXT), basis))]
    if effect.overall.p_value is not None:
        p_value: dict[str, Content] = {
            "p": Quantity(effect.overall.p_value, "p_value"),
            "inference": inference_name(effect),
        }
        if effect.p_value_floor is not None:
            floor: dict[str, Content] = {
                "floor": Quantity(effect.p_value_floor, "p_value"),
            }
            blocks.append(Paragraph(Message("summary.p_floor", {**p_value, **floor})))
        else:
            blocks.append(Paragraph(Message("summary.p_value", p_value)))
    detectable = run.design.get("minimum_detectable_effect")
    if detectable is not None:
        size = amount(detectable, *measure_kind(effect.measure), is_signed=False)
        blocks.append(Paragraph(Message("summary.detectable", {"amount": size}), "note"))
    return blocks
