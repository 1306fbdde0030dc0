"""A forked kernel shows for each cell what an ordinary one shows."""

from __future__ import annotations

import contextlib
import json
import re
import signal
from collections.abc import Callable
from typing import Any

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("kernels")]
Answers = dict[str, list[dict[str, Any]]]

# Each for one thing that a fork could get wrong.
CELLS: dict[str, str] = {
    "print": "print('河西村', 1, 2.5, sep='|')\nprint('x' * 100_000)",
    "errors": "import sys\nprint('warned', file=sys.stderr)",
    "value": "{'income_yuan': [1, 2, 3], 'unit': '村'}",
    "no value": "1;",
    "traceback": "def f(n):\n    return 1 / n\n\nf(0)",
    "chained": "try:\n    {}['a']\nexcept KeyError as error:\n    raise ValueError('b') from error",
    "syntax": "a b",
    "unknown name": "no_such_name",
    "exit": "import sys\nsys.exit(3)",
    "interrupt": "raise KeyboardInterrupt",
    "own error": (
        "from cps.errors import Text, UsageError\n"
        "raise UsageError(Text('错', 'wrong'), where='D17', mend=Text('改', 'mend'))"
    ),
    "display": "from IPython.display import HTML, JSON, Markdown, display\n"
    "display(HTML('<b>b</b>'), Markdown('*m*'), JSON({'a': 1}))",
    "update": "from IPython.display import clear_output, display\n"
    "h = display('first', display_id='one')\nh.update('second')\n"
    "clear_output(wait=True)\nprint('after')",
    "frame": "import polars as pl\n"
    "frame = pl.DataFrame({'unit': ['甲', '乙', None], 'income_yuan': [1, None, 3]})\nframe",
    "query": "frame.lazy().group_by('unit', maintain_order=True).agg(pl.len()).collect()",
    "chart": "import altair as alt\n"
    "alt.Chart(alt.Data(values=[{'a': 1}])).mark_point().encode(x='a:Q')",
    "array": "import numpy as np\nnp.random.default_rng(0).normal(size=(2, 3)), "
    "np.linalg.svd(np.arange(6.0).reshape(2, 3))[1]",
    "legacy seed": "np.random.seed(3)\nnp.random.random(3)",
    "magics": "%pwd\n%who_ls\n%env VILLAGE=河西\n%precision 3\n3.14159",
    "capture": "%%capture held\nprint('inside')",
    "captured": "held.stdout",
    "history": "%history -l 2",
    "shell": "!echo 你好; echo oops >&2; exit 3",
    "shell status": "_exit_code, !echo one two",
    "shell lines": "lines = !printf 'a\\nb\\n'\nlines",
    "bash cell": "%%bash\necho $VILLAGE; cat",
    "await": "import asyncio\nawait asyncio.sleep(0, 'slept'), type(asyncio.get_running_loop())",
    "gather": "await asyncio.gather(*(asyncio.sleep(0, n) for n in range(3)))",
    "input": "input('name? ')",
    "stdin": "import sys\nsys.stdin.read(), sys.stdin.closed",
    "warning": "import warnings\nwarnings.warn('careful', UserWarning)",
    "deprecation": "warnings.warn('old', DeprecationWarning)",
    "logging": "import logging\nlogging.warning('a warning')\nlogging.info('not shown')",
    "loggers": "logging.getLogger().handlers, logging.getLogger().level",
    # What comes by a descriptor arrives when a thread has read it: a cell that ends before that
    # leaves it to the next.
    "subprocess": "import subprocess, time\n"
    "subprocess.run(['sh', '-c', 'echo out; echo err >&2; cat'], check=True)\n"
    "time.sleep(0.5)",
    "descriptor": "import os\nos.write(1, b'straight to the descriptor\\n')\ntime.sleep(0.5)",
    "no matplotlib": "import matplotlib",
    "program": "import sys\nsys.argv[0].rsplit('/', 1)[1], sys.argv[1], len(sys.argv), __name__, "
    "sys.orig_argv[1:4], sys.executable",
    "main": "import __main__\n__main__.__dict__ is globals(), hasattr(__main__, '__file__'), "
    "__main__.__spec__, __main__.__doc__, sorted(n for n in dir() if n.startswith('__'))",
    "namespace": "sorted(n for n in globals() if n[:1] != '_' and n not in 'h f lines held')[:6]",
    "path": "sys.path",
    "flags": "{n: getattr(sys.flags, n) for n in dir(sys.flags) if n[0] != '_' "
    "and n not in ('count', 'index', 'n_fields', 'n_sequence_fields', 'n_unnamed_fields')}",
    "environment": "sorted(os.environ), os.environ['PATH'], os.environ['MPLBACKEND']",
    "signals": "import signal\n{s.name: str(signal.getsignal(s)).split(' at ')[0] "
    "for s in signal.valid_signals() if isinstance(s, signal.Signals)}, "
    "signal.pthread_sigmask(signal.SIG_BLOCK, ())",
    "process": "os.getsid(0) == os.getpid() == os.getpgrp(), os.getcwd(), "
    "oct(os.umask(0o22)), os.nice(0)",
    "limits": "import resource\n{n: resource.getrlimit(getattr(resource, n)) "
    "for n in dir(resource) if n.startswith('RLIMIT_')}",
    "encodings": "import locale\nlocale.getpreferredencoding(), sys.stdout.encoding, "
    "sys.getfilesystemencoding(), sys.__stdout__.encoding",
    "time zone": "import time\ntime.tzname",
    "interpreter": "import gc\ngc.isenabled(), sys.getrecursionlimit(), "
    "sys.getswitchinterval(), sys.dont_write_bytecode",
    "thread": "import threading\n"
    "t = threading.Thread(target=print, args=('from a thread',))\nt.start()\nt.join()",
    "thread error": "t = threading.Thread(target=lambda: 1 / 0)\nt.start()\nt.join()",
    "threads": "sorted({one.name.rsplit('-', 1)[0] for one in threading.enumerate() "
    "if 'istory' not in one.name})",
    "spawn": "import math, multiprocessing\n"
    "with multiprocessing.get_context('spawn').Pool(1) as pool:\n"
    "    print(pool.map(math.sqrt, [1, 4]))",
    "fork": "pid = os.fork()\nif pid == 0:\n    os._exit(5)\nos.waitpid(pid, 0)[1] >> 8",
    "pickle": "import pickle\nclass Village:\n    pass\n"
    "type(pickle.loads(pickle.dumps(Village()))) is Village",
    "shell class": "type(get_ipython()), get_ipython().kernel.banner.split()[0], "
    "get_ipython().ipython_dir == os.path.expanduser('~/.ipython')",
    "future": "from __future__ import annotations\nprint(1)",
    "results": "_, In[0], type(Out)",
    "statistics": "from scipy import stats\nstats.norm.ppf(0.975), stats.t(5).sf(2.0)",
    # What the warm process puts off, or hides from those who import it in passing.
    "put off": "import arrow, debugpy, isoduration, numpy.f2py, requests\n"
    "debugpy.__name__, isoduration.parse_duration('P1D').date.days, arrow.get(0).year, "
    "requests.get.__module__, np.f2py.main.__name__",
    "temporary": "import tempfile\ntempfile.gettempdir()",
    "doc": "import IPython\nlen?",
    "random": "import random\nrandom.seed(1)\nrandom.random(), np.random.default_rng(5).random()",
}


