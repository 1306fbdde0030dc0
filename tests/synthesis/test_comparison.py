"""The table of all initiatives: every one has its row, in its place, with or without numbers."""

import dataclasses
import json

import pytest

from cps.errors import Text, UsageError
from cps.result import Estimate
from cps.synthesis.comparison import COLUMNS, compare_initiatives


@dataclasses.dataclass(frozen=True)
class OneRun:
    name: str
    effects: tuple
    extra: dict = dataclasses.field(default_factory=dict)


@pytest.fixture(scope="module")
def initiatives():
    from cps.design.initiatives import load_initiatives

    return load_initiatives()


@pytest.fixture
def effect(make_effect):
    natural = Estimate(120_000.0, None, -10_000.0, 250_000.0)
    return make_effect(-0.02, 0.1, 0.22, measure="log_points", natural=natural)


def row_of(table, name):
    at = table["initiative"].index(name)
    return {column: values[at] for column, values in table.items()}


def test_each_initiative_has_one_row_in_the_order_declared(initiatives, effect):
    runs = [OneRun(one.id, (effect,)) for one in initiatives]
    result = compare_initiatives(runs[::-1], initiatives, {})
    assert list(result) == ["comparison"]
    table = result["comparison"]
    assert tuple(table) == COLUMNS
    assert table["initiative"] == [one.id for one in initiatives]
    assert len(initiatives) == 15
    assert set(table["status"]) == {"ok"}
    assert json.loads(json.dumps(result, allow_nan=False)) == result


def test_a_row_gives_the_effect_in_logs_and_in_yuan(initiatives, effect):
    row = row_of(
        compare_initiatives([OneRun("bonsai", (effect,))], initiatives, {})["comparison"], "bonsai"
    )
    assert (row["att_log"], row["ci_low_log"], row["ci_high_log"]) == (0.1, -0.02, 0.22)
    assert (row["att_yuan"], row["ci_low_yuan"], row["ci_high_yuan"]) == (120_000, -10_000, 250_000)
    assert (row["n_treated"], row["n_comparison"], row["covers_zero"]) == (4, 26, True)
    assert (row["page"], row["method"], row["level"]) == ("bonsai.html", "group_time", 0.95)


def test_an_effect_in_yuan_has_no_log_columns(initiatives, make_effect):
    runs = [OneRun("bonsai", (make_effect(1.0, 2.0, 3.0),))]
    row = row_of(compare_initiatives(runs, initiatives, {})["comparison"], "bonsai")
    assert (row["att_log"], row["att_yuan"], row["covers_zero"]) == (None, 2.0, False)


def test_without_an_interval_covering_zero_is_unknown(initiatives, make_effect):
    runs = [OneRun("bonsai", (make_effect(None, 2.0, None),))]
    assert (
        row_of(compare_initiatives(runs, initiatives, {})["comparison"], "bonsai")["covers_zero"]
        is None
    )


def test_a_failed_initiative_keeps_its_row_and_message_but_no_number(initiatives, effect):
    failures = {"bonsai": Text("没有对照村", "no comparison villages are left")}
    # An older run of the same initiative must not lend it a number.
    table = compare_initiatives([OneRun("bonsai", (effect,))], initiatives, failures)["comparison"]
    row = row_of(table, "bonsai")
    assert (row["status"], row["message_en"]) == ("failed", "no comparison villages are left")
    assert row["message_zh"] == "没有对照村"
    numbers = [name for name in COLUMNS if name.startswith(("att", "ci", "n_", "p_value"))]
    assert all(row[name] is None for name in [*numbers, "level", "method", "covers_zero"])


def test_an_initiative_without_an_effect_failed_and_one_without_a_run_was_not_run(initiatives):
    table = compare_initiatives([OneRun("bonsai", ())], initiatives, {})["comparison"]
    assert row_of(table, "bonsai")["status"] == "failed"
    assert row_of(table, "bonsai")["message_en"] == "the run holds no effect"
    assert row_of(table, "flowers")["status"] == "not_run"
    assert row_of(table, "flowers")["message_en"] == "there is no saved run"


def test_runs_and_failures_of_unknown_initiatives_and_doubles_are_refused(initiatives, effect):
    with pytest.raises(UsageError, match="did you mean 'bonsai'"):
        compare_initiatives([OneRun("bonsay", (effect,))], initiatives, {})
    with pytest.raises(UsageError, match="did you mean 'bonsai'"):
        compare_initiatives([], initiatives, {"bonsay": Text("", "")})
    with pytest.raises(UsageError, match="two runs"):
        compare_initiatives([OneRun("bonsai", (effect,))] * 2, initiatives, {})
