"""Set our numbers beside published ones, on real data that nobody here made.

Usage: python benchmarks/published_results.py FOLDER [--pages OUT]

FOLDER holds ``mpdta/``, ``ehec_medicaid/``, ``prop99/`` and ``swiss_naturalization/``, each with
``data.parquet``, and ``mpdta/r_did_reference.csv``, the output of R ``did`` to 12 digits. With
``--pages``, each panel is also taken through checks, run and pages.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl

import cps
from cps.design.record import Design
from cps.result import Effect

Rows = list[tuple[str, float, float]]  # what, published, ours


def mpdta(folder: Path) -> tuple[Design, Rows]:
    """County teen employment and minimum wages: Callaway & Sant'Anna (2021), R ``did``."""
    frame = pl.read_parquet(folder / "mpdta" / "data.parquet")
    design = cps.design_from_frame(
        frame,
        unit="countyreal",
        period="year",
        outcome="lemp",
        cohort="first.treat",
        name="mpdta",
        measure="log_points",
        unit_kind="county",
    )
    reference = pl.read_csv(
        folder / "mpdta" / "r_did_reference.csv", infer_schema=False
    ).with_columns(pl.all().str.strip_chars())
    rows: Rows = []
    for base in ("varying", "universal"):
        effect = cps.estimate(design, "group_time_att", options={"base": base})
        ours = _group_time_numbers(effect)
        published = reference.filter(cg="nevertreated", cov="none", em="reg", bp=base, ant="0")
        for one in published.filter(pl.col("type") != "wald").to_dicts():
            key = (one["type"], one["g"], one["t"])
            if key not in ours:
                continue
            att, se = ours[key]
            rows.append((f"mpdta {base} {' '.join(key)}", float(one["est"]), att))
            if one["se"] != "NA" and se is not None:
                rows.append((f"mpdta {base} {' '.join(key)} se", float(one["se"]), se))
    return design, rows


def mpdta_not_yet(folder: Path) -> tuple[Design, Rows]:
    """The same counties with not-yet-treated ones as comparison too: no published table."""
    design, _ = mpdta(folder)
    effect = cps.estimate(design, "group_time_att", options={"control": "not_yet"})
    return design, [
        (f"mpdta not-yet {name}", float("nan"), one.att or 0.0)
        for name, one in effect.aggregations.items()
    ]


def ehec(folder: Path) -> tuple[Design, Rows]:
    """Medicaid expansion, not-yet-treated controls: Mixtape Sessions' published table."""
    frame = pl.read_parquet(folder / "ehec_medicaid" / "data.parquet")
    design = cps.design_from_frame(
        frame, unit="stfips", period="year", outcome="dins", cohort="yexp2", name="ehec_medicaid"
    )
    effect = cps.estimate(design, "group_time_att", options={"control": "not_yet"})
    simple = effect.aggregations["simple"]
    by_cell = {(one.cohort, one.period): one.estimate for one in effect.group_time}
    return design, [
        ("ehec not-yet simple", 0.068, simple.att or 0.0),
        ("ehec not-yet simple se", 0.0077, simple.se or 0.0),
        ("ehec not-yet ATT(2014,2014)", 0.04670243, by_cell[2014, 2014].att or 0.0),
        ("ehec not-yet ATT(2019,2019)", 0.0365, by_cell[2019, 2019].att or 0.0),
        ("ehec not-yet ATT(2019,2019) se", 0.0051, by_cell[2019, 2019].se or 0.0),
    ]


def prop99(folder: Path) -> tuple[Design, Rows]:
    """California's tobacco law: Arkhangelsky et al. (2021), R ``synthdid``."""
    frame = pl.read_parquet(folder / "prop99" / "data.parquet").with_columns(
        cohort=pl.when(pl.col("treated").max().over("state") > 0).then(1989)
    )
    design = cps.design_from_frame(
        frame,
        unit="state",
        period="year",
        outcome="cigsale",
        cohort="cohort",
        name="prop99",
        unit_kind="state",
    )
    effects = {
        name: cps.estimate(design, "synthetic_did", options={"weights": name})
        for name in ("sdid", "sc", "did")
    }
    published = {"sdid": -15.603829, "sc": -19.619665, "did": -27.349111}
    placebo = {"sdid": 9.370999, "sc": 10.615297, "did": 17.2868}
    rows: Rows = [
        (f"prop99 {name} att", value, effects[name].overall.att or 0.0)
        for name, value in published.items()
    ]
    rows += [
        (f"prop99 {name} placebo sd", value, float(np.std(effects[name].placebos)))
        for name, value in placebo.items()
    ]
    weights = {one.unit or one.period: one.weight for one in effects["sdid"].weights}
    for year, value in {1986: 0.366, 1987: 0.206, 1988: 0.427}.items():
        rows.append((f"prop99 lambda {year}", value, weights.get(year, 0.0)))
    omega = {"Nevada": 0.124, "New Hampshire": 0.105, "Connecticut": 0.078, "Delaware": 0.070}
    for state, value in {**omega, "Colorado": 0.058}.items():
        rows.append((f"prop99 omega {state}", value, weights.get(state, 0.0)))
    return design, rows


