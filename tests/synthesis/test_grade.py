"""The grade of evidence: rules as data that see no sign, known worlds, and the words on pages."""

from __future__ import annotations

import ast
import dataclasses
import html
import json
import math
import re
import tomllib
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import cps
from cps.design.frame import design_from_frame
from cps.design.record import Design
from cps.errors import Finding, Text, UsageError
from cps.estimators.battery import estimate_all
from cps.result import Check, Effect, Estimate
from cps.robustness.registry import check_robustness, list_checks
from cps.runs import encode
from cps.synthesis import _grade_rules as rules
from cps.synthesis._grade_quantities import QUANTITIES
from cps.synthesis._grade_rules import LETTERS, Measured, load_rules
from cps.synthesis.grade import Grade, grade_evidence

from . import grade_study

PACKAGE = Path(cps.__file__).parent
YEARS = range(2013, 2025)
Given = tuple[Design, tuple[Effect, ...], tuple[Check, ...]]


def world(
    *,
    effect: float = 0.0,
    hosts: int = 6,
    others: int = 30,
    noise: float = 0.05,
    drift: float = 0.0,
    seed: int = 1,
    form: str = "log",
    flip: bool = False,
    **more,
) -> Design:
    """Give units with fixed levels and white noise; hosts start in 2019 and gain ``effect`` at once."""
    rng = np.random.default_rng(seed)
    rows = []
    for i in range(hosts + others):
        level = rng.normal(13 if form == "log" else 0.0, 0.3)
        for year in YEARS:
            y = level + noise * rng.normal() + (drift * (year - 2013) if i < hosts else 0.0)
            y += effect if i < hosts and year >= 2019 else 0.0
            y = -y if flip else y
            value = float(np.exp(y)) if form == "log" else float(y)
            rows.append((f"u{i:02d}", year, value, 2019 if i < hosts else None))
    frame = pl.DataFrame(
        rows,
        schema={"unit": pl.String, "year": pl.Int64, "y": pl.Float64, "cohort": pl.Int64},
        orient="row",
    )
    return design_from_frame(
        frame,
        unit="unit",
        period="year",
        outcome="y",
        cohort="cohort",
        name="case",
        form=form,
        **{"measure": "yuan", **more},
    )


def evaluated(design: Design) -> Given:
    effects = estimate_all(design)
    return design, effects, check_robustness(design, effects[0])


@pytest.fixture(scope="module")
def strong() -> Given:
    return evaluated(world(effect=0.4))


@pytest.fixture(scope="module")
def nothing() -> Given:
    return evaluated(world(noise=0.03))


def letters_of(grade: Grade) -> dict[str, str]:
    return {one.id: one.letter for one in grade.rules}


# ---- Worlds whose truth is known ----


def test_a_large_effect_in_a_clean_world_of_many_units_is_firmly_established(strong: Given) -> None:
    from cps.robustness.specifications import trace_specifications

    curve = trace_specifications(strong[0], strong[1][0])
    grade = grade_evidence(*strong, specifications=curve)
    assert grade.letter == "A", [(one.id, one.letter) for one in grade.rules if one.letter != "A"]
    assert grade.reading == "established"
    assert grade.binding == ()


def test_without_a_specification_curve_nothing_is_better_than_b(strong: Given) -> None:
    grade = grade_evidence(*strong)
    assert grade.letter == "B"
    assert {one.id for one in grade.binding} == {"curve_share", "curve_joint"}
    assert all("no specification curve" in one.said.en for one in grade.binding)


def test_no_effect_is_never_established_and_a_precise_no_is_told_from_a_dont_know(
    nothing: Given,
) -> None:
    precise = grade_evidence(*nothing)
    assert precise.letter == "C"
    assert precise.reading == "no_effect_that_matters"
    vague = grade_evidence(*evaluated(world(noise=0.5, hosts=2)))
    assert vague.letter in ("C", "D")
    assert vague.reading == "open"


def test_a_design_that_could_see_only_enormous_effects_bears_no_conclusion() -> None:
    grade = grade_evidence(*evaluated(world(noise=0.9, hosts=2)))
    assert grade.letter == "D"
    assert letters_of(grade)["power"] == "D"


