"""Applications to extend a plant, step by step, in one subdistrict with a one-trip service and in others.

Two clocks run: from first contact, and from acceptance. Where the service helps before acceptance,
files are accepted later and the second clock halves in both modes, whatever happens to the first. In
the true mode the whole way takes about a third less; in the spurious mode no less than elsewhere.
"""

from __future__ import annotations

import datetime

import numpy as np

from cps.demo.schemes._draw import (
    Flags,
    Floats,
    Moments,
    Whole,
    after,
    before_after,
    dates,
    days,
    events,
    known_starts,
    lift_of,
    names,
    outcome_of,
    persistent,
    place_of,
)
from cps.demo.schemes._record import Drawn, Ledger, Target

QUARTERS = 4 * 2020 + np.arange(18)  # 2020Q1 to 2024Q2
_START = 4 * 2022 + 2
_N_OFFICES = 14
_EFFECT = -0.40  # log points
_DAYS = np.array([95.0, 60.0])  # from first contact to approval, by kind
KINDS = np.array(["扩建", "改建"])
_ACCEPTED = 0.25  # share of the way that lies before acceptance
_ACCEPTED_LATER = 0.62


def draw(rng: np.random.Generator, *, is_spurious: bool) -> Drawn:
    """Draw applications of 14 offices by quarter; the first starts the service in mid-2022."""
    offices = ["示例街道", *names("示例乡镇", _N_OFFICES - 1, first=2, digits=2)]
    starts: list[int | None] = [_START, *[None] * (_N_OFFICES - 1)]
    is_in = np.arange(_N_OFFICES) == 0
    share = after(starts, QUARTERS, ramp=(0.6, 1.0))
    effect = share * _EFFECT
    noise = persistent(rng, _N_OFFICES, len(QUARTERS), persistence=0.3, spread=0.06)
    trend = -0.012 * np.arange(len(QUARTERS))
    level = rng.normal(0, 0.15, _N_OFFICES)[:, None] + trend + noise
    if is_spurious:
        level = level + lift_of(effect, is_in)
    office, quarter, kind = _applications(rng, share > 0)
    plain = np.log(_DAYS)[kind] + level[office, quarter] + rng.normal(0, 0.30, len(office))
    gain = np.zeros(len(office)) if is_spurious else effect[office, quarter]
    length, length0 = (np.maximum(np.rint(np.exp(plain + one)), 5) for one in (gain, 0 * gain))
    is_late = share[office, quarter] > 0
    part = np.clip(
        np.where(is_late, _ACCEPTED_LATER, _ACCEPTED) + rng.normal(0, 0.05, len(office)), 0.05, 0.9
    )
    unit = np.array(offices)[office].tolist()
    known = known_starts(offices, starts)
    contact = days(rng, QUARTERS[quarter], "quarter")
    own = np.maximum(np.rint(length * (1 - part)), 1)
    outcomes = tuple(
        outcome_of(
            name,
            "days",
            form="log",
            frequency="quarter",
            unit=unit,
            period=QUARTERS[quarter],
            observed=now,
            untreated=plain_days,
            keep=kind == 0,
        )
        for name, now, plain_days in (
            ("contact_to_approval_days", length, length0),
            ("acceptance_to_approval_days", own, np.maximum(np.rint(length0 * (1 - _ACCEPTED)), 1)),
        )
    )
    clock = before_after(unit, QUARTERS[quarter], own, known)
    usual = float(np.median(length[is_in[office] & ~is_late & (kind == 0)]))
    shortest = float(length[is_in[office] & is_late & (kind == 0)].min())
    targets = (
        Target("plant_expansion__case_time_saving", ">", 0.5, 1 - shortest / usual, "share"),
    )
    notes = {
        "share_of_the_way_before_acceptance": {"before": _ACCEPTED, "after": _ACCEPTED_LATER},
        "published_case_is_the_quickest_against_the_usual_of_before": True,
        "extensions_before_pct": 100 * float((kind[is_in[office] & ~is_late] == 0).mean()),
        "extensions_after_pct": 100 * float((kind[is_in[office] & is_late] == 0).mean()),
    }
    return Drawn(
        "office",
        dict(zip(offices, place_of(is_in), strict=True)),
        known,
        outcomes,
        (
            _register(offices),
            _steps(
                rng=rng,
                unit=unit,
                contact=contact,
                length=length,
                part=part,
                kind=kind,
                is_late=is_late,
            ),
        ),
        targets,
        {
            "acceptance_to_approval_share": clock,
            "contact_to_approval_share": before_after(unit, QUARTERS[quarter], length, known),
        },
        notes,
    )


def _applications(rng: np.random.Generator, is_on: Flags) -> tuple[Whole, Whole, Whole]:
    """Draw office, quarter and kind; three extensions an office and quarter at least."""
    larger = 3 + rng.poisson(2.5, is_on.shape)
    smaller = rng.poisson(np.where(is_on, 5.0, 2.0))
    parts = [events(larger), events(smaller)]
    kind = np.repeat([0, 1], [len(one[0]) for one in parts])
    office, quarter = (np.concatenate([one[i] for one in parts]) for i in (0, 1))
    order = np.lexsort((kind, quarter, office))
    return office[order], quarter[order], kind[order]


def _register(offices: list[str]) -> Ledger:
    day = datetime.date(_START // 4, 3 * (_START % 4) + 1, 1)
    return Ledger(
        "审批服务机构名册.xlsx",
        "厂房改扩建审批服务机构名册",
        {
            "受理镇街": offices,
            "所属区域": place_of([i == 0 for i in range(len(offices))]),
            "跑一次服务启用日期": [day, *[None] * (len(offices) - 1)],
        },
        dates="words",
    )


def _steps(
    *,
    rng: np.random.Generator,
    unit: list[str],
    contact: Moments,
    length: Floats,
    part: Floats,
    kind: Whole,
    is_late: Flags,
) -> Ledger:
    accepted = contact + np.rint(length * part).astype(np.int64)
    approved = contact + length.astype(np.int64)
    joint = accepted + ((approved - accepted) * 0.6).astype("timedelta64[D]")
    trips = 1 + rng.poisson(np.where(is_late, 0.5, 2.2))
    order = np.argsort(contact, kind="stable")
    return Ledger(
        "厂房改扩建审批台账.xlsx",
        "厂房改扩建审批环节台账",
        {
            "申请编号": [f"SP{number:04d}" for number in range(1, len(unit) + 1)],
            "镇街": [unit[i] for i in order],
            "申请类型": KINDS[kind[order]].tolist(),
            "首次对接日期": dates(contact[order]),
            "受理日期": dates(accepted[order]),
            "联审日期": dates(joint[order]),
            "批准日期": dates(approved[order]),
            "企业跑动次数": trips[order].tolist(),
        },
        dates="slash",
    )
