"""Cost and benefit: what the gain cost, whether the surplus pays it back, and what that hangs on."""

from __future__ import annotations

from cps.locale import Content, Interval, Kind, Message, Quantity
from cps.report.blocks import Block, Column, Facts, Heading, Paragraph, Table
from cps.report.sections._money_inputs import assumed_of, tornado_of
from cps.report.sections._unit_cost import (
    Plain,
    bounds,
    hosts_of,
    level_of,
    paired,
    price,
    refused,
    worth_of,
)
from cps.runs import Run

ORDER = 52
PAGE = "initiative"
TEXT = {
    "zh": {
        "heading": "成本与效益",
        "all_hosts": "{n}",
        "some_hosts": "{of} 个承办村中可估计的 {n}",
        "clear": "启动以来，{hosts}合计每年增收约 {extra}，{level}% 区间为 {interval}，不含零。投入合计 {total}，其中财政资金 {public}。",
        "lost": "启动以来，{hosts}合计每年收入变化约 {extra}，{level}% 区间为 {interval}，不含零：收入减少。投入合计 {total}，其中财政资金 {public}。",
        "unclear": "按点估计，{hosts}启动以来合计每年收入变化约 {extra}，但 {level}% 区间为 {interval}，包含零：分不清是增是减。投入合计 {total}，其中财政资金 {public}。",
        "mixed": "按点估计，{hosts}启动以来合计每年收入变化约 {extra}，{level}% 区间 {interval} 不含零，但主结果没有达到同一水平：两种依据不一致，不能据此下结论。投入合计 {total}，其中财政资金 {public}。",
        "below": "在下列假设下，三种折现率的净现值区间都在零以下：{years} 年内，村集体的净收益抵不回全部投入。",
        "above": "在下列假设下，三种折现率的净现值区间都在零以上：{years} 年内，村集体的净收益超过全部投入。",
        "open": "在下列假设下，净现值的区间包含零：现有数据说不清 {years} 年内村集体的净收益能否抵回全部投入。",
        "no_praise": "增收效应本身与零分不清，以下各数都由点估计和区间推算而来，不宜作为成绩或失败引用。",
        "short": "主结果的方法在已知真值的模拟中没有守住名义水平，本节由它推算的区间同样偏窄。",
        "outside": "社会资本的回报归投资者，不在村集体收入之内，因此计入社会资本的效益成本比偏低。只计财政和村集体资金，{rate} 折现时的效益成本比为 {ratio}（{level}% 区间 {interval}）。",
        "total": "投入合计",
        "public": "其中财政资金",
        "per_wan": "每万元年增收的投入",
        "public_per_wan": "每万元年增收的财政投入",
        "price": "{price}（{level}% 区间：{bounds}）",
        "at_least": "不低于 {low}，没有上限",
        "no_gain": "增量为负，不计算",
        "unknown_cost": "不能确定",
        "payback": "静态回收期",
        "years": "{median} 年（{level}% 区间 {low} 至 {high}；{share} 的模拟在 {horizon} 年内收不回）",
        "years_of": "{n} 年",
        "beyond": "{n} 年以上",
        "never": "{horizon} 年内收不回（{share} 的模拟如此）",
        "irr": "内部收益率",
        "mirr": "修正内部收益率（{rate}）",
        "one_irr": "{median}（{level}% 区间 {interval}）",
        "mostly_one_irr": "{median}（{level}% 区间 {interval}）；另有 {none} 的模拟不存在内部收益率，{many} 有多个",
        "no_irr": "多数模拟没有唯一的内部收益率（{none} 不存在，{many} 有多个），以净现值为准",
        "caption": "三种折现率下的净现值和效益成本比（括号内为 {level}% 区间）",
        "rate": "折现率",
        "npv": "净现值",
        "interval": "{level}% 区间",
        "positive": "大于零的可能",
        "bcr": "效益成本比",
        "bcr_inside": "不含社会资本",
        "paid": "动态回收期",
        "paid_never": "收不回",
        "pair": "{median}（{interval}）",
        "note": "净收益口径：增收 × 净收益比例 − 另需的运行费，期末加残值；第 0 年为启动，不折现。修正内部收益率按括号内的利率筹资和再投资，不会有多个。中位数和区间由 {n} 次模拟得出，效应的误差和各项假设同时抽取。效益成本比大于 1 即净收益超过投入。“不含社会资本”只计财政和村集体的投入。“收不回”指 {years} 年内。",
        "by_year": "启动后各年的合计增收",
        "year": "启动后第几年",
        "hosts": "承办村数",
        "gain": "合计增收",
        "year_note": "把各期效应按各村当年的实际收入折成金额后相加；第 1 年为启动当年，多半不满一年。各年的承办村数不同，不宜直接相比。",
        "tornado": "左右净现值的因素（折现率 {rate}）",
        "tornado_note": "横杠：该项由低（第 10 百分位）变到高（第 90 百分位）时的净现值，其余各项取中位数；杠端为该项的取值。灰线为各项都取中位数时的净现值，虚线为零。不足最大项百分之一的没有画。",
        "axis": "净现值（{unit}）",
        "low": "该项取低值",
        "high": "该项取高值",
        "times": "{x} 倍",
        "with_unit": "{name}（{unit}）",
        "assumed": "成本效益所依据的假设",
        "what": "假设",
        "values": "低 / 最可能 / 高",
        "three": "{low} / {mode} / {high}",
        "two": "{low} 至 {high}",
        "source": "依据",
        "quality": "充分程度",
        "own": "项目文件",
        "assumed_note": "低、最可能、高三值构成三角分布；只有两值的，取其范围。各项互相独立地抽取。除折现率外，都可在项目文件的 [appraisal] 中改为本项目的数。",
        "in_share": "{x}%",
        "in_years": "{x} 年",
        "in_months": "{x} 个月",
        "in_number": "{x}",
        "limits": "没有计入：村民的工资和分红、经营户的利润、对邻村的影响、生态和文化价值。经营性收入是毛收入，净收益比例是假设而不是决算。金额按当年价，未扣物价。",
        "refused_income": "成本与效益没有计算：{what}（{where}）。{mend}。",
        "refused_money": "成本与效益没有计算：{what}（{where}）。{mend}。",
        "refused_cost": "{what}（{where}）。{mend}。",
        "refused_jobs": "就业没有估计：{what}（{where}）。{mend}。",
    },
    "en": {
        "heading": "Cost and benefit",
        "all_hosts": "{n}",
        "some_hosts": "{n} (of {of} hosts, those that can be estimated)",
        "clear": "Since the start, {hosts} in all: about {extra} more income a year. The {level}% interval, {interval}, leaves out zero. Outlays come to {total}, of which {public} is public money.",
        "lost": "Since the start, {hosts} in all: {extra} of income a year. The {level}% interval, {interval}, leaves out zero: income was lost. Outlays come to {total}, of which {public} is public money.",
        "unclear": "The point estimate for {hosts} in all is {extra} of income a year since the start, but the {level}% interval, {interval}, holds zero: the data can't tell a gain from a loss. Outlays come to {total}, of which {public} is public money.",
        "mixed": "The point estimate for {hosts} in all is {extra} of income a year since the start. The {level}% interval, {interval}, leaves out zero, but the headline does not reach that level: the two disagree, and nothing should be concluded. Outlays come to {total}, of which {public} is public money.",
        "below": "On the assumptions below, the present value lies under zero at all three rates, interval and all: within {years} years the collectives' net surplus does not pay the outlays back.",
        "above": "On the assumptions below, the present value lies above zero at all three rates, interval and all: within {years} years the collectives' net surplus exceeds the outlays.",
        "open": "On the assumptions below, the interval of the present value holds zero: the data can't say whether within {years} years the collectives' net surplus pays the outlays back.",
        "no_praise": "The gain itself can't be told from zero. All that follows is worked out from its estimate and interval, and should be cited neither as a success nor as a failure.",
        "short": "In simulations with a known truth the headline's method missed its level; the intervals worked out from it here are too short as well.",
        "outside": "What private capital earns goes to its investors and is no part of the collectives' income, so benefit-cost ratios that count that capital are too low. Counting public and collective money alone, the ratio at {rate} is {ratio} ({level}% interval {interval}).",
        "total": "Outlays",
        "public": "of which public",
        "per_wan": "Outlays per extra 10,000 yuan of income a year",
        "public_per_wan": "Public outlays per extra 10,000 yuan a year",
        "price": "{price} ({level}% interval: {bounds})",
        "at_least": "at least {low}, without upper bound",
        "no_gain": "the gain is negative: not computed",
        "unknown_cost": "can't be determined",
        "payback": "Simple payback",
        "years": "{median} years ({level}% interval {low} to {high}; not within {horizon} years in {share} of draws)",
        "years_of": "{n} years",
        "beyond": "over {n} years",
        "never": "not within {horizon} years (in {share} of draws)",
        "irr": "Internal rate of return",
        "mirr": "Modified rate of return ({rate})",
        "one_irr": "{median} ({level}% interval {interval})",
        "mostly_one_irr": "{median} ({level}% interval {interval}); {none} of draws have no such rate, {many} have several",
        "no_irr": "most draws have no single internal rate ({none} have none, {many} several): look at the present value",
        "caption": "Net present value and benefit-cost ratio at three discount rates, with {level}% intervals",
        "rate": "Rate",
        "npv": "Present value",
        "interval": "{level}% interval",
        "positive": "Chance above 0",
        "bcr": "Ratio",
        "bcr_inside": "Without private",
        "paid": "Paid back",
        "paid_never": "never",
        "pair": "{median} ({interval})",
        "note": "On net surplus: extra income times the surplus share, less any further running cost, plus a residual value at the end. Year 0 is the start and is not discounted. The modified rate finances and reinvests at the rate in brackets, and is always a single one. Medians and intervals are of {n} draws of the effect's error and of every assumption at once. Above 1, a benefit-cost ratio says that the surplus exceeds the outlays. Without private: to public and collective outlays only. Paid back: after how many years, discounted; never means not within {years}.",
        "by_year": "Gain of all hosts together by year since the start",
        "year": "Year since the start",
        "hosts": "Hosts",
        "gain": "Gain",
        "year_note": "Effects by period, turned into money by each host's observed income and added up. Year 1 is that of the start, mostly not a whole one. Hosts differ between years, so years should not be compared.",
        "tornado": "What moves the present value (at {rate})",
        "tornado_note": "Bars: the present value as an input goes from low (10th percentile) to high (90th), all others at their medians; at its ends stand the input's values. The grey line is the value with all inputs at their medians, the dashed line is zero. What moves it by less than a hundredth of the widest is left out.",
        "axis": "net present value ({unit})",
        "low": "input low",
        "high": "input high",
        "times": "{x}×",
        "with_unit": "{name} ({unit})",
        "assumed": "What cost and benefit take for granted",
        "what": "Assumption",
        "values": "Low / most likely / high",
        "three": "{low} / {mode} / {high}",
        "two": "{low} to {high}",
        "source": "Where it comes from",
        "quality": "How well founded",
        "own": "the initiative's file",
        "assumed_note": "Low, most likely and high make a triangular distribution; where there are two, they are a range. All are drawn independently. Any but the discount rates may be replaced by the initiative's own, under [appraisal] in its file.",
        "in_share": "{x}%",
        "in_years": "{x} years",
        "in_months": "{x} months",
        "in_number": "{x}",
        "limits": "Not counted: villagers' wages and dividends, traders' profits, effects on neighbours, landscape and culture. Operating income is gross, and the surplus share an assumption, not an account. Money is in current prices.",
        "refused_income": "Cost and benefit were not worked out: {what} ({where}). To mend it: {mend}.",
        "refused_money": "Cost and benefit were not worked out: {what} ({where}). To mend it: {mend}.",
        "refused_cost": "{what} ({where}). To mend it: {mend}.",
        "refused_jobs": "Jobs were not estimated: {what} ({where}). To mend it: {mend}.",
    },
}