def test_one_host_is_never_well_supported_however_large_the_effect() -> None:
    grade = grade_evidence(*evaluated(world(effect=1.0, hosts=1)))
    assert letters_of(grade)["p_value"] in ("A", "B")
    assert letters_of(grade)["hosts"] == "C"
    assert grade.letter == "C"
    assert grade.reading == "stands_out"


def test_hosts_that_were_pulling_away_already_are_no_evidence() -> None:
    design = world(effect=0.0, drift=0.05)
    effects = tuple(
        one for one in estimate_all(design) if one.options.get("weights") == "did"
    )  # a method that does not take the drift out
    grade = grade_evidence(design, effects, check_robustness(design, effects[0]))
    found = letters_of(grade)
    assert found["p_value"] == "A"  # plain differences praise it
    assert found["pre_fit"] == "D"
    assert found["pretrend"] == "C"
    assert grade.letter == "D"


def test_repairs_lower_the_grade_by_their_share_of_the_cells(strong: Given) -> None:
    cells = strong[0].y.size

    def repaired(count: int, code: str = "N-LEDGER-CORRECTED") -> str:
        told = Finding(
            code, "note", Text("改", "mended"), "f › A1", Text("无", "none"), count=count
        )
        return letters_of(grade_evidence(*strong, findings=(told,)))["repairs"]

    assert repaired(int(0.01 * cells)) == "A"
    assert repaired(int(0.04 * cells)) == "B"
    assert repaired(int(0.15 * cells)) == "C"
    assert repaired(int(0.30 * cells)) == "D"
    assert repaired(10 * cells) == "D"
    assert (
        repaired(10 * cells, "N-FILE-ENCODING") == "A"
    )  # converting an encoding changes no figure


@pytest.mark.parametrize(
    ("left", "letter"),
    [((0.9, 0.12), "A"), ((0.4, 0.06), "B"), ((0.4, 0.01), "C"), ((0.4, -0.3), "C")],
)
def test_an_effect_may_be_unequal_but_must_not_go_with_one_unit(
    strong: Given, left: tuple[float, ...], letter: str
) -> None:
    design, effects, checks = strong
    overall = Estimate(0.4, 0.05, 0.3, 0.5, 0.001)
    effects = (dataclasses.replace(effects[0], overall=overall), *effects[1:])
    checks = tuple(
        dataclasses.replace(one, table={"unit": ("u", "v"), "att": left})
        if one.name == "leave_one_out"
        else one
        for one in checks
    )
    assert letters_of(grade_evidence(design, effects, checks))["leave_one_out"] == letter


def test_methods_that_contradict_the_headline_leave_no_conclusion(strong: Given) -> None:
    design, effects, checks = strong
    others = tuple(
        dataclasses.replace(one, overall=Estimate(-0.4, 0.02, -0.44, -0.36, 0.001))
        for one in effects[1:]
    )
    found = letters_of(grade_evidence(design, (effects[0], *others), checks))
    assert found["methods_inside"] == "D"
    assert found["methods_found"] == "C"


def test_an_estimate_without_interval_or_p_value_bears_no_conclusion(strong: Given) -> None:
    design, effects, checks = strong
    bare = dataclasses.replace(effects[0], overall=Estimate(0.4))
    grade = grade_evidence(design, (bare, *effects[1:]), checks)
    assert grade.letter == "D"
    assert grade.reading == "none"
    assert "p_value" in {one.id for one in grade.binding}


# ---- No rule reads the sign ----


def mirrored(one: Estimate | None) -> Estimate | None:
    def turned(value: float | None) -> float | None:
        return None if value is None else -value

    if one is None:
        return None
    return dataclasses.replace(
        one, att=turned(one.att), ci_low=turned(one.ci_high), ci_high=turned(one.ci_low)
    )


def without_display(grade: Grade) -> dict:
    plain = encode(grade)
    del plain["reading_said"], plain["design_hash"]
    for one in plain["rules"]:
        del one["said"]
    return plain


