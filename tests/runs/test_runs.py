"""Runs: what is saved comes back whole, and what was damaged is refused."""

from __future__ import annotations

import dataclasses
import datetime
import json
import shutil
from pathlib import Path

import polars as pl
import pytest

import cps
from cps.design.frame import design_from_frame
from cps.design.record import Design
from cps.errors import Finding, RunError, Text, UsageError
from cps.result import (
    Check,
    Effect,
    Estimate,
    EventTimeEffect,
    GroupTimeEffect,
    PathPoint,
    PeriodEffect,
    Weight,
)
from cps.runs import (
    code_sha256,
    encode,
    load_failures,
    load_run,
    load_runs,
    make_run,
    save_failure,
    save_run,
)
from cps.runs.origin import hash_of_tree

FINDING = Finding("W-X", "warn", Text("事", "thing"), "表 › D17", Text("改", "mend"), "1,2O3", 3)


def design() -> Design:
    frame = pl.DataFrame(
        {
            "id": [f"村{i}" for i in range(6) for _ in range(4)],
            "year": list(range(2001, 2005)) * 6,
            "y": [float(i * t % 7) for i in range(6) for t in range(4)],
            "first": [2003 if i < 2 else 0 for i in range(6) for _ in range(4)],
        }
    )
    return design_from_frame(frame, unit="id", period="year", outcome="y", cohort="first")


def effect(**changes: object) -> Effect:
    """Give an effect with something in every field."""
    one = Estimate(0.1, 0.05, 0.0, 0.2, 0.04)
    whole = Effect(
        initiative="bonsai",
        outcome="income_yuan",
        measure="log_points",
        natural_measure="yuan",
        estimand=Text("处理村平均效应", "ATT"),
        method="some_method",
        method_name=Text("某法", "Some method"),
        reference="A (2021)",
        options={"control": "never"},
        overall=one,
        natural=Estimate(80_000.0),
        level=0.95,
        inference="placebo",
        p_value_floor=0.02,
        n_treated=2,
        n_comparison=4,
        n_pre=2,
        n_post=2,
        by_event_time=(EventTimeEffect(-1, one, 2),),
        by_cohort=(PeriodEffect(2003, one, 2),),
        by_calendar=(PeriodEffect(2004, one, 2),),
        group_time=(GroupTimeEffect(2003, 2004, one),),
        aggregations={"simple": one},
        paths=(PathPoint(2001, 1.0, None),),
        weights=(Weight(2003, "村5", None, 0.25), Weight(2003, None, 2001, 1.0)),
        placebos=(0.01, -0.02),
        findings=(FINDING,),
        design_hash="x",
    )
    return dataclasses.replace(whole, **changes)  # type: ignore[arg-type]


CHECK = Check(
    "pretrend",
    "some_method",
    None,
    None,
    0.05,
    Text("趋势", "Trend"),
    Text("无", "none"),
    {"a": (1, None)},
)


def test_a_run_comes_back_from_its_folder_exactly(tmp_path: Path) -> None:
    run = make_run(
        design(),
        None,
        effects=[effect(), effect(natural=None, overall=Estimate(None))],
        checks=[CHECK],
        inputs={"台账.csv": "ab"},
        parameters={"seed": 3, "panel": "p"},
        findings=[FINDING],
        indicators={"levels": {"year": [2001]}},
        extra={"note": [1, None, "是"]},
    )
    save_run(run, tmp_path / "a", design=design())
    assert load_run(tmp_path / "a") == run
    assert [one.name for one in load_runs(tmp_path)] == ["frame"]


def test_a_finding_that_several_stages_report_stands_once() -> None:
    run = make_run(design(), None, effects=[effect(), effect()], findings=[FINDING])
    assert run.findings.count(FINDING) == 1


def test_the_run_hash_does_not_move_with_the_clock_or_the_folder_but_with_the_numbers() -> None:
    def hashed(**given: object) -> str:
        parameters = {"seed": 1, "out": "a"} | given.pop("parameters", {})  # type: ignore[operator]
        effects = given.pop("effects", [effect()])
        return make_run(design(), None, effects=effects, parameters=parameters).manifest.run_hash  # type: ignore[arg-type]

    assert hashed() == hashed(parameters={"out": "b", "panel": "elsewhere"})
    assert hashed() != hashed(parameters={"seed": 2})
    assert hashed() != hashed(effects=[effect(overall=Estimate(0.1000001))])


