"""Options of the robust sets: what is asked for is what the table holds."""

from __future__ import annotations

import re

import numpy as np
import pytest

from cps.design.record import Design
from cps.errors import Text, UsageError
from cps.estimators.registry import estimate
from cps.result import Effect
from cps.robustness._honest import (
    EventStudy,
    relative_magnitude_set,
    smoothness_relative_set,
    smoothness_set,
    with_weights,
)
from cps.robustness._honest_event import event_vector
from cps.robustness._honest_options import sizes_of, target_of
from cps.robustness.registry import check_robustness
from tests.robustness.worlds import checked, panel


def _asked() -> tuple[Design, Effect, EventStudy]:
    """Give many treated units: the effect's own covariance is what the check must use."""
    one = panel(n_treated=20, n_donors=30, effect=4.0)
    effect = estimate(one, "interaction_weighted")
    times = [each.event_time for each in effect.by_event_time]
    kept = [i for i, time in enumerate(times) if time != -1]
    beta = np.array([effect.by_event_time[i].estimate.att or 0.0 for i in kept])
    sigma = np.array(effect.event_covariance)[np.ix_(kept, kept)]
    n_post = sum(time >= 0 for time in times)
    return one, effect, EventStudy(beta, sigma, len(kept) - n_post, np.eye(n_post)[0])


@pytest.mark.parametrize("method", ["c_lf", "conditional"])
@pytest.mark.parametrize("restriction", ["relative_magnitude", "smoothness_relative_magnitude"])
def test_the_sets_asked_for_are_those_of_the_effects_own_covariance(
    method: str, restriction: str
) -> None:
    one, effect, plain = _asked()
    check = checked(
        "honest_did", one, effect, mbar="0.5, 2", target="first", method=method,
        restriction=restriction,
    )  # fmt: skip
    assert check.table["mbar"] == (0.5, 2.0)
    by_hand = relative_magnitude_set if restriction[0] == "r" else smoothness_relative_set
    for place, size in enumerate((0.5, 2.0)):
        low, high = by_hand(plain, size, method="C-LF" if method == "c_lf" else "Conditional")
        # The same numbers through another door: rounding alone may differ.
        assert check.table["low"][place] == pytest.approx(low, abs=1e-9)
        assert check.table["high"][place] == pytest.approx(high, abs=1e-9)


@pytest.mark.parametrize("method", ["flci", "c_f", "c_lf", "conditional"])
def test_the_bends_asked_for_are_tried_in_units_of_the_outcome(method: str) -> None:
    one, effect, plain = _asked()
    check = checked("honest_smoothness", one, effect, m="0,0.3", target=2, method=method)
    second = with_weights(plain, np.eye(plain.n_post)[1])
    name = {"flci": "FLCI", "c_f": "C-F", "c_lf": "C-LF", "conditional": "Conditional"}[method]
    for place, size in enumerate((0.0, 0.3)):
        low, high = smoothness_set(second, size, method=name)  # type: ignore[arg-type]
        assert check.table["low"][place] == pytest.approx(low, abs=1e-9)
        assert check.table["high"][place] == pytest.approx(high, abs=1e-9)
    assert "period 2" in check.explanation.en and "自启动起第 2 期" in check.explanation.zh


def test_effects_are_asked_for_by_number_or_by_weights() -> None:
    one, effect, plain = _asked()
    found = event_vector(one, effect)
    assert not isinstance(found, Text)
    n = plain.n_post
    for given, weights in (("first", np.eye(n)[0]), ("3", np.eye(n)[2])):
        np.testing.assert_array_equal(target_of(found, given, where="").l_vec, weights)
    spread = ",".join(["0.25"] * n)
    np.testing.assert_array_equal(target_of(found, spread, where="").l_vec, np.full(n, 0.25))
    assert sizes_of("0，1", option="mbar", where="") == (0.0, 1.0)  # a full-width comma will do
    for wrong in (str(n + 1), "0", "1.5", "nan", "last", ",".join(["0"] * n), "0.5,0.5,0"):
        with pytest.raises(UsageError, match="target"):
            target_of(found, wrong, where="")
    for wrong in ("", "-1", "0.5;1", "inf"):
        with pytest.raises(UsageError, match="mbar"):
            checked("honest_did", one, effect, mbar=wrong)


def test_options_left_alone_change_nothing_and_both_languages_keep_their_numbers() -> None:
    one, effect, _ = _asked()
    (plain,) = check_robustness(one, effect, names=["honest_did"])
    assert plain == checked("honest_did", one, effect, mbar="0,0.5,1,1.5,2", target="average")
    for options in ({"target": "2"}, {"restriction": "smoothness_relative_magnitude"}):
        words = checked("honest_did", one, effect, mbar="1", **options).explanation
        found = [sorted(re.findall(r"\d+(?:\.\d+)?", text)) for text in (words.zh, words.en)]
        assert found[0] == found[1]