def test_turning_every_estimate_round_changes_no_value_and_no_letter(strong: Given) -> None:
    design, effects, checks = strong
    rng = np.random.default_rng(0)
    seen = set()
    for _ in range(300):
        drawn = []
        for one in effects:
            att, half = rng.normal(0, 0.3), rng.uniform(0.01, 0.4)
            ends = (att - half, att + half * rng.uniform(0.5, 2))
            drawn.append(
                dataclasses.replace(one, overall=Estimate(att, half / 2, *ends, rng.uniform()))
            )
        judged = [
            dataclasses.replace(
                one,
                statistic=None if one.statistic is None else rng.uniform(0, 2),
                verdict=(True, False, None)[rng.integers(3)],
            )
            for one in checks
        ]
        turned = [dataclasses.replace(one, overall=mirrored(one.overall)) for one in drawn]
        opposite = [
            dataclasses.replace(one, table={"att": tuple(-x for x in one.table["att"])})
            if one.name == "leave_one_out"
            else one
            for one in judged
        ]
        here = grade_evidence(design, drawn, judged)
        there = grade_evidence(design, turned, opposite)
        assert without_display(here) == without_display(there)
        seen.add((here.letter, here.reading))
    assert len(seen) >= 3  # the draws do reach different grades


@pytest.mark.parametrize("effect", [0.0, 0.25])
def test_an_outcome_turned_upside_down_gets_the_same_grade_from_start_to_end(effect: float) -> None:
    from cps.robustness.specifications import trace_specifications

    grades = []
    for flip in (False, True):
        # Around zero, so that neither has logarithms.
        given = evaluated(world(effect=effect, form="level", flip=flip, measure="points"))
        curve = trace_specifications(given[0], given[1][0])
        grades.append(grade_evidence(*given, specifications=curve))
    here, there = grades
    assert (here.letter, here.reading) == (there.letter, there.reading)
    assert letters_of(here) == letters_of(there)
    for one, other in zip(here.rules, there.rules, strict=True):
        # Iterative solvers walk to the mirrored minimum by mirrored steps, up to rounding.
        assert one.value == pytest.approx(other.value, rel=1e-6, abs=1e-9), one.id


SIGNED = {
    "att",
    "ci_low",
    "ci_high",
    "band_low",
    "band_high",
    "natural",
    "placebos",
    "by_event_time",
    "by_cohort",
    "by_calendar",
    "group_time",
    "aggregations",
    "paths",
    "headline_estimate",
    "headline_ci_low",
    "headline_ci_high",
    "median",
    "lowest",
    "highest",
    "estimate",
    "y",
    "y_natural",
}


def attributes_read(path: Path) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}


def test_only_one_module_sees_signed_numbers_and_the_rules_get_none() -> None:
    folder = PACKAGE / "synthesis"
    assert attributes_read(folder / "_grade_sizes.py") & SIGNED  # the test can tell
    assert not attributes_read(folder / "_grade_rules.py") & SIGNED
    assert not attributes_read(folder / "grade.py") & SIGNED
    # Of the outcome itself only which cells are there is read.
    assert attributes_read(folder / "_grade_quantities.py") & SIGNED == {"y"}
    source = (folder / "_grade_quantities.py").read_text(encoding="utf-8")
    uses = re.findall(r"design\.y\b[^\n]*", source)
    assert uses
    assert all(re.match(r"design\.y(\.size|\)\.sum\(\))", one) for one in uses), uses
    with pytest.raises(ValueError, match="no sign"):
        Measured(-0.1)


# ---- The rules as data ----


def book() -> dict:
    return tomllib.loads(rules.PATH.read_text(encoding="utf-8"))


def test_every_rule_reads_a_known_quantity_and_every_quantity_has_its_rule() -> None:
    read = [one.quantity for one in load_rules().rules]
    assert sorted(read) == sorted(QUANTITIES)
    for one in load_rules().rules:
        assert one.source
        assert one.why.zh
        assert one.why.en


def test_the_curve_can_lower_a_grade_to_c_and_no_further() -> None:
    """The study spares it where the letter is C or D already."""
    for one in load_rules().rules:
        if one.id.startswith("curve_"):
            assert "C" not in one.at


def test_checks_and_codes_that_the_rules_name_exist() -> None:
    assert set(load_rules().threats) <= set(list_checks())
    source = "".join(path.read_text(encoding="utf-8") for path in PACKAGE.rglob("*.py"))
    assert not {code for code in load_rules().repairs if f'"{code}"' not in source}
    assert "bunching" not in load_rules().threats  # it asks on which side figures crowd


