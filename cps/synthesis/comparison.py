"""All initiatives side by side, in the order declared: never ranked, failures kept in sight."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from cps.design.record import Initiative
from cps.errors import Text, UsageError, unknown_choice
from cps.result import Effect, Estimate
from cps.synthesis.claim_measures import effect_in_yuan

COLUMNS: tuple[str, ...] = (
    "initiative",
    "name_zh",
    "name_en",
    "provenance",
    "format",
    "n_treated",
    "n_comparison",
    "att_log",
    "ci_low_log",
    "ci_high_log",
    "att_yuan",
    "ci_low_yuan",
    "ci_high_yuan",
    "att",
    "ci_low",
    "ci_high",
    "measure",
    "p_value",
    "p_value_floor",
    "is_reliable",
    "level",
    "method",
    "covers_zero",
    "grade",
    "grade_zh",
    "grade_en",
    "reading",
    "status",
    "message_zh",
    "message_en",
    "page",
)
NO_RUN = Text("没有保存的运行结果", "there is no saved run")
NO_EFFECT = Text("运行没有给出效应", "the run holds no effect")


class HasEffects(Protocol):
    """What the comparison reads of a ``Run``; ``extra["grade"]`` is its grade of evidence, if any."""

    @property
    def name(self) -> str:
        """Initiative id."""

    @property
    def effects(self) -> tuple[Effect, ...]:
        """Effects, the headline first."""

    @property
    def extra(self) -> Mapping[str, Any]:
        """What the notebook handed over besides, in plain values."""


def compare_initiatives(
    runs: Sequence[HasEffects],
    initiatives: Sequence[Initiative],
    failures: Mapping[str, Text],
) -> dict[str, Any]:
    """Put the headline effects of all initiatives into one columnar table.

    Parameters
    ----------
    runs : sequence of Run
        Finished runs, in any order.
    initiatives : sequence of Initiative
        Every one gets a row, in this order.
    failures : mapping of str to Text
        Initiative id -> why its run failed. A failed initiative shows no number, even if an older
        run of it is among ``runs``.

    Returns
    -------
    dict
        ``{"comparison": {column: list}}`` with ``COLUMNS``; JSON-able.

    Raises
    ------
    UsageError
        If a run or failure belongs to no initiative, or two runs to one.
    """
    ids = [one.id for one in initiatives]
    by_name: dict[str, HasEffects] = {}
    for name in (*(run.name for run in runs), *failures):
        if name not in ids:
            raise unknown_choice(
                Text("共富项目", "initiative"), name, ids, where="compare_initiatives"
            )
    for run in runs:
        if run.name in by_name:
            raise UsageError(
                Text(f"“{run.name}”有两次运行", f"{run.name!r} has two runs"),
                where="compare_initiatives(runs=…)",
                mend=Text("每个项目只给一次运行", "give one run for each initiative"),
            )
        by_name[run.name] = run
    rows = [_row(one, by_name.get(one.id), failures.get(one.id)) for one in initiatives]
    return {"comparison": {column: [row[column] for row in rows] for column in COLUMNS}}


def _row(
    initiative: Initiative, run: HasEffects | None, failure: Text | None
) -> dict[str, float | int | str | bool | None]:
    status = "failed"
    if failure is None and run is None:
        failure, status = NO_RUN, "not_run"
    elif failure is None and run is not None and not run.effects:
        failure = NO_EFFECT
    row: dict[str, float | int | str | bool | None] = dict.fromkeys(COLUMNS)
    row |= {
        "initiative": initiative.id,
        "name_zh": initiative.name.zh,
        "name_en": initiative.name.en,
        "provenance": initiative.provenance,
        "format": initiative.format,
        "status": status if failure else "ok",
        "message_zh": failure.zh if failure else "",
        "message_en": failure.en if failure else "",
        "page": f"{initiative.id}.html",
    }
    if failure is None and run is not None:
        row |= _numbers(run.effects[0]) | _grade(run.extra.get("grade"))
    return row


def _numbers(effect: Effect) -> dict[str, float | int | str | bool | None]:
    in_logs = effect.overall if effect.measure == "log_points" else None
    return {
        "n_treated": effect.n_treated,
        "n_comparison": effect.n_comparison,
        **_estimate(in_logs, "log"),
        **_estimate(effect_in_yuan(effect), "yuan"),
        "att": effect.overall.att,
        "ci_low": effect.overall.ci_low,
        "ci_high": effect.overall.ci_high,
        "measure": effect.measure,
        "p_value": effect.overall.p_value,
        "p_value_floor": effect.p_value_floor,
        "is_reliable": effect.is_reliable,
        "level": effect.level,
        "method": effect.method,
        "covers_zero": _covers_zero(effect.overall),
    }


def _grade(grade: Mapping[str, Any] | None) -> dict[str, float | int | str | bool | None]:
    if not grade:
        return {}
    return {
        "grade": grade["letter"],
        "grade_zh": grade["name"]["zh"],
        "grade_en": grade["name"]["en"],
        "reading": grade["reading"],
    }


def _estimate(estimate: Estimate | None, scale: str) -> dict[str, float | None]:
    return {
        f"att_{scale}": estimate.att if estimate else None,
        f"ci_low_{scale}": estimate.ci_low if estimate else None,
        f"ci_high_{scale}": estimate.ci_high if estimate else None,
    }


def _covers_zero(estimate: Estimate) -> bool | None:
    if estimate.ci_low is None or estimate.ci_high is None:
        return None
    return estimate.ci_low <= 0 <= estimate.ci_high
