"""Jobs and money of all initiatives side by side, in the order declared: never ranked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cps.design.record import Initiative
from cps.errors import Text
from cps.indicators.benefit.record import PUBLIC_SOURCES

COLUMNS: tuple[str, ...] = (
    "initiative",
    "name_zh",
    "name_en",
    "page",
    "n_counted",
    "n_hosts",
    "total_yuan",
    "public_yuan",
    "shows",
    "extra_yuan",
    "extra_low_yuan",
    "extra_high_yuan",
    "cost_per_wan",
    "jobs",
    "jobs_low",
    "jobs_high",
    "cost_per_job",
    "bcr",
    "bcr_low",
    "bcr_high",
    "bcr_inside",
    "bcr_inside_low",
    "bcr_inside_high",
)


def money_table(
    initiatives: Sequence[Initiative], runs: Sequence[Any], failures: Mapping[str, Text]
) -> dict[str, Any]:
    """Gather what the runs hold of jobs and money; plain values.

    Parameters
    ----------
    initiatives : sequence of Initiative
        Every one gets a row, in this order; one that failed, or was not appraised, shows no number.
    runs : sequence of Run
        Read back, with ``extra["worth"]`` in plain values.

    Returns
    -------
    dict
        ``rows`` ({column: list}), ``rate`` and ``level``, and the outlays of all hosts declared
        (``declared_yuan``, ``declared_public_yuan``; None where one is not given). Empty if no run
        was appraised.
    """
    found = {
        run.name: worth
        for run in runs
        if run.name not in failures and (worth := getattr(run, "extra", {}).get("worth"))
    }
    if not found:
        return {}
    with_page = {*failures, *(run.name for run in runs)}
    rows = [_row(one, found.get(one.id), has_page=one.id in with_page) for one in initiatives]
    appraised = [worth["appraisal"] for worth in found.values() if worth["appraisal"]]
    costs = [host.cost_yuan for one in initiatives for host in one.treated]
    is_whole = all(sum(cost.values()) > 0 for cost in costs)
    public = [n for cost in costs for source, n in cost.items() if source in PUBLIC_SOURCES]
    return {
        "rows": {column: [row[column] for row in rows] for column in COLUMNS},
        "rate": appraised[0]["tornado_rate"] if appraised else None,
        "level": next(iter(found.values()))["level"],
        "declared_yuan": sum(n for cost in costs for n in cost.values()) if is_whole else None,
        "declared_public_yuan": sum(public) if is_whole else None,
    }


def _row(
    initiative: Initiative, worth: Mapping[str, Any] | None, *, has_page: bool
) -> dict[str, Any]:
    row: dict[str, Any] = dict.fromkeys(COLUMNS)
    row |= {
        "initiative": initiative.id,
        "name_zh": initiative.name.zh,
        "name_en": initiative.name.en,
        "page": f"{initiative.id}.html" if has_page else None,
        "n_hosts": len(initiative.treated),
    }
    if worth is None:
        return row
    row |= {"total_yuan": worth["total_yuan"], "public_yuan": worth["public_yuan"]}
    counted = worth["income"] or worth["employment"]
    if counted:
        row["n_counted"] = len(counted["hosts"])
    if worth["jobs"]:
        jobs = worth["jobs"]
        row |= {
            "jobs": jobs["persons"],
            "jobs_low": jobs["lower"],
            "jobs_high": jobs["upper"],
            "cost_per_job": jobs["cost_per_job"],
        }
    if worth["appraisal"] and worth["income"]:
        row |= _money(worth["appraisal"], worth["income"]["shows"])
    return row


def _money(appraisal: Mapping[str, Any], shows: str) -> dict[str, Any]:
    extra = appraisal["extra_yuan"]
    rate = appraisal["tornado_rate"]
    at = next(one for one in appraisal["at_rates"] if one["rate"] == rate)
    bcr, inside = at["bcr"], at["bcr_inside"] or {}
    return {
        "shows": shows,
        "extra_yuan": extra["median"],
        "extra_low_yuan": extra["lower"],
        "extra_high_yuan": extra["upper"],
        "cost_per_wan": appraisal["cost_per_wan"],
        "bcr": bcr["median"],
        "bcr_low": bcr["lower"],
        "bcr_high": bcr["upper"],
        "bcr_inside": inside.get("median"),
        "bcr_inside_low": inside.get("lower"),
        "bcr_inside_high": inside.get("upper"),
    }
