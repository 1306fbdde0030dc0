"""Parameters of a notebook: what papermill lets through is refused here."""

from __future__ import annotations

from types import ModuleType

import pytest

from cps.errors import UsageError
from cps.runner.parameters import check_parameters

GOOD = {"initiative": "bonsai", "panel": "p", "outcome": "income_yuan", "seed": 1, "out": "o"}


def test_declared_parameters_pass_and_modules_and_private_names_are_no_parameters() -> None:
    kernel = {
        "In": [],
        "Out": {},
        "exit": object(),
        "get_ipython": object(),
        "_i1": "",
        "__name__": "",
    }
    namespace = {**GOOD, **kernel, "cps": ModuleType("cps")}
    assert check_parameters(namespace) == GOOD


@pytest.mark.parametrize(
    ("misspelled", "meant"),
    [("initiatve", "initiative"), ("Seed", "seed"), ("outcomes", "outcome"), ("pannel", "panel")],
)
def test_a_misspelled_name_is_refused_with_the_nearest(misspelled: str, meant: str) -> None:
    with pytest.raises(UsageError) as caught:
        check_parameters({**GOOD, misspelled: "x"})
    assert misspelled in caught.value.message("zh")
    assert f"did you mean {meant!r}" in caught.value.message("en")


@pytest.mark.parametrize(
    ("name", "value"),
    [("seed", "0"), ("seed", 1.0), ("seed", True), ("initiative", 3), ("out", None)],
)
def test_a_value_of_another_type_is_refused_and_shown(name: str, value: object) -> None:
    with pytest.raises(UsageError) as caught:
        check_parameters({**GOOD, name: value})
    assert name in str(caught.value)
    assert repr(value) in caught.value.message("en")


def test_a_missing_parameter_is_named() -> None:
    with pytest.raises(UsageError, match="outcome"):
        check_parameters({name: value for name, value in GOOD.items() if name != "outcome"})


def test_the_overview_takes_runs_and_no_initiative() -> None:
    own = {name: value for name, value in GOOD.items() if name != "initiative"} | {"runs": "r"}
    assert check_parameters(own, runs=str) == own
    with pytest.raises(UsageError, match="initiative"):
        check_parameters({**own, "initiative": "bonsai"}, runs=str)
