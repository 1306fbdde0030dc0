"""The simulation study, small: what theory says of it, its bookkeeping, and its committed tables."""

from __future__ import annotations

import math
import re
import tomllib
from pathlib import Path

import numpy as np
import pytest

from benchmarks.simulation import cells
from benchmarks.simulation.cells import TOO_SLOW, Tally, Task, run, summarise
from benchmarks.simulation.designs import PROCESSES, autoregressive, draw_design, processes
from benchmarks.simulation.judge import Verdict, monte_carlo_error, verdicts
from benchmarks.simulation.pairs import OWN, Pair, every_pair
from benchmarks.simulation.runner import _parts, _resumed, _time_each, tasks
from benchmarks.simulation.write import table_row, write_reliability
from cps.estimators import _reliability
from cps.estimators._reliability import bucket, reliability
from cps.estimators.registry import estimate, list_estimators

ROOT = Path(__file__).parents[2]
EVERY = processes(None)


def tally(
    process: str,
    treated: int,
    outcome: str,
    n: int,
    method: str,
    *,
    inference: str = OWN,
    **options: str,
) -> Tally:
    pair = Pair(method, tuple(sorted(options.items())), inference)
    task = Task(process, treated, outcome, pair)  # type: ignore[arg-type]
    return run(task, EVERY[process], range(n))


# --- what theory says -------------------------------------------------------------------------


def test_one_treated_of_fifty_makes_clustered_errors_reject_far_too_often() -> None:
    one = summarise(tally("villages", 1, "zero", 60, "group_time_att"))
    # .8 in long runs (MacKinnon & Webb 2017 find the like); three binomial errors of 60 are .15.
    assert one.rejection is not None and one.rejection > 0.6
    assert one.coverage is not None and one.coverage < 0.4


@pytest.mark.parametrize(
    ("method", "inference", "options"),
    [
        ("synthetic_did", OWN, {"weights": "did"}),
        ("group_time_att", "randomisation", {}),
        ("group_time_att", "conley_taber", {}),
    ],
)
def test_placebo_ranks_hold_their_size_with_one_treated(
    method: str, inference: str, options: dict[str, str]
) -> None:
    one = summarise(tally("villages", 1, "zero", 60, method, inference=inference, **options))
    # At most 5%; three binomial errors of 60 draws are .085.
    assert one.replications == 60
    assert one.rejection is not None and one.rejection <= 0.05 + 0.085


def test_growing_staggered_effects_turn_the_sign_of_two_way_fixed_effects_alone() -> None:
    truth = np.mean([draw_design(EVERY["nearly_all"], 27, "true", rep)[1] for rep in range(30)])
    mean = {
        method: truth + float(summarise(tally("nearly_all", 27, "true", 30, method)).bias or 0)
        for method in ("two_way_fixed_effects", "group_time_att", "imputation")
    }
    assert truth > 2
    assert mean["two_way_fixed_effects"] < 0
    # Three errors of the mean of 30 draws whose deviation is about 0.3.
    assert mean["group_time_att"] == pytest.approx(truth, abs=0.17)
    assert mean["imputation"] == pytest.approx(truth, abs=0.17)


def test_a_dip_before_the_start_counts_as_effect_where_it_is_the_base() -> None:
    one = summarise(tally("dip", 15, "zero", 30, "group_time_att"))
    assert one.bias is not None and one.bias_error is not None
    # Those in a dip recover: the bias is many errors above zero.
    assert one.bias > 4 * one.bias_error


# --- the processes ----------------------------------------------------------------------------


def test_noise_has_the_persistence_and_the_size_it_says() -> None:
    noise = autoregressive(np.random.default_rng(0), (4000, 8), rho=0.7, sd=0.2)
    assert noise.std() == pytest.approx(0.2, abs=0.005)
    persistence = (noise[:, 1:] * noise[:, :-1]).sum() / (noise[:, :-1] ** 2).sum()
    assert persistence == pytest.approx(0.7, abs=0.02)  # four errors of 28,000 products


@pytest.mark.parametrize("process", PROCESSES, ids=lambda one: one.name)
def test_zero_and_true_effects_share_every_draw_but_the_effect(process: object) -> None:
    one = next(p for p in PROCESSES if p is process)
    for n in one.treated:
        zero, nothing = draw_design(one, n, "zero", 3)
        true, truth = draw_design(one, n, "true", 3)
        start = np.array([np.inf if c is None else c for c in zero.cohort])
        on = np.asarray(zero.periods)[None, :] >= start[:, None]
        gap = true.y - zero.y
        assert nothing == 0 and truth > 0
        assert np.all(gap[~on] == 0) and gap[on].mean() == pytest.approx(truth)
        per_unit = 3 if zero.cluster else 1
        assert zero.n_treated == n * per_unit and zero.cohort == true.cohort
        assert zero.n_treated + zero.n_donors == len(zero.units)


