"""A forecast as a run: saved, read back and rendered like every other."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from cps.errors import Finding
from cps.forecast.monthly import MonthlyForecast
from cps.ledger.rows import SourceFile
from cps.planning.sample import SamplePlan
from cps.runs.codec import encode
from cps.runs.record import PATH_PARAMETERS, Run, seal_run

KIND = "forecast"
_PATHS = (*PATH_PARAMETERS, "data", "units", "initiatives")
_NAME = {"zh": "年度收入预测与预警", "en": "The year's income, foreseen"}


def make_forecast_run(
    found: MonthlyForecast,
    *,
    planned: SamplePlan | None = None,
    sources: Sequence[SourceFile] = (),
    parameters: Mapping[str, str | int | float | bool | None] | None = None,
    findings: Sequence[Finding] = (),
) -> Run:
    """Gather a forecast, its back-test and a plan for the next initiative into a run.

    Parameters
    ----------
    found : MonthlyForecast
    planned : SamplePlan or None
        None where there is too little to plan on: say why in ``findings``.
    sources : sequence of SourceFile
        Of the panel that the forecast was made from.

    Returns
    -------
    Run
        ``kind`` is ``forecast``; ``extra["forecast"]`` and ``extra["next_initiative"]`` hold the
        records as plain values. Pages: ``cps.write_report``.
    """
    given = dict(parameters or {})
    said = {name: one for name, one in given.items() if name not in _PATHS}
    outlook = found.outlook
    last = outlook.year * 12 + outlook.month - 1
    record = {one.name: getattr(found, one.name) for one in dataclasses.fields(found)}
    del record["findings"]  # said once, as the run's own
    body: dict[str, Any] = {
        "kind": KIND,
        "name": KIND,
        "subject": {"name": _NAME},
        "design": {
            "outcome": "income_yuan",
            "measure": "yuan",
            "frequency": "month",
            "periods": [last],
            "period_labels": [f"{outlook.year}-{outlook.month:02d}"],
            "data_to": found.last_day,
        },
        "effects": (),
        "checks": (),
        "indicators": {},
        "findings": tuple(dict.fromkeys((*findings, *found.findings))),
        "is_synthetic": outlook.is_synthetic,
        "extra": encode({"forecast": record, "next_initiative": planned}),
    }
    return seal_run(
        body,
        {one.name: one.sha256 for one in sources},
        parameters=said,
        seed=outlook.seed,
        as_of=found.last_day,
        paths={name: str(one) for name, one in given.items() if name in _PATHS},
    )