def build(run: Run) -> list[Block]:
    """State cost, gain and whether it pays; nothing where the run holds none of it."""
    worth = worth_of(run)
    if worth is None:
        return []
    blocks: list[Block] = [Heading(Message("cost_benefit.heading"))]
    found = worth["appraisal"]
    if found is None or worth["income"] is None:
        reasons = refused(worth, ("income", "cost", "money"))
        return [*blocks, *reasons] if reasons else []
    blocks += [
        Paragraph(_lead(run, worth, found), "lead"),
        Paragraph(_verdict(worth, found)),
        *_cautions(worth),
        Facts(_facts(worth, found)),
        _at_rates(worth, found),
        tornado_of(found),
        _by_year(worth, found),
        assumed_of(worth),
        Paragraph(Message("cost_benefit.limits"), "note"),
    ]
    return blocks


def _shown(worth: Plain, found: Plain) -> str:
    """Say what the gain shows: clear or lost only where headline and interval agree."""
    extra, shows = found["extra_yuan"], worth["income"]["shows"]
    if extra["lower"] <= 0 <= extra["upper"]:
        return "unclear"
    if shows not in ("up", "down"):
        return "mixed"
    return "clear" if extra["lower"] > 0 else "lost"


def _lead(run: Run, worth: Plain, found: Plain) -> Message:
    key, extra = _shown(worth, found), found["extra_yuan"]
    said: dict[str, Content] = {
        "hosts": hosts_of(run, worth["income"]),
        "extra": Quantity(extra["median"], "money", is_signed=key != "clear"),
        "level": level_of(worth),
        "interval": Interval(extra["lower"], extra["upper"], "money", is_signed=True),
        "total": Quantity(found["total_yuan"], "money"),
        "public": Quantity(found["public_yuan"], "money"),
    }
    return Message(f"cost_benefit.{key}", said)