def test_townships_are_treated_whole() -> None:
    design, _ = draw_design(EVERY["clusters"], 3, "zero", 0)
    assert design.cluster is not None
    by_group: dict[str, set[int | None]] = {}
    for group, cohort in zip(design.cluster, design.cohort, strict=True):
        by_group.setdefault(group, set()).add(cohort)
    assert all(len(starts) == 1 for starts in by_group.values())


# --- the bookkeeping --------------------------------------------------------------------------


def test_replications_are_the_same_in_whatever_parts_they_are_run() -> None:
    task = Task("villages", 3, "true", Pair("group_time_att", (), OWN))
    whole = run(task, EVERY["villages"], range(6))
    parts = run(task, EVERY["villages"], range(2))
    parts.add(run(task, EVERY["villages"], range(2, 6)))
    assert parts.errors == whole.errors and parts.covers == whole.covers
    assert parts.tried == whole.tried == 6


def test_every_installed_method_is_studied_with_every_inference() -> None:
    pairs = every_pair()
    assert {one.method for one in pairs} == set(list_estimators())
    listed = {task.pair for task in tasks(None)}
    assert set(pairs) == listed
    keys = [task.key for task in tasks(None)]
    assert len(set(keys)) == len(keys)


def test_a_refusal_is_counted_with_its_reason_and_gives_no_number() -> None:
    one = tally("villages", 3, "zero", 2, "structural_time_series")
    assert one.is_refused and one.tried == 2
    assert any("periods before the start" in reason for reason in one.refusals)


def test_a_fault_of_a_method_is_counted_and_ends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("by hand")

    monkeypatch.setattr(cells, "estimate", broken)
    one = tally("villages", 1, "zero", 3, "group_time_att")
    assert one.faults == {"ZeroDivisionError: by hand": 3} and one.is_refused


def test_what_computes_too_long_is_stopped_and_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def endless(*_: object, **__: object) -> None:
        while True:
            math.sqrt(2)

    monkeypatch.setattr(cells, "estimate", endless)
    monkeypatch.setattr(cells, "SLOWEST", 0.05)
    one = tally("villages", 1, "zero", 3, "group_time_att")
    assert one.refusals == {TOO_SLOW: 1} and one.tried == 1


def test_time_is_shared_so_that_cheap_tasks_get_all_and_others_alike() -> None:
    cheap, dear = Tally(tried=10, seconds=0.1), Tally(tried=10, seconds=10.0)
    # 90 more cost 0.9 s and 90 s; of 21.8 s each of two dear ones gets half of what is left.
    assert _time_each([(cheap, 100), (dear, 100), (dear, 100)], 21.8) == pytest.approx(10.45)
    assert _time_each([(cheap, 100)], 60.0) == pytest.approx(0.9)
    assert _time_each([], 60.0) == 0.0


def test_what_can_be_finished_comes_first_and_every_replication_once() -> None:
    cheap, dear = (Task("villages", n, "zero", Pair("group_time_att", (), OWN)) for n in (1, 3))
    tallies = {cheap: Tally(tried=5, seconds=0.05), dear: Tally(tried=5, seconds=5.0)}
    parts = [(task, reps) for task, reps, _ in _parts([dear, cheap], tallies, 100, 10.0)]
    assert parts[0][0] is cheap and parts[-1][0] is dear
    for task, last in ((cheap, 100), (dear, 15)):
        reps = [rep for one, part in parts if one is task for rep in part]
        assert reps == list(range(5, last))


def test_a_cut_off_run_goes_on_from_what_is_in_sequence_and_of_the_same_code(
    tmp_path: Path,
) -> None:
    import json

    task = Task("villages", 3, "true", Pair("group_time_att", (), OWN))
    parts = [run(task, EVERY["villages"], part) for part in (range(2), range(2, 4), range(6, 8))]
    lines = [
        [task.key, digest, first, part.as_dict()]
        for digest, first, part in (
            ("new", 6, parts[2]),
            ("new", 0, parts[0]),
            ("new", 2, parts[1]),
            ("old", 4, parts[1]),
        )
    ]
    (tmp_path / "parts.jsonl").write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    found = _resumed([task], {task.pair: "new"}, tmp_path)[task]
    assert found.tried == 4 and found.errors == parts[0].errors + parts[1].errors


# --- verdicts ---------------------------------------------------------------------------------


def made(n: int, covered: float, rejected: float) -> Tally:
    return Tally(
        tried=n,
        errors=[0.0] * n,
        covers=[1] * round(covered * n) + [0] * round((1 - covered) * n),
        rejects=[1] * round(rejected * n) + [0] * round((1 - rejected) * n),
        lengths=[1.0] * n,
        inference="analytic",
    )


