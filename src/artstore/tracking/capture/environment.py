"""
Who runs what, where: the part of it that is known at once.

No process is started and nothing large imported; what takes longer (git, packages,
GPUs) comes from `background`. Of the environment only a short list of variables is
recorded, of the command line what is no secret.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

from artstore import clock
from artstore._version import __version__
from artstore.tracking import ranks
from artstore.tracking.capture import secrets

__all__ = ["command_line", "environment", "notebook", "program"]

_ARGUMENTS_MAX_COUNT: Final = 1000
_ARGUMENT_MAX_CHARS: Final = 4000
_CONTAINER: Final = re.compile(r"\b([0-9a-f]{64})\b")


def environment(environ: Mapping[str, str] | None = None) -> dict[str, Any]:
    """
    What a run notes about its process and machine, as JSON without secrets.

    Returns:
        host, user, os, python, executable, artstore, argv, program, cwd, started, pid,
        cpu, cpu_count, cpu_usable_count, memory_bytes, variables, and where they apply
        notebook, container, slurm. What cannot be found out is None.
    Cost: under a millisecond: a few small files, no process.
    """
    environ = os.environ if environ is None else environ
    found: dict[str, Any] = {
        "host": os.uname().nodename,
        "user": _user(environ),
        "os": _system(),
        "python": f"{sys.implementation.name} {sys.version.split(maxsplit=1)[0]}",
        "executable": sys.executable or None,
        "artstore": __version__,
        "argv": command_line(),
        "program": program(),
        "cwd": _directory(),
        "started": clock.format_time(clock.now_seconds()),
        "pid": os.getpid(),
        "cpu": _processor(),
        "cpu_count": os.cpu_count(),
        "cpu_usable_count": _usable_processors(),
        "memory_bytes": _memory(),
    }
    special = {
        "notebook": notebook(environ),
        "container": _container(environ),
        "slurm": _slurm(environ),
    }
    found |= {name: value for name, value in special.items() if value}
    masked: dict[str, Any] = secrets.mask_json(found)
    masked["variables"] = secrets.recorded_variables(environ)
    return masked


def command_line(arguments: Sequence[str] | None = None) -> list[str]:
    """The command line of this process as it was given to the interpreter, secrets masked."""
    given = list(sys.orig_argv or sys.argv) if arguments is None else list(arguments)
    kept = secrets.mask_arguments(given[:_ARGUMENTS_MAX_COUNT])
    if len(given) > len(kept):
        kept.append(f"[{len(given) - len(kept)} more]")
    return [
        text if len(text) <= _ARGUMENT_MAX_CHARS else text[:_ARGUMENT_MAX_CHARS] + "[...]"
        for text in kept
    ]


def program() -> str | None:
    """
    What is run: the path of a script, `-m module`, or `-c`; None where nobody can tell.

    In a notebook it is its path, if that is known.
    """
    named = notebook()
    if named is not None:
        path: str | None = named["path"]
        return path
    main = sys.modules.get("__main__")
    spec = getattr(main, "__spec__", None)
    if spec is not None and getattr(spec, "name", None):
        return "-m " + str(spec.name).removesuffix(".__main__")
    file = getattr(main, "__file__", None)
    if file:
        return os.path.abspath(str(file))
    return "-c" if "-c" in sys.orig_argv[1:3] else None


def notebook(environ: Mapping[str, str] | None = None) -> dict[str, Any] | None:
    """
    `{"kind", "path"}` if this process is the kernel of a notebook; its path may be unknown.

    None is imported for that: who runs in a kernel has IPython loaded.
    """
    environ = os.environ if environ is None else environ
    if "IPython" not in sys.modules or "ipykernel" not in sys.modules:
        return None
    with suppress(Exception):
        shell = sys.modules["IPython"].get_ipython()
        if shell is None or getattr(shell, "kernel", None) is None:
            return None
        path = shell.user_ns.get("__vsc_ipynb_file__")
        if path:
            return {"kind": "vscode", "path": str(path)}
        kind = "colab" if "google.colab" in sys.modules else "jupyter"
        # The server names the session after its file.
        session = environ.get("JPY_SESSION_NAME") or None
        return {"kind": kind, "path": session}
    return None


def _user(environ: Mapping[str, str]) -> str:
    for name in ("LOGNAME", "USER"):
        if environ.get(name):
            return environ[name]
    try:
        import pwd

        return pwd.getpwuid(os.getuid()).pw_name
    except (ImportError, KeyError):
        # A container that runs under a number nobody has a name for.
        return str(os.getuid())


def _system() -> str:
    names = os.uname()
    system = f"{names.sysname} {names.release} {names.machine}"
    for line in _read("/etc/os-release").splitlines():
        if line.startswith("PRETTY_NAME="):
            name = line.removeprefix("PRETTY_NAME=").strip('"')
            return f"{name} ({system})"
    return system


def _directory() -> str | None:
    try:
        return os.getcwd()
    except FileNotFoundError:
        return None


def _processor() -> str | None:
    # The first part is enough: on large machines the whole is a megabyte.
    match = re.search(r"^(?:model name|Model)\s*:\s*(.+)$", _read("/proc/cpuinfo"), re.MULTILINE)
    return match[1].strip() if match else None


def _usable_processors() -> int | None:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count()


def _memory() -> int | None:
    """What this process may use: the machine's memory, or the limit of its container."""
    try:
        machine = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError):
        return None
    limit = _read("/sys/fs/cgroup/memory.max").strip()
    return min(machine, int(limit)) if limit.isdecimal() else machine


def _container(environ: Mapping[str, str]) -> dict[str, Any] | None:
    kind = None
    if environ.get("KUBERNETES_SERVICE_HOST"):
        kind = "kubernetes"
    elif environ.get("APPTAINER_NAME") or environ.get("SINGULARITY_NAME"):
        kind = "apptainer"
    elif os.path.exists("/run/.containerenv"):
        kind = "podman"
    elif os.path.exists("/.dockerenv"):
        kind = "docker"
    if kind is None:
        return None
    match = _CONTAINER.search(_read("/proc/self/cgroup") or "") or _CONTAINER.search(
        _read("/proc/self/mountinfo")
    )
    return {"kind": kind, "id": match[1] if match else None}


def _slurm(environ: Mapping[str, str]) -> dict[str, Any] | None:
    if not environ.get("SLURM_JOB_ID"):
        return None
    found: dict[str, Any] = {
        key: environ[name]
        for key, name in {
            "job_id": "SLURM_JOB_ID",
            "job_name": "SLURM_JOB_NAME",
            "cluster": "SLURM_CLUSTER_NAME",
            "partition": "SLURM_JOB_PARTITION",
            "array_job_id": "SLURM_ARRAY_JOB_ID",
            "array_task_id": "SLURM_ARRAY_TASK_ID",
            "step_id": "SLURM_STEP_ID",
        }.items()
        if environ.get(name)
    }
    job = ranks.job(environ)
    found["restart_count"] = job.restart_count if job else 0
    return found


def _read(path: str) -> str:
    try:
        with open(path, "rb") as file:
            return file.read(16384).decode("utf-8", "replace")
    except OSError:
        return ""
