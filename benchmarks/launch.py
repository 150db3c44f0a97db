"""
Run one command, wait for it, and print what it cost as JSON.

This file is a program of its own, started with `python -I -S`, because of the
peak memory: the kernel counts the pages of the process that forked into the
peak of the process that was started. A harness of 60 MB would show 60 MB for
`cp`. This one stays near 10 MB, and that is the floor of every figure.

The request is read from stdin:
    {"argv": [...], "cwd": str, "env": {...}, "output": path of a file}
"""

import json
import os
import resource
import sys
import time


def _io_counters(pid: int) -> dict[str, int]:
    """Bytes moved by read and write calls, those of reaped children included."""
    try:
        with open(f"/proc/{pid}/io", encoding="ascii") as lines:
            counters = dict(line.split(": ", 1) for line in lines)
    except OSError:
        return {}
    return {"read_bytes": int(counters["rchar"]), "written_bytes": int(counters["wchar"])}


def main() -> None:
    request = json.load(sys.stdin)
    os.chdir(request["cwd"])
    actions = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, request["output"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644),
        (os.POSIX_SPAWN_DUP2, 1, 2),
    ]
    argv = request["argv"]
    began = time.perf_counter()
    pid = os.posix_spawnp(argv[0], argv, request["env"], file_actions=actions)
    counters: dict[str, int] = {}
    if sys.platform == "linux":
        # The process is left a zombie for a moment: its counters can still be read.
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        seconds = time.perf_counter() - began
        counters = _io_counters(pid)
        _, status, _ = os.wait4(pid, 0)
    else:
        _, status, _ = os.wait4(pid, 0)
        seconds = time.perf_counter() - began
    # RUSAGE_CHILDREN holds the largest single process below us, the command's
    # own children included; wait4 alone would tell of the command only.
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    unit = 1 if sys.platform == "darwin" else 1024
    report = {
        "exit_status": os.waitstatus_to_exitcode(status),
        "seconds": seconds,
        "user_seconds": usage.ru_utime,
        "system_seconds": usage.ru_stime,
        "peak_bytes": usage.ru_maxrss * unit,
        **counters,
    }
    print(json.dumps(report))


if __name__ == "__main__":
    main()
