"""What the warm process puts off or does without is there for whoever asks."""

from __future__ import annotations

import subprocess
import sys

import pytest

PUT_OFF = """
import sys, types
from cps.runner.warm.later import put_off
put_off("numbers")
put_off("json.tool")
put_off("no_such_module")
import json, numbers
before = numbers.__file__, numbers.__spec__.name, "Number" in vars(numbers)
from json import tool
assert type(numbers) is not types.ModuleType and "main" not in vars(tool)
assert issubclass(int, numbers.Number) and "Number" in numbers.__all__ and tool.main
assert type(numbers) is type(tool) is types.ModuleType
assert before == (numbers.__file__, "numbers", False)
assert not hasattr(numbers, "no_such_name")
try:
    import no_such_module
except ModuleNotFoundError:
    print("as ever")
"""
HIDDEN = """
import sys
from cps.runner.warm.later import hidden
import json
with hidden("json", "colorsys"):
    import json
    try:
        import colorsys
    except ImportError:
        print("hidden")
import colorsys
"""


@pytest.mark.parametrize(
    ("code", "said"),
    [(PUT_OFF, "as ever"), (HIDDEN, "hidden")],
    ids=["a module that is put off", "a module that is hidden"],
)
def test_it_is_whole_once_it_is_used(code: str, said: str) -> None:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.stdout.strip(), done.stderr) == (said, "")