@pytest.fixture(scope="module")
def both(open_kernel: Callable[..., Any]) -> list[Answers]:
    """What a forked kernel and an ordinary one show for each cell."""
    answers = []
    # Under nohup an ordinary kernel would inherit that SIGHUP is ignored.
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    for name in ("cps", "python3"):
        with contextlib.closing(open_kernel(name)) as kernel:
            assert kernel.is_forked == (name == "cps")
            answers.append(
                {cell: kernel.run(code, allow_stdin=False) for cell, code in CELLS.items()}
            )
    signal.signal(signal.SIGHUP, before)
    return answers


@pytest.mark.parametrize("cell", CELLS)
def test_a_cell_shows_what_it_shows_in_an_ordinary_kernel(cell: str, both: list[Answers]) -> None:
    forked, ordinary = both
    assert _normal(forked[cell]) == _normal(ordinary[cell])


def _normal(shown: list[dict[str, Any]]) -> str:
    """Leave out what differs between any two kernels."""
    # Two streams have no order among them.
    text = json.dumps(sorted(shown, key=lambda one: one.get("name", "")), sort_keys=True)
    text = text.encode().decode("unicode_escape", errors="replace")
    text = re.sub(r"0x[0-9a-f]+", "0x", text)
    text = re.sub(r"altair-viz-[0-9a-f]{32}", "altair-viz", text)
    text = re.sub(r"ipykernel_\d+[\\/]+\d+\.py", "cell", text)
    text = re.sub(r"(cps|python3)\.json", "connection.json", text)
    return re.sub(r"(pid|thread|Thread)[-_ ]?\d+", r"\1", text)