@pytest.mark.parametrize("one", load_rules().rules, ids=lambda one: one.id)
def test_a_rule_allows_less_as_its_quantity_gets_worse_and_reaches_each_threshold(
    one: rules.Rule,
) -> None:
    grid = np.linspace(0, 1.5 * max(one.at.values()) + 1, 200)
    order = [
        LETTERS.index(one.allows(Measured(float(value))))
        for value in (grid if one.is_low else grid[::-1])
    ]
    assert order == sorted(order)
    for letter, threshold in one.at.items():
        assert LETTERS.index(one.allows(Measured(threshold))) <= LETTERS.index(letter)
    assert one.allows(Measured(None)) == one.missing
    assert LETTERS[order[-1]] == ("D" if "C" in one.at else "C") or not one.is_low


def test_the_grade_is_the_worst_letter_and_binding_rules_are_those_that_allow_no_more() -> None:
    assert rules.worst({}) == "A"
    assert rules.worst({"a": "A", "b": "C", "c": "B"}) == "C"
    design, effects, checks = evaluated(world(effect=0.4, others=12))
    grade = grade_evidence(design, effects, checks)
    assert grade.letter == rules.worst(letters_of(grade))
    assert {one.id for one in grade.binding} == {
        one.id for one in grade.rules if one.letter == grade.letter
    }


FAULTS = {
    "a key of a rule is missing": (lambda given: given["rule"][2].pop("why"), "placebo_rank"),
    "a key is unknown": (lambda given: given["rule"][0].update(weight=2), "weight"),
    "thresholds are out of order": (lambda given: given["rule"][0].update(A=0.2), "strict to lax"),
    "languages differ in placeholders": (
        lambda given: given["rule"][0]["said"].update(zh="没有数"),
        "placeholders",
    ),
    "a rule is there twice": (lambda given: given["rule"].append(given["rule"][0]), "twice"),
    "a letter is unknown": (lambda given: given["rule"][0].update(missing="E"), "A, B, C, D"),
    "a share is a word": (lambda given: given.update(material_share="much"), "a finite number"),
    "a level is endless": (lambda given: given.update(replication_level=math.inf), "finite"),
    "a threat is a list": (lambda given: given["threats"].append([]), "a list of texts"),
    "a rule is a number": (lambda given: given["rule"].append(1), "a list of tables"),
    "a threshold is a word": (lambda given: given["rule"][0].update(A="low"), "a finite number"),
    "a name is a number": (lambda given: given["rule"][0]["name"].update(zh=1), "a text"),
    "a brace is left open": (
        lambda given: given["rule"][0]["said"].update(zh="{p", en="{p"),
        "a placeholder",
    ),
    "a letter has no words": (lambda given: given["letters"].pop("D"), "meaning is missing"),
}


