"""Every published target, within the tolerance that its printed digits allow."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest

from tests.validation.table import modules, references_of, rows_of, uncovered


@pytest.mark.parametrize("module", modules(), ids=lambda one: one.__name__.rpartition(".")[2])
def test_every_target_of_a_set_is_met(published: Path, module: ModuleType) -> None:
    rows, references = rows_of(module, published), references_of(module, published)
    assert rows or references or module.OUT_OF_SCOPE
    off = [row for row in rows if not row.is_met]
    assert not off, "\n".join(map(str, off))
    far = [one for one in references if not one.is_met]
    assert not far, "\n".join(map(str, far))


def test_every_target_of_every_card_is_reached_or_said_to_be_out_of_scope(published: Path) -> None:
    assert not uncovered(published)
