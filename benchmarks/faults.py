"""Every heavy fault of a run in its full count: kills, failing calls, races, flipped bits.

    python benchmarks/faults.py [PART …] [--share F] [--seed N]

One line a part: trials, violations, minutes; each violation on a line of its own before it. Ends
with 3 if there was any. Parts: kills, calls, kernels, full, races, store, bits; all if none is
named. ``--share 0.1`` runs a tenth of each.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from benchmarks._fault_disk import Template

Trial = tuple[str, list[str]]
_KILLS, _RACES, _KEPT_BITS, _BITS = 200, 20, 10_000, 300
_KERNEL_CALLS, _FULL_DISKS = 60, 40


@dataclass(frozen=True)
class Ground:
    """What all parts start from.

    Parameters
    ----------
    folder : Path
        For the trials.
    options : list of str
        Of a quick run.
    share : float
        Part of the full count to run.
    seed : int
    """

    folder: Path
    options: list[str]
    share: float
    seed: int

    def count(self, full: int) -> int:
        """Give how many trials of ``full`` are to be run."""
        return max(1, round(full * self.share))

    def template(self) -> Template:
        """Give an output folder that lacks nothing but the name of its next edition."""
        from benchmarks._fault_disk import make_template

        return make_template(self.options, self.folder / "template")


def kills(ground: Ground) -> Iterator[Trial]:
    """Kill any process of a run at a random moment."""
    from benchmarks._fault_kills import kill_points

    folder = ground.folder / "kills"
    folder.mkdir()
    for one in kill_points(ground.count(_KILLS), seed=ground.seed, folder=folder):
        yield f"{one.role} at {one.seconds:.2f} s", list(one.violations)


def calls(ground: Ground) -> Iterator[Trial]:
    """Make every call that changes the output folder fail, three ways, one run each."""
    from benchmarks._fault_disk import count_calls, fail_calls

    template = ground.template()
    total = count_calls(template, ground.folder, "--cold")
    step = max(1, round(1 / ground.share))
    yield from fail_calls(template, ground.folder, range(1, total + 1, step), "--cold")


def kernels(ground: Ground) -> Iterator[Trial]:
    """Make calls fail all over a run in which warm kernels execute everything."""
    from benchmarks._fault_disk import count_calls, fail_calls

    bare = _bare(ground.template())
    total = count_calls(bare, ground.folder)
    step = max(1, total // ground.count(_KERNEL_CALLS))
    for number in range(1, total + 1, step):
        error = ("ENOSPC", "EIO", "killed")[number // step % 3]
        yield from fail_calls(bare, ground.folder, [number], errors=[error])


def full(ground: Ground) -> Iterator[Trial]:
    """Fill the disk at a call, for good: all later calls fail as well."""
    from benchmarks._fault_disk import count_calls, fail_calls

    template = ground.template()
    total = count_calls(template, ground.folder, "--cold")
    step = max(1, total // ground.count(_FULL_DISKS))
    yield from fail_calls(
        template,
        ground.folder,
        range(1, total + 1, step),
        "--cold",
        errors=["ENOSPC"],
        lasting=True,
    )


def races(ground: Ground) -> Iterator[Trial]:
    """Start two runs at once and a third that waits."""
    from benchmarks._fault_races import gate, race
    from tests.faults._quick import run_cps, tree_bytes, write_notebooks

    folder, flag = ground.folder / "races", ground.folder / "flag"
    flag.touch()
    notebooks = write_notebooks(folder / "notebooks", initiative=gate(flag))
    options = [*ground.options, "--notebooks", str(notebooks)]
    alone = run_cps(*options, out=folder / "alone")
    assert alone.exit_code == 0, alone.stdout + alone.stderr
    slowest = 0.0
    for label, wrong, seconds in race(
        options, tree_bytes(alone.latest), folder, flag, ground.count(_RACES)
    ):
        slowest = max(slowest, seconds)
        yield label, wrong
    print(f"races: the slowest loser ended {slowest:.2f} s after the start", flush=True)


def store(ground: Ground) -> Iterator[Trial]:
    """Flip one bit of a kept result and ask the store for it."""
    from benchmarks._fault_disk import flip_kept

    template = ground.template()
    trials = ground.count(_KEPT_BITS)
    wrong, found = flip_kept(template, ground.folder, trials, ground.seed)
    for number in range(trials):
        yield f"bit {number + 1}", ["a wrong value was served"] if number < wrong else []
    print(f"store: {found} of {trials} flipped bits were found and told", flush=True)


def bits(ground: Ground) -> Iterator[Trial]:
    """Flip one bit of the store or of the newest edition, and run."""
    from benchmarks._fault_disk import flip_anywhere

    trials = ground.count(_BITS)
    yield from flip_anywhere(ground.template(), ground.folder / "bits", trials, ground.seed)


PARTS: dict[str, Callable[[Ground], Iterator[Trial]]] = {
    "kills": kills,
    "calls": calls,
    "kernels": kernels,
    "full": full,
    "races": races,
    "store": store,
    "bits": bits,
}


def main() -> int:
    """Run the parts, print a line for each."""
    # What is tested in small is what is counted here.
    sys.path.insert(0, str(Path(__file__).parents[1]))
    from tests.faults._quick import write_initiatives, write_ledgers, write_notebooks

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--share", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=7)
    given = parser.parse_args()
    total = 0
    for name in given.parts or PARTS:
        with tempfile.TemporaryDirectory(prefix="faults-") as place:
            folder = Path(place)
            inputs = {
                "--data": write_ledgers(folder),
                "--initiatives": write_initiatives(folder / "initiatives"),
                "--notebooks": write_notebooks(folder / "notebooks"),
            }
            options = [str(one) for pair in inputs.items() for one in pair]
            ground = Ground(
                folder, [*options, "--langs", "zh", "--workers", "2"], given.share, given.seed
            )
            total += _counted(name, ground)
    return 3 if total else 0


def _counted(name: str, ground: Ground) -> int:
    began, trials, violations = time.monotonic(), 0, 0
    for label, wrong in PARTS[name](ground):
        trials += 1
        violations += bool(wrong)
        for one in wrong:
            print(f"{name}: {label}: {one}", flush=True)
    minutes = (time.monotonic() - began) / 60
    print(f"{name}: {trials} trials, {violations} violations, {minutes:.1f} min", flush=True)
    return violations


def _bare(template: Template) -> Template:
    """Give the same folder with an empty store: everything has to be executed."""
    out = template.out.with_name("bare")
    shutil.copytree(template.out, out, symlinks=True)
    shutil.rmtree(out / ".store")
    return replace(template, out=out)


if __name__ == "__main__":
    sys.exit(main())
