"""Our numbers against published ones, on data that nobody here made."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from cps.design.frame import design_from_frame
from cps.design.record import Design
from cps.estimators.battery import estimate_all
from cps.estimators.registry import estimate
from cps.report.render import write_report
from cps.result import Effect, Estimate
from cps.robustness.registry import check_robustness
from cps.runs import load_run, make_run, save_run


def mpdta(folder: Path, anticipation: int = 0) -> Design:
    return design_from_frame(
        pl.read_parquet(folder / "mpdta" / "data.parquet"),
        unit="countyreal",
        period="year",
        outcome="lemp",
        cohort="first.treat",
        name="mpdta",
        measure="log_points",
        anticipation=anticipation,
        unit_kind="county",
    )


def numbers(effect: Effect) -> dict[tuple[str, str, str], Estimate]:
    """Key every number as the reference table does."""
    found = {(f"{name}_overall", "NA", "NA"): one for name, one in effect.aggregations.items()}
    found |= {
        ("attgt", str(one.cohort), str(one.period)): one.estimate for one in effect.group_time
    }
    found |= {("dynamic", "NA", str(one.event_time)): one.estimate for one in effect.by_event_time}
    found |= {("group", "NA", str(one.period)): one.estimate for one in effect.by_cohort}
    found |= {("calendar", "NA", str(one.period)): one.estimate for one in effect.by_calendar}
    return found


@pytest.mark.parametrize("base", ["varying", "universal"])
@pytest.mark.parametrize("anticipation", [0, 1])
def test_group_time_effects_and_all_aggregations_are_those_of_r_did(
    published: Path, base: str, anticipation: int
) -> None:
    effect = estimate(mpdta(published, anticipation), "group_time_att", options={"base": base})
    ours = numbers(effect)
    with (published / "mpdta" / "r_did_reference.csv").open() as handle:
        rows = [
            {key: value.strip() for key, value in row.items()} for row in csv.DictReader(handle)
        ]
    wanted = ("nevertreated", "none", "reg", base, str(anticipation))
    rows = [
        row for row in rows if tuple(row[k] for k in ("cg", "cov", "em", "bp", "ant")) == wanted
    ]
    rows = [row for row in rows if row["type"] != "wald"]
    assert len(rows) >= 21
    for row in rows:
        one = ours[row["type"], row["g"], row["t"]]
        # The table has 13 digits; 1e-11 is what its rounding leaves.
        assert one.att == pytest.approx(float(row["est"]), abs=1e-11), row
        if row["se"] == "NA":
            assert one.se is None, row
        else:
            assert one.se == pytest.approx(float(row["se"]), abs=1e-11), row


def test_not_yet_treated_controls_give_the_published_medicaid_effects(published: Path) -> None:
    design = design_from_frame(
        pl.read_parquet(published / "ehec_medicaid" / "data.parquet"),
        unit="stfips",
        period="year",
        outcome="dins",
        cohort="yexp2",
        name="ehec_medicaid",
    )
    effect = estimate(design, "group_time_att", options={"control": "not_yet"})
    cells = {(one.cohort, one.period): one.estimate.att for one in effect.group_time}
    table = {
        **{(2014, 2009): -0.0065, (2014, 2010): 0.0111, (2014, 2011): 0.0015, (2014, 2012): 0.0016},
        **{(2014, 2013): 0.0009, (2014, 2014): 0.0467, (2014, 2015): 0.0692, (2014, 2016): 0.0785},
        **{(2014, 2017): 0.0725, (2014, 2018): 0.0738, (2014, 2019): 0.0803, (2015, 2015): 0.0491},
        **{(2015, 2019): 0.0738, (2016, 2016): 0.0317, (2016, 2019): 0.0825, (2017, 2017): 0.0471},
        **{(2017, 2019): 0.0650, (2019, 2009): 0.0189, (2019, 2019): 0.0365},
    }
    for cell, value in table.items():
        assert cells[cell] == pytest.approx(value, abs=5.1e-5), cell  # printed to four decimals
    assert cells[2014, 2014] == pytest.approx(0.04670243, abs=2e-7)
    simple = effect.aggregations["simple"]
    assert simple.att == pytest.approx(0.068, abs=5.1e-5)
    assert simple.se == pytest.approx(0.0077, abs=0.001)  # bootstrapped in the source


@pytest.fixture(scope="module")
def california(published: Path) -> Design:
    frame = pl.read_parquet(published / "prop99" / "data.parquet").with_columns(
        cohort=pl.when(pl.col("treated").max().over("state") > 0).then(1989)
    )
    return design_from_frame(
        frame, unit="state", period="year", outcome="cigsale", cohort="cohort", name="prop99"
    )


@pytest.mark.parametrize(
    ("weights", "att", "placebo_sd"),
    [
        ("sdid", -15.603829, 9.370999),
        ("sc", -19.619665, 10.615297),
        ("did", -27.349111, 17.2868),
    ],
)
def test_california_has_the_published_estimates_and_exact_placebo_errors(
    california: Design, weights: str, att: float, placebo_sd: float
) -> None:
    effect = estimate(california, options={"weights": weights})
    assert effect.overall.att == pytest.approx(att, abs=5e-6 if weights != "did" else 1e-6)
    assert len(effect.placebos) == 38  # every state in turn: nothing is drawn
    # The iterations stop at a tolerance: synthetic control's weights hang on where they began.
    assert float(np.std(effect.placebos)) == pytest.approx(placebo_sd, abs=5e-3)
    assert effect.overall.se == pytest.approx(float(np.std(effect.placebos)))


def test_california_has_the_published_weights(california: Design) -> None:
    weights = {one.unit or one.period: one.weight for one in estimate(california).weights}
    table = {1986: 0.366, 1987: 0.206, 1988: 0.427}
    table |= {"Nevada": 0.124, "New Hampshire": 0.105, "Connecticut": 0.078}
    table |= {"Delaware": 0.070, "Colorado": 0.058}
    for name, value in table.items():
        assert weights[name] == pytest.approx(value, abs=6e-4), name


def test_swiss_municipalities_go_from_frame_to_page_as_if_a_reform_were_an_initiative(
    published: Path, tmp_path: Path
) -> None:
    frame = pl.read_parquet(published / "swiss_naturalization" / "data.parquet")
    first = pl.col("year").filter(pl.col("indirect") == 1).min().over("bfs")
    design = design_from_frame(
        frame.with_columns(cohort=first),
        unit="bfs",
        period="year",
        outcome="nat_rate_ord",
        cohort="cohort",
        name="swiss_naturalization",
        measure="percentage_points",
        unit_kind="municipality",
    )
    # 1,209 municipalities, of which 283 were treated when the panel begins.
    assert (len(design.units), design.n_treated, design.n_donors) == (926, 514, 412)
    effects = estimate_all(design)
    assert effects[0].method == "group_time_att"
    assert {one.code for one in effects[0].findings} >= {"N-EST-HEADLINE", "W-EST-REFUSED"}
    checks = check_robustness(design, effects[0])
    run = make_run(design, None, effects=effects, checks=checks)
    save_run(run, tmp_path / "run", design=design)
    pages = write_report(load_run(tmp_path / "run"), tmp_path)
    assert {path.parent.name for path in pages} == {"zh", "en"}
    for path in pages:
        text = path.read_text(encoding="utf-8")
        assert "ynthetic data" not in text
        assert "合成数据" not in text
        assert path.stat().st_size < 600_000
