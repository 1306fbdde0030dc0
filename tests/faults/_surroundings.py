"""Surroundings that a run may meet: other locales, no network, no fonts, full folders."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.faults._quick import ROOT

_LOOPBACK_UP = (
    "import fcntl, os, socket, struct, sys; "
    "fcntl.ioctl(socket.socket(), 0x8914, struct.pack('16sh', b'lo', 0x1)); "
    "os.execvp(sys.argv[1], sys.argv[1:])"
)


def bare(**variables: str) -> tuple[str, ...]:
    """Give the prefix of a command that sees these variables and no others."""
    return ("env", "-i", *(f"{name}={value}" for name, value in variables.items()))


def demand_namespaces(*kinds: str) -> None:
    """Skip a test where the system does not let us have namespaces of our own."""
    if shutil.which("unshare") is None:
        pytest.skip("unshare is not here")
    done = subprocess.run(["unshare", *kinds, "true"], capture_output=True, check=False)
    if done.returncode:
        pytest.skip(f"no namespace {kinds}: {done.stderr.decode(errors='replace').strip()}")


def without_network(*, has_loopback: bool) -> tuple[str, ...]:
    """Give the prefix of a command that runs in a network of its own, without a way out."""
    demand_namespaces("--net")
    if has_loopback:
        return ("unshare", "--net", sys.executable, "-c", _LOOPBACK_UP)
    return ("unshare", "--net")


def in_mounts(script: str) -> tuple[str, ...]:
    """Give the prefix of a command that runs where ``script`` has changed what is mounted."""
    demand_namespaces("--mount")
    return ("unshare", "--mount", "sh", "-ec", f'{script}\nexec "$@"', "sh")


def full_folders(*folders: str, keep: Path) -> tuple[str, ...]:
    """Give the prefix of a command that finds ``folders`` full; ``keep`` and the code stay there."""
    kept = [one for one in (keep, ROOT) if any(one.is_relative_to(place) for place in folders)]
    lines = ["mount -t tmpfs -o size=1m none /mnt"]
    lines += [f"mkdir /mnt/{n}; mount --bind '{one}' /mnt/{n}" for n, one in enumerate(kept)]
    for place in folders:
        lines += [f"mount -t tmpfs -o size=64k none {place}"]
        lines += [
            f"mkdir -p '{one}'; mount --bind /mnt/{n} '{one}'"
            for n, one in enumerate(kept)
            if one.is_relative_to(place)
        ]
        lines += [f"head -c 1000000 /dev/zero > {place}/full 2>/dev/null || true"]
    return in_mounts("\n".join(lines))


def without_fonts() -> tuple[str, ...]:
    """Give the prefix of a command that finds no font on the system."""
    places = [one for one in ("/usr/share/fonts", "/etc/fonts", "/usr/local/share/fonts")]
    return in_mounts(
        "\n".join(f"mount -t tmpfs none {one}" for one in places if Path(one).is_dir())
    )


def traced(log: Path) -> tuple[str, ...]:
    """Give the prefix of a command whose every connection, of every process, is logged."""
    if shutil.which("strace") is None:
        pytest.skip("strace is not here")
    calls = "trace=connect,sendto,sendmsg,sendmmsg"
    return ("strace", "-f", "--seccomp-bpf", "-qq", "-e", calls, "-o", str(log))


def addresses(log: Path) -> tuple[int, set[str]]:
    """Give how many local sockets were connected to, and every network address reached for."""
    text = log.read_text(encoding="utf-8", errors="replace")
    reached = re.findall(
        r'sa_family=AF_INET6?\b.*?(?:inet_addr|inet_pton)\((?:AF_INET6, )?"(.*?)"', text
    )
    return len(re.findall(r"connect\(.*sa_family=AF_UNIX", text)), set(reached)


def write_locale(folder: Path, name: str, charset: str) -> Path:
    """Compile a locale into ``folder``, for ``LOCPATH``."""
    folder.mkdir(parents=True, exist_ok=True)
    if shutil.which("localedef") is None:
        pytest.skip("localedef is not here")
    done = subprocess.run(
        ["localedef", "-i", name, "-f", charset, str(folder / f"{name}.{charset}")],
        capture_output=True,
        text=True,
        check=False,
    )
    if not (folder / f"{name}.{charset}" / "LC_CTYPE").exists():
        pytest.skip(f"no locale {name}.{charset}: {done.stderr.strip()}")
    return folder


def installed_without(folder: Path, *names: str) -> dict[str, str]:
    """Give the environment of a Python (with ``-S``) that has all our libraries but ``names``."""
    folder.mkdir(parents=True)
    for place in (Path(one) for one in sys.path if one.endswith("site-packages")):
        for entry in place.iterdir():
            if not any(entry.name.lower().startswith((one, f"_{one}")) for one in names):
                (folder / entry.name).symlink_to(entry)
    return {"PYTHONPATH": os.pathsep.join([str(folder), str(ROOT)])}