def _horizon(worth: Plain) -> Quantity:
    years = next(one["values"][1] for one in worth["assumed"] if one["key"] == "life_years")
    return Quantity(years, "count")


def _verdict(worth: Plain, found: Plain) -> Message:
    ends = [one["npv_yuan"] for one in found["at_rates"]]
    if all(one["upper"] < 0 for one in ends):
        key = "below"
    elif all(one["lower"] > 0 for one in ends):
        key = "above"
    else:
        key = "open"
    return Message(f"cost_benefit.{key}", {"years": _horizon(worth)})


def _cautions(worth: Plain) -> list[Block]:
    blocks: list[Block] = []
    if _shown(worth, worth["appraisal"]) in ("unclear", "mixed"):
        blocks.append(Paragraph(Message("cost_benefit.no_praise"), "warn"))
    if worth["income"]["is_reliable"] is False:
        blocks.append(Paragraph(Message("cost_benefit.short"), "warn"))
    if worth["cost_yuan"].get("social"):
        blocks += _without_outside(worth)
    return blocks


def _without_outside(worth: Plain) -> list[Block]:
    """Give the ratio that leaves private capital and what it earns out of both sides."""
    found = worth["appraisal"]
    at = next(one for one in found["at_rates"] if one["rate"] == found["tornado_rate"])
    ratio = at["bcr_inside"]
    if ratio is None or ratio["median"] is None:
        return []
    said: dict[str, Content] = {
        "rate": Quantity(at["rate"], "share"),
        "ratio": Quantity(ratio["median"], "ratio"),
        "level": level_of(worth),
        "interval": Interval(ratio["lower"], ratio["upper"], "ratio"),
    }
    return [Paragraph(Message("cost_benefit.outside", said))]