def judged(zero: Tally, true: Tally, process: str = "villages") -> list[Verdict]:
    pair = Pair("group_time_att", (), OWN)
    return verdicts(
        {Task(process, 3, "zero", pair): zero, Task(process, 3, "true", pair): true}, EVERY
    )


@pytest.mark.parametrize(
    ("zero", "true", "reason"),
    [
        (made(500, 0.95, 0.05), made(250, 0.95, 0.8), ""),
        (made(500, 0.92, 0.078), made(250, 0.94, 0.8), ""),  # within two Monte Carlo errors
        (made(500, 0.95, 0.09), made(250, 0.95, 0.8), "rejects a true null 0.090"),
        (made(500, 0.95, 0.05), made(250, 0.88, 0.8), "covers 0.880"),
        (made(500, 0.996, 0.0), made(250, 0.996, 0.2), "cautious"),
        (made(50, 0.96, 0.04), made(50, 0.96, 0.8), "too few replications"),
    ],
)
def test_a_verdict_follows_the_rule_and_says_what_broke_it(
    zero: Tally, true: Tally, reason: str
) -> None:
    (one,) = judged(zero, true)
    assert one.treated == "2-4"
    assert one.is_offered == (reason == "")
    assert reason in one.reason


def test_stress_designs_are_not_judged() -> None:
    assert judged(made(500, 0.1, 0.9), made(250, 0.1, 0.9), process="dip") == []


def test_a_rank_test_that_cannot_reject_is_not_offered() -> None:
    never = made(500, 0.0, 0.0)
    never.covers, never.lengths, never.floor = [], [], 0.25
    (one,) = judged(never, never)
    assert "no p-value below 0.250" in one.reason


def test_verdicts_can_be_looked_up_by_what_an_effect_says_of_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = Verdict(Pair("synthetic_did", (), OWN), "placebo", "1", 0.951, 0.05, 500, 4, "")
    named = Verdict(
        Pair("synthetic_did", (), "conformal"), "conformal", "1", None, 0.2, 500, 4, 'a "reason"'
    )
    path = tmp_path / "reliability.toml"
    write_reliability(path, [own, named])
    monkeypatch.setattr(_reliability, "PATH", path)
    _reliability._table.cache_clear()
    try:
        design, _ = draw_design(EVERY["villages"], 1, "zero", 0)
        effect = estimate(design, "synthetic_did")
        found = reliability(effect.method, effect.options, effect.inference, 1)
        assert found is not None and found.is_offered and found.coverage == 0.951
        other = {**effect.options, "errors": "none"}
        rank = reliability("synthetic_did", other, "conformal", 1)
        assert rank is not None and not rank.is_offered and rank.reason == 'a "reason"'
        assert rank.coverage is None
        assert reliability("synthetic_did", other, "placebo", 1) is None
        assert reliability("synthetic_did", effect.options, "placebo", 3) is None
        assert reliability("nothing", {}, "placebo", 1) is None
    finally:
        _reliability._table.cache_clear()


def test_numbers_of_treated_fall_into_three_classes() -> None:
    assert [bucket(n) for n in (1, 2, 4, 5, 15)] == ["1", "2-4", "2-4", "5+", "5+"]


# --- what is committed ------------------------------------------------------------------------


def test_a_row_of_the_committed_tables_is_what_its_seeds_give() -> None:
    text = (ROOT / "docs" / "simulation.md").read_text(encoding="utf-8")
    section = text.split("### villages, 3 treated\n")[1].split("\n### ")[0]
    pair = Pair("interaction_weighted", (), OWN)
    (row,) = re.findall(r"^\| interaction_weighted \| analytic \|.*$", section, flags=re.M)
    n_zero, n_true = (int(one) for one in row.split("|")[-2].split(","))
    zero = tally("villages", 3, "zero", n_zero, pair.method)
    true = tally("villages", 3, "true", n_true, pair.method)
    assert table_row(pair, zero, true) == row


def test_every_committed_verdict_agrees_with_its_numbers() -> None:
    with _reliability.PATH.open("rb") as handle:
        rows = tomllib.load(handle)["pair"]
    assert len({row["method"] for row in rows}) >= 8
    for row in rows:
        slack = 2 * monte_carlo_error(row["replications"])
        if row["verdict"] == "offered":
            assert not row.get("reason")
            assert row["replications"] >= 80
            assert row.get("size", 0.0) <= 0.06 + slack
            assert 0.93 - slack <= row.get("coverage", 0.95) <= 0.97 + slack
        else:
            assert row["reason"]


def test_the_committed_verdicts_know_that_one_treated_unit_is_too_few_for_clustered_errors() -> (
    None
):
    design, _ = draw_design(EVERY["villages"], 1, "zero", 0)
    effect = estimate(design, "group_time_att")
    found = reliability(effect.method, effect.options, effect.inference, effect.n_treated)
    assert found is not None and not found.is_offered
    assert found.size is not None and found.size > 0.5
