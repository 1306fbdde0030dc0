"""Linux process control: whose child is whose, and how a whole tree ends."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_PR_SET_NAME = 15
_PR_SET_CHILD_SUBREAPER = 36

# Bound before any fork: a forked child must not look libraries up.
_prctl = ctypes.CDLL(None, use_errno=True).prctl


def die_with_parent(parent: int, signum: int) -> None:
    """Ask the kernel for ``signum`` when process ``parent`` ends; ends at once if it has ended."""
    _call(_PR_SET_PDEATHSIG, int(signum))
    if os.getppid() != parent:
        os._exit(128 + signum)


def adopt_orphans() -> None:
    """Make this process the parent of every descendant whose own parent ends."""
    _call(_PR_SET_CHILD_SUBREAPER, 1)


def set_name(name: str) -> None:
    """Set the name that ``ps`` shows; 15 bytes at most."""
    _prctl(_PR_SET_NAME, ctypes.c_char_p(name.encode(errors="replace")[:15]), 0, 0, 0)


def listen_to_signals(*signals: signal.Signals) -> int:
    """Send ``signals`` into a pipe, so that one poll waits for everything; ignore Ctrl-C.

    Ctrl-C is for the owner to judge: it closes the life line when it means it.
    """
    read, write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(write, warn_on_full_buffer=False)
    for signum in signals:
        signal.signal(signum, lambda *_: None)
    for signum in (signal.SIGINT, signal.SIGHUP):
        signal.signal(signum, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    return read


def end_descendants() -> None:
    """Kill and reap every descendant; waits until the last has ended.

    The caller must have called :func:`adopt_orphans`: what is left of a killed parent becomes a
    child of the caller and ends in the next round. Processes of another user are left alone.
    """
    left: set[int] = set()
    while True:
        reap()
        children = [pid for pid in children_of(os.getpid()) if pid not in left]
        if not children:
            return
        for pid in children:
            if not kill_tree(pid):
                left.add(pid)
                continue
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, 0)


def kill_tree(root: int) -> bool:
    """Kill a process and all its descendants; False if ``root`` itself is another user's."""
    reached = {pid: _send(pid, signal.SIGKILL) for pid in _stop_tree(root)}
    return reached[root]


def reap() -> dict[int, int]:
    """Collect the wait status of every child that has ended; never waits."""
    statuses: dict[int, int] = {}
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return statuses
        if pid == 0:
            return statuses
        statuses[pid] = status


def children_of(pid: int) -> list[int]:
    """List the children of a process, of all its threads."""
    found: list[int] = []
    try:
        for thread in os.listdir(f"/proc/{pid}/task"):
            # One read of a file that the kernel makes up; gone threads have no children.
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                text = Path(f"/proc/{pid}/task/{thread}/children").read_bytes()
                found += map(int, text.split())
    except (FileNotFoundError, ProcessLookupError):
        return found
    return found if found or _HAS_CHILDREN_FILE else _children_by_scan(pid)


_HAS_CHILDREN_FILE = os.path.exists("/proc/self/task") and os.path.exists(
    f"/proc/self/task/{os.getpid()}/children"
)


def _children_by_scan(parent: int) -> list[int]:
    # Kernels without CONFIG_PROC_CHILDREN: the parent is the second field after the name.
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            with contextlib.suppress(OSError):
                stat = Path(f"/proc/{entry}/stat").read_bytes()
                if int(stat.rpartition(b")")[2].split()[1]) == parent:
                    found.append(int(entry))
    return found


def _stop_tree(root: int) -> list[int]:
    """Stop a tree from its root down, so that nothing in it can fork while it is killed."""
    tree: list[int] = []
    known: set[int] = set()
    queue = [root]
    while queue:
        pid = queue.pop()
        if pid in known:
            continue
        known.add(pid)
        tree.append(pid)
        _send(pid, signal.SIGSTOP)
        queue += children_of(pid)
    return tree


def _send(pid: int, signum: int) -> bool:
    try:
        os.kill(pid, signum)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return True


def _call(option: int, value: int) -> None:
    if _prctl(option, ctypes.c_ulong(value), 0, 0, 0) != 0:
        code = ctypes.get_errno()
        raise OSError(code, f"prctl({option}): {os.strerror(code)}")