def swiss(folder: Path) -> tuple[Design, Rows]:
    """Naturalisation under councils: Hainmueller & Hangartner (2019), as the fect vignette has it."""
    frame = pl.read_parquet(folder / "swiss_naturalization" / "data.parquet")
    first = pl.col("year").filter(pl.col("indirect") == 1).min().over("bfs")
    frame = frame.with_columns(cohort=first)
    design = cps.design_from_frame(
        frame,
        unit="bfs",
        period="year",
        outcome="nat_rate_ord",
        cohort="cohort",
        name="swiss_naturalization",
        measure="percentage_points",
        unit_kind="municipality",
    )
    coefficient, se = two_way_fixed_effects(frame)
    effect = cps.estimate(design, "group_time_att")
    rows: Rows = [
        ("swiss TWFE, all 1,209", 1.339, coefficient),
        ("swiss TWFE se, clustered", 0.187, se),
    ]
    rows += [
        (f"swiss group-time {name} (no published value)", float("nan"), one.att or 0.0)
        for name, one in effect.aggregations.items()
    ]
    return design, rows


def two_way_fixed_effects(frame: pl.DataFrame) -> tuple[float, float]:
    """Regress on unit and year effects with statsmodels, clustered by unit: the peer's number."""
    import statsmodels.api as sm

    def within(name: str) -> pl.Expr:
        value = pl.col(name).cast(pl.Float64)
        return value - value.mean().over("bfs") - value.mean().over("year") + value.mean()

    frame = frame.sort("bfs", "year").with_columns(y=within("nat_rate_ord"), d=within("indirect"))
    codes = frame["bfs"].rank("dense").to_numpy()
    fitted = sm.OLS(frame["y"].to_numpy(), frame["d"].to_numpy()).fit(
        cov_type="cluster", cov_kwds={"groups": codes, "use_correction": True}
    )
    return float(fitted.params[0]), float(fitted.bse[0])


def _group_time_numbers(effect: Effect) -> dict[tuple[str, str, str], tuple[float, float | None]]:
    numbers: dict[tuple[str, str, str], tuple[float, float | None]] = {}
    for name, one in effect.aggregations.items():
        numbers[f"{name}_overall", "NA", "NA"] = (one.att or 0.0, one.se)
    for cell in effect.group_time:
        place = ("attgt", str(cell.cohort), str(cell.period))
        numbers[place] = (cell.estimate.att or 0.0, cell.estimate.se)
    for event in effect.by_event_time:
        numbers["dynamic", "NA", str(event.event_time)] = (
            event.estimate.att or 0.0,
            event.estimate.se,
        )
    for name, by in (("group", effect.by_cohort), ("calendar", effect.by_calendar)):
        for period in by:
            numbers[name, "NA", str(period.period)] = (
                period.estimate.att or 0.0,
                period.estimate.se,
            )
    return numbers


def take_through(design: Design, out: Path) -> None:
    """Take a design through estimates, checks, run and pages."""
    started = time.monotonic()
    effects = cps.estimate_all(design)
    checks = cps.check_robustness(design, effects[0])
    run = cps.make_run(design, None, effects=effects, checks=checks, parameters={"seed": 0})
    cps.save_run(run, out / "runs" / design.name, design=design)
    pages = cps.write_report(run, out)
    print(f"{design.name}: {time.monotonic() - started:.1f} s, {', '.join(map(str, pages))}")


def main() -> None:
    """Print the table; write pages if asked to."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--pages", type=Path)
    parser.add_argument("--full", action="store_true", help="every number, not the worst of many")
    given = parser.parse_args()
    studies: tuple[Callable[[Path], tuple[Design, Rows]], ...] = (
        mpdta,
        mpdta_not_yet,
        ehec,
        prop99,
        swiss,
    )
    for study in studies:
        design, rows = study(given.folder)
        print(f"\n{study.__name__}: {study.__doc__}")
        worst = np.nanmax([0.0, *(abs(ours - published) for _, published, ours in rows)])
        print(f"{len(rows)} numbers, largest difference {worst:.2e}")
        for what, published, ours in rows if given.full or len(rows) < 40 else rows[-12:]:
            print(f"  {what:48} {published:14.8f} {ours:14.8f} {ours - published:10.1e}")
        if given.pages and study is not mpdta_not_yet:
            take_through(design, given.pages)


if __name__ == "__main__":
    main()
