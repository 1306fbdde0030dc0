"""An initiative's jobs and money as the rows that a notebook shows."""

from __future__ import annotations

from collections.abc import Iterator

from cps.indicators.benefit.ratios import RatioSet
from cps.indicators.benefit.record import Appraisal, JobsFound, Summary
from cps.synthesis._money_record import Worth

Row = tuple[str, float | None, float | None, float | None, str, str]
HEADS = ("项目 what", "估计 estimate", "下限 low", "上限 high", "单位 unit", "说明 note")
_YUAN, _YEARS, _PERSONS = "元 yuan", "年 years", "人 persons"


def rows_of(worth: Worth) -> dict[str, tuple[float | str | None, ...]]:
    """Give the columns of the table: every number with its interval, every refusal in words."""
    rows: list[Row] = []
    if worth.total_yuan is not None and worth.public_yuan is not None:
        rows.append(("投入 outlays", worth.total_yuan, None, None, _YUAN, ""))
        rows.append(("其中财政资金 public money", worth.public_yuan, None, None, _YUAN, ""))
    if worth.appraisal is not None:
        rows += _money(worth.appraisal)
    if worth.jobs is not None:
        rows += _jobs(worth.jobs, worth.fte)
    rows += [
        (f"未计算 not computed: {one.part}", None, None, None, "",
         f"{one.what.zh}（{one.where}）{one.mend.zh} {one.what.en} ({one.where}): {one.mend.en}")
        for one in worth.refusals
    ]  # fmt: skip
    return (
        dict(zip(HEADS, zip(*rows, strict=True), strict=True)) if rows else dict.fromkeys(HEADS, ())
    )


def _money(found: Appraisal) -> Iterator[Row]:
    yield _summed("合计年增收 extra income a year", found.extra_yuan, _YUAN)
    yield _priced("每万元年增收的投入 outlays per extra 万元 a year", found.cost_per_wan)
    if found.public_cost_per_wan is not None:
        yield _priced("其中财政资金 public money", found.public_cost_per_wan)
    for one in found.at_rates:
        rate = f"{100 * one.rate:g}%"
        chance = f"大于零的可能 chance above zero {one.share_positive:.3f}"
        yield _summed(f"净现值 NPV {rate}", one.npv_yuan, _YUAN, chance)
        yield _summed(f"效益成本比 BCR {rate}", one.bcr, "")
        if one.bcr_inside is not None and one.bcr_inside != one.bcr:
            yield _summed(
                f"效益成本比，不含社会资本 BCR without private {rate}", one.bcr_inside, ""
            )
    never = f"收不回的模拟占 never paid back in {found.share_never:.3f}"
    yield _summed("静态回收期 simple payback", found.payback_years, _YEARS, never)
    rates = (
        f"不存在 none {found.share_no_irr:.3f}，多个 several {found.share_many_irr:.3f}；"
        f"{found.irr.words.zh} {found.irr.words.en}"
    )
    yield _summed("内部收益率 IRR", found.irr_of_draws, "", rates)


def _jobs(found: JobsFound, fte: tuple[float, float]) -> Iterator[Row]:
    yield "净增就业 net jobs", found.persons, found.lower, found.upper, _PERSONS, ""
    note = f"每人折合 a head is {fte[0]:.2f}–{fte[1]:.2f}"
    yield "全时当量 full-time equivalents", None, found.fte_low, found.fte_high, "FTE", note
    if found.cost_per_job is not None:
        yield _priced("每个岗位的投入 outlays per job", found.cost_per_job)
    if found.public_cost_per_job is not None:
        yield _priced("每个岗位的财政投入 public outlays per job", found.public_cost_per_job)


def _summed(name: str, one: Summary, unit: str, note: str = "") -> Row:
    return name, one.median, one.lower, one.upper, unit, note


def _priced(name: str, one: RatioSet | None) -> Row:
    if one is None:
        return name, None, None, None, _YUAN, ""
    is_bounded = one.kind in ("interval", "point")
    low, high = (one.lower, one.upper) if is_bounded else (None, None)
    return name, one.estimate, low, high, _YUAN, f"{one.words.zh} {one.words.en}"