@pytest.mark.parametrize("fault", FAULTS, ids=str)
def test_a_faulty_file_of_rules_is_refused_with_its_place(
    fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    change, words = FAULTS[fault]
    given = book()
    change(given)
    monkeypatch.setattr(rules, "read_toml", lambda path: given)
    with pytest.raises(UsageError, match=words) as refused:
        rules._load.__wrapped__(rules.PATH, 0)
    assert "grades.toml" in refused.value.where
    assert refused.value.mend.zh


def test_other_rules_change_the_letter_and_the_hash(strong: Given, tmp_path: Path) -> None:
    text = rules.PATH.read_text(encoding="utf-8")
    other = tmp_path / "ours.toml"
    other.write_text(text.replace("A = 5\nB = 2\nC = 1", "A = 50\nB = 40\nC = 30"), "utf-8")
    stricter, usual = grade_evidence(*strong, rules=other), grade_evidence(*strong)
    assert letters_of(stricter)["hosts"] == "D"
    assert stricter.letter == "D" != usual.letter
    assert stricter.rules_hash != usual.rules_hash
    commented = tmp_path / "same.toml"
    commented.write_text("# a remark\n" + text, "utf-8")
    assert grade_evidence(*strong, rules=commented).rules_hash == usual.rules_hash


# ---- The record, and what it refuses ----


def test_the_record_is_plain_values_and_the_same_for_the_same_inputs(strong: Given) -> None:
    once, again = (encode(grade_evidence(*strong)) for _ in range(2))
    assert json.dumps(once, allow_nan=False) == json.dumps(again, allow_nan=False)
    assert len(once["rules"]) == len(load_rules().rules)


def test_what_belongs_to_another_design_or_method_is_refused(strong: Given, nothing: Given) -> None:
    with pytest.raises(UsageError, match="no effect"):
        grade_evidence(strong[0], (), ())
    with pytest.raises(UsageError, match="not estimated from this design"):
        grade_evidence(strong[0], nothing[1], strong[2])
    foreign = [dataclasses.replace(strong[2][0], method="stacked")]
    with pytest.raises(UsageError, match="headline's method"):
        grade_evidence(strong[0], strong[1], foreign)


# ---- Pages and tables ----


@pytest.fixture(scope="module")
def run(strong: Given):
    from cps.runs import make_run

    design = dataclasses.replace(strong[0], is_synthetic=True)
    grade = grade_evidence(design, *strong[1:])
    return make_run(design, None, effects=strong[1], checks=strong[2], extra={"grade": grade})


@pytest.mark.parametrize(
    ("language", "letter", "summary"),
    [
        ("zh", "证据等级 B：证据较强", "证据等级：B（证据较强）"),
        ("en", "Grade B: well supported", "Grade of evidence: B (well supported)"),
    ],
)
def test_the_page_states_the_letter_and_prints_every_rule_with_its_thresholds(
    run, language: str, letter: str, summary: str
) -> None:
    from cps.report.render import render_report

    text = html.unescape(re.sub(r"<[^>]+>", "", render_report(run, language=language)))
    assert letter in text
    assert summary in text
    for one in load_rules().rules:
        assert one.name.in_language(language) in text, one.id
    assert "≤\u00a00.05" in text
    assert load_rules().sha256[:12] in text


def test_a_run_without_a_grade_has_no_such_section(run) -> None:
    from cps.report.render import render_report
    from cps.report.sections import grade as section

    bare = dataclasses.replace(run, extra={})
    assert section.build(bare) == []
    assert "Grade of evidence" not in render_report(bare, language="en")


def test_the_comparison_carries_each_letter_and_a_failed_initiative_has_none(run) -> None:
    from cps.design.initiatives import load_initiatives
    from cps.synthesis.comparison import compare_initiatives

    declared = load_initiatives()[:3]
    runs = [dataclasses.replace(run, name=one.id) for one in declared[:2]]
    table = compare_initiatives(runs, declared, {declared[1].id: Text("坏", "broken")})[
        "comparison"
    ]
    assert table["grade"] == ["B", None, None]
    assert table["grade_en"][0] == "well supported"
    assert table["reading"][0] == "established"


def test_a_notebook_shows_the_grade_with_the_synthetic_mark(run, strong: Given) -> None:
    design = dataclasses.replace(strong[0], is_synthetic=True)
    shown = cps.show(grade_evidence(design, *strong[1:]))
    assert "合成数据" in shown.mark
    assert shown.frame.height == 1 + len(load_rules().rules)
    assert cps.show(grade_evidence(*strong)).mark == ""


# ---- The study, small ----


def test_where_nothing_was_changed_no_initiative_is_praised_but_by_before_after(
    tmp_path: Path,
) -> None:
    chosen = ("bonsai", "flowers", "rural_tourism", "workshop")
    rows = grade_study.draw("spurious", 20_000, only=chosen)
    assert [row["initiative"] for row in rows] == list(chosen)
    assert {row["truth"] for row in rows} == {0.0}
    assert all(row["letter"] in ("C", "D") for row in rows)
    assert [grade_study.judge(row) for row in rows] == [row["letter"] for row in rows]
    # Half a doubling or so: the campaign lifted everyone.
    assert all(row["before_after"] > 0.2 for row in rows)
    out = tmp_path / "rows.jsonl"
    out.write_text(json.dumps(rows) + "\n" + json.dumps(rows)[:100], "utf-8")
    assert grade_study._done(out) == rows  # a killed study's half line is drawn again
    quick = grade_study.draw("spurious", 20_000, quick=True, only=chosen)
    for one, other in zip(rows, quick, strict=True):
        assert (one["att"], one["p_value"], one["truth"]) == (
            other["att"],
            other["p_value"],
            other["truth"],
        )
        assert grade_study.judge(other) == "C/D"  # as good as it needs to know
    said = "\n".join(grade_study.summary(rows))
    assert "before-after praises 1.0000 of them" in said
    assert "A or B in 0.0000 of all grades" in said
