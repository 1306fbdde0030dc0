"""Processes that die or are told to stop: nothing is half published, nothing is left running."""

from __future__ import annotations

import pytest

from cps.runner.edition import read_edition
from tests.faults._quick import Done, survivors, tree_bytes

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("faults-process")]


def test_two_undisturbed_runs_of_the_same_inputs_give_the_same_bytes(
    quick, undisturbed: Done, tmp_path
) -> None:
    again = quick.start(out=tmp_path / "out")
    done = again.done()
    assert done.exit_code == 0
    assert tree_bytes(done.latest) == tree_bytes(undisturbed.latest)
    assert len(tree_bytes(done.latest)) > 8
    assert not survivors(again.mark)
    read_edition(done.latest, is_checked=True)