def _facts(worth: Plain, found: Plain) -> tuple[tuple[Content, Content], ...]:
    rows: list[tuple[Content, Content]] = [
        (Message("cost_benefit.total"), Quantity(found["total_yuan"], "money")),
        (Message("cost_benefit.public"), Quantity(found["public_yuan"], "money")),
        (Message("cost_benefit.per_wan"), _price(worth, found["cost_per_wan"])),
    ]
    if found["public_cost_per_wan"] is not None:
        public = _price(worth, found["public_cost_per_wan"])
        rows.append((Message("cost_benefit.public_per_wan"), public))
    rows.append((Message("cost_benefit.payback"), _payback(worth, found)))
    rows.append((Message("cost_benefit.irr"), _irr(worth, found)))
    if found["modified_rate"]["lower"] is not None:
        rate = {"rate": Quantity(found["tornado_rate"], "share")}
        rows.append((Message("cost_benefit.mirr", rate), _rate(worth, found["modified_rate"])))
    return tuple(rows)


def _price(worth: Plain, found: Plain | None) -> Content:
    if found is None or found["estimate"] is None or found["estimate"] <= 0:
        return bounds(found)
    said: dict[str, Content] = {
        "price": price(found),
        "level": level_of(worth),
        "bounds": bounds(found),
    }
    return Message("cost_benefit.price", said)