def test_times_host_and_paths_lie_apart_and_leave_what_is_said_unmoved(tmp_path: Path) -> None:
    for name, year in (("a", 2001), ("b", 2024)):
        run = make_run(
            design(),
            None,
            effects=[effect()],
            parameters={"seed": 3, "panel": f"/somewhere/{name}", "out": name, "runs": name},
            started=datetime.datetime(year, 1, 1, tzinfo=datetime.UTC),
        )
        save_run(run, tmp_path / name, design=design())
    for file in ("run.json", "design.parquet"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()
    apart = json.loads((tmp_path / "a" / "circumstances.json").read_text(encoding="utf-8"))
    assert apart["started"] == "2001-01-01T00:00:00+00:00"
    assert apart["finished"] > apart["started"]
    assert apart["seconds"] > 0
    assert apart["paths"] == {"panel": "/somewhere/a", "out": "a", "runs": "a"}
    assert {"host", "python", "platform", "cwd"} < set(apart)


def test_a_run_is_whole_without_its_circumstances(tmp_path: Path) -> None:
    path = _saved(tmp_path)
    (tmp_path / "circumstances.json").unlink()
    assert load_run(path.parent).circumstances is None


@pytest.mark.parametrize(
    ("frequency", "last", "day"),
    [
        ("year", 2023, "2023-12-31"),
        ("quarter", 4 * 2023 + 0, "2023-03-31"),
        ("quarter", 4 * 2023 + 3, "2023-12-31"),
        ("month", 12 * 2024 + 1, "2024-02-29"),
        ("month", 12 * 2023 + 11, "2023-12-31"),
        ("month", 24, None),  # counted from a start, no calendar
        ("year", 7, None),
    ],
)
def test_a_run_speaks_as_of_the_last_day_of_its_last_period(
    frequency: str, last: int, day: str | None
) -> None:
    dated = dataclasses.replace(
        design(),
        frequency=frequency,  # type: ignore[arg-type]
        periods=tuple(range(last - 3, last + 1)),
        cohort=(last, *[None] * 5),
    )
    assert make_run(dated, None, effects=[]).manifest.as_of == day
    assert make_run(dated, None, effects=[]).design["data_to"] == day


def test_a_given_day_stands_and_what_is_no_day_is_refused() -> None:
    given = make_run(design(), None, effects=[], as_of="2005-03-31")
    assert given.manifest.as_of == "2005-03-31"
    assert given.design["data_to"] == "2004-12-31"
    assert given.manifest.run_hash != make_run(design(), None, effects=[]).manifest.run_hash
    with pytest.raises(UsageError, match="YYYY-MM-DD"):
        make_run(design(), None, effects=[], as_of="去年底")


def test_the_hash_of_the_data_follows_every_input_and_no_order() -> None:
    def hashed(inputs: dict[str, str]) -> str:
        return make_run(design(), None, effects=[], inputs=inputs).manifest.data_sha256

    assert hashed({"a": "1", "b": "2"}) == hashed({"b": "2", "a": "1"})
    assert len({hashed(one) for one in ({"a": "1"}, {"a": "2"}, {"b": "1"}, {})}) == 4


def test_the_hash_of_the_code_is_of_the_packages_own_files_wherever_they_lie(
    tmp_path: Path,
) -> None:
    home = Path(cps.__file__).parent
    for name in ("a", "b"):
        shutil.copytree(home, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    assert hash_of_tree(tmp_path / "a") == hash_of_tree(tmp_path / "b")
    (tmp_path / "b" / "left.pyc").write_bytes(b"x")
    assert hash_of_tree(tmp_path / "a") == hash_of_tree(tmp_path / "b")
    hashes = {hash_of_tree(tmp_path / "a")}
    for file in ("errors.py", "locale/zh.toml", "report/page.css", "report/page.html.j2"):
        path = tmp_path / "b" / file
        path.write_bytes(path.read_bytes() + b" ")
        hashes.add(hash_of_tree(tmp_path / "b"))
    assert len(hashes) == 5
    assert len(code_sha256()) == 64


def test_a_missing_run_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(RunError) as caught:
        load_run(tmp_path)
    assert "run the initiative's notebook first" in caught.value.message("en")
    assert str(tmp_path) in caught.value.message("zh")


def _saved(folder: Path) -> Path:
    return save_run(make_run(design(), None, effects=[effect()]), folder, design=design())


def test_a_damaged_panel_beside_a_run_is_refused(tmp_path: Path) -> None:
    _saved(tmp_path)
    path = tmp_path / "design.parquet"
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 1
    path.write_bytes(raw)
    with pytest.raises(RunError, match=r"design\.parquet"):
        load_run(tmp_path)


@pytest.mark.parametrize("damage", ["cut", "field missing", "field unknown"])
def test_a_damaged_run_is_refused_and_never_half_read(tmp_path: Path, damage: str) -> None:
    path = _saved(tmp_path)
    stored = json.loads(path.read_text(encoding="utf-8"))
    if damage == "field missing":
        del stored["run"]["effects"][0]["level"]
    elif damage == "field unknown":
        stored["run"]["manifest"]["more"] = 1
    text = json.dumps(stored)
    path.write_text(text[: len(text) // 2] if damage == "cut" else text, encoding="utf-8")
    with pytest.raises(RunError, match="damaged"):
        load_run(tmp_path)


@pytest.mark.parametrize("schema", [2, 99])
def test_a_run_of_another_schema_is_refused_and_named(tmp_path: Path, schema: int) -> None:
    path = _saved(tmp_path)
    stored = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**stored, "schema": schema}), encoding="utf-8")
    with pytest.raises(RunError, match=f"schema {schema}; this one reads 3") as caught:
        load_run(tmp_path)
    assert "另一版本" in caught.value.message("zh")


def test_a_number_that_json_cannot_hold_is_refused_and_no_file_is_left(tmp_path: Path) -> None:
    run = make_run(design(), None, effects=[effect(overall=Estimate(float("nan")))])
    with pytest.raises(ValueError, match="JSON"):
        save_run(run, tmp_path / "a")
    assert list(tmp_path.rglob("*")) == []


def test_failures_are_kept_by_name_in_both_languages(tmp_path: Path) -> None:
    save_failure("bonsai", Text("没有对照村", "no comparison"), tmp_path / "bonsai")
    assert load_failures(tmp_path) == {"bonsai": Text("没有对照村", "no comparison")}
    assert load_runs(tmp_path) == ()


def test_what_is_no_plain_value_is_refused() -> None:
    with pytest.raises(TypeError, match="set"):
        encode({"a": {1, 2}})