def _years(value: float | None, worth: Plain) -> Content:
    if value is None:
        return Message("cost_benefit.beyond", {"n": _horizon(worth)})
    return Message("cost_benefit.years_of", {"n": Quantity(round(value, 1), "number")})


def _payback(worth: Plain, found: Plain) -> Content:
    paid = found["payback_years"]
    said: dict[str, Content] = {
        "horizon": _horizon(worth),
        "share": Quantity(found["share_never"], "share"),
    }
    if paid["median"] is None:
        return Message("cost_benefit.never", said)
    said |= {
        "median": Quantity(round(paid["median"], 1), "number"),
        "level": level_of(worth),
        "low": _years(paid["lower"], worth),
        "high": _years(paid["upper"], worth),
    }
    return Message("cost_benefit.years", said)


def _irr(worth: Plain, found: Plain) -> Content:
    apart: dict[str, Content] = {
        "none": Quantity(found["share_no_irr"], "share"),
        "many": Quantity(found["share_many_irr"], "share"),
    }
    one = found["irr_of_draws"]
    if found["share_one_irr"] <= 0.5 or one["median"] is None:
        return Message("cost_benefit.no_irr", apart)
    said = _rate(worth, one)
    if found["share_one_irr"] == 1:
        return said
    return Message("cost_benefit.mostly_one_irr", {**said.params, **apart})


def _rate(worth: Plain, one: Plain) -> Message:
    said: dict[str, Content] = {
        "median": Quantity(one["median"], "share"),
        "level": level_of(worth),
        "interval": Interval(one["lower"], one["upper"], "share"),
    }
    return Message("cost_benefit.one_irr", said)


def _at_rates(worth: Plain, found: Plain) -> Table:
    names = [
        "npv",
        "positive",
        "bcr",
        *(["bcr_inside"] if worth["cost_yuan"].get("social") else []),
    ]
    kinds: dict[str, Kind] = {"npv": "money", "positive": "share"}
    rows = []
    for one in found["at_rates"]:
        cells: dict[str, Content] = {
            "npv": paired(one["npv_yuan"], "money"),
            "positive": Quantity(one["share_positive"], "share"),
            "bcr": paired(one["bcr"], "ratio"),
            "bcr_inside": paired(one["bcr_inside"], "ratio"),
        }
        paid = one["payback_years"]["median"]
        rows.append(
            (
                Quantity(one["rate"], "share"),
                *(cells[name] for name in names),
                Message("cost_benefit.paid_never") if paid is None else _years(paid, worth),
            )
        )
    return Table(
        Message("cost_benefit.caption", {"level": level_of(worth)}),
        (
            Column(Message("cost_benefit.rate"), "share"),
            *(Column(Message(f"cost_benefit.{name}"), kinds.get(name, "ratio")) for name in names),
            Column(Message("cost_benefit.paid")),
        ),
        tuple(rows),
        Message(
            "cost_benefit.note",
            {"n": Quantity(worth["n_draws"], "count"), "years": _horizon(worth)},
        ),
    )


def _by_year(worth: Plain, found: Plain) -> Table:
    return Table(
        Message("cost_benefit.by_year"),
        (
            Column(Message("cost_benefit.year"), "count"),
            Column(Message("cost_benefit.hosts"), "count"),
            Column(Message("cost_benefit.gain"), "money"),
            Column(Message("cost_benefit.interval", {"level": level_of(worth)}), "money"),
        ),
        tuple(
            (
                Quantity(one["year"], "count"),
                Quantity(one["n_hosts"], "count"),
                Quantity(one["gain_yuan"]["median"], "money", is_signed=True),
                Interval(
                    one["gain_yuan"]["lower"], one["gain_yuan"]["upper"], "money", is_signed=True
                ),
            )
            for one in found["by_year"]
        ),
        Message("cost_benefit.year_note"),
    )
