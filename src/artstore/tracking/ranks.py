"""
Which of the processes of one training job this is, and which job.

One job is one run: the process of rank 0 writes it. Who told the rank is taken in
this order, the first that holds a whole number from 0:

| from | set by | world size |
|---|---|---|
| `ARTSTORE_RANK` | the user; `none`: a program of its own, whatever stands below | `WORLD_SIZE` |
| `RANK` | torchrun, Accelerate, DeepSpeed | `WORLD_SIZE` |
| `OMPI_COMM_WORLD_RANK` | Open MPI | `OMPI_COMM_WORLD_SIZE` |
| `PMIX_RANK`, `PMI_RANK` | MPICH, Intel MPI, `srun --mpi` | `PMI_SIZE` |
| `SLURM_PROCID` above 0 | srun | `SLURM_STEP_NUM_TASKS` |
| `LOCAL_RANK`, `NODE_RANK` | Lightning, which starts its own copies of a script | `WORLD_SIZE` |
| `SLURM_PROCID` of 0 | sbatch, salloc, srun | `SLURM_STEP_NUM_TASKS` |

`RANK` stands before `SLURM_PROCID`: of `srun torchrun` the latter counts machines. MPI
too: `mpirun` in a batch script hands every process the `SLURM_PROCID=0` of the script.
`LOCAL_RANK` stands before a `SLURM_PROCID` of 0 for the same reason. A plain `python` in
a batch script has `SLURM_PROCID=0` and is rank 0. Eight independent tasks of one `srun`
are told apart from one job of eight by `ARTSTORE_RANK=none`, and by nothing else.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

__all__ = ["Job", "Rank", "is_reimporting_main", "is_spawned_child", "job", "rank"]

_DIGITS_MAX: Final = 9
_STARTERS: Final = (
    "from multiprocessing.spawn import spawn_main",
    "from multiprocessing.forkserver import main",
)
_LOKY: Final = "loky.backend.popen_loky_posix"
_SOURCES: Final = (
    ("RANK", ("WORLD_SIZE",)),
    ("OMPI_COMM_WORLD_RANK", ("OMPI_COMM_WORLD_SIZE",)),
    ("PMIX_RANK", ("PMI_SIZE",)),
    ("PMI_RANK", ("PMI_SIZE",)),
)


@dataclass(frozen=True, slots=True)
class Rank:
    """
    The place of this process in its job.

    Attributes:
        number: from 0; 0 writes the run.
        local: the place among the processes of this machine, if told.
        world_size: how many processes there are, if told.
        source: the variable that told the number; empty if none did.
    """

    number: int = 0
    local: int | None = None
    world_size: int | None = None
    source: str = ""

    @property
    def is_primary(self) -> bool:
        """Whether this is the process that writes the run."""
        return self.number == 0


@dataclass(frozen=True, slots=True)
class Job:
    """
    What stays the same when a scheduler runs a job again.

    Attributes:
        key: such as `slurm:cluster:4711`, equal in all attempts and all processes of a job.
        restart_count: how often it was started again, as far as the scheduler counts.
        source: the variable that told it.
    """

    key: str
    restart_count: int
    source: str


def rank(environ: Mapping[str, str] | None = None) -> Rank:
    """Which process of its job this is; the table of this module says who is believed."""
    environ = os.environ if environ is None else environ
    local = _number(environ, "LOCAL_RANK", "OMPI_COMM_WORLD_LOCAL_RANK", "SLURM_LOCALID")
    own = environ.get("ARTSTORE_RANK", "").strip().lower()
    if own == "none":
        return Rank(source="ARTSTORE_RANK")
    for source, sizes in (("ARTSTORE_RANK", ("WORLD_SIZE",)), *_SOURCES):
        number = _number(environ, source)
        if number is not None:
            return Rank(number, local, _size(environ, number, *sizes), source)
    slurm = _number(environ, "SLURM_PROCID")
    size = _size(environ, slurm or 0, "SLURM_STEP_NUM_TASKS")
    if slurm:
        return Rank(slurm, local, size, "SLURM_PROCID")
    copy = _copied(environ)
    if copy is not None and (slurm is None or copy.number):
        return copy
    return Rank() if slurm is None else Rank(0, local, size, "SLURM_PROCID")


def job(environ: Mapping[str, str] | None = None) -> Job | None:
    """
    The job of a scheduler that this process belongs to, by what survives a requeue.

    Slurm first (job, or array job and task, and the step within it), then PBS, LSF, Grid
    Engine, then the id that was given to torchrun: the one it draws itself is another one
    after a requeue. Two programs in one batch script have the same key unless each has its
    step (`srun`): who resumes by it adds the project and the program.
    """
    environ = os.environ if environ is None else environ
    if environ.get("SLURM_JOB_ID"):
        array, task = environ.get("SLURM_ARRAY_JOB_ID"), environ.get("SLURM_ARRAY_TASK_ID")
        number = f"{array}_{task}" if array and task else environ["SLURM_JOB_ID"]
        parts = ["slurm", environ.get("SLURM_CLUSTER_NAME", ""), number]
        if _number(environ, "SLURM_STEP_ID") is not None:
            parts.append(environ["SLURM_STEP_ID"])
        return Job(":".join(parts), _number(environ, "SLURM_RESTART_COUNT") or 0, "SLURM_JOB_ID")
    for source, name in (("PBS_JOBID", "pbs"), ("LSB_JOBID", "lsf"), ("JOB_ID", "sge")):
        # JOB_ID alone is a word that anybody may use.
        if environ.get(source) and (source != "JOB_ID" or environ.get("SGE_TASK_ID")):
            index = environ.get("LSB_JOBINDEX" if name == "lsf" else "SGE_TASK_ID", "")
            key = f"{name}:{environ[source]}" + (f":{index}" if index.isdecimal() else "")
            return Job(key, _number(environ, "RESTARTED") or 0, source)
    elastic = environ.get("TORCHELASTIC_RUN_ID")
    if elastic and elastic != "none":
        restarts = _number(environ, "TORCHELASTIC_RESTART_COUNT") or 0
        return Job(f"torchrun:{elastic}", restarts, "TORCHELASTIC_RUN_ID")
    return None


def is_spawned_child() -> bool:
    """
    Whether multiprocessing started this process afresh (spawn, forkserver, joblib's loky).

    A child that was forked with its parent's memory is none: `forks.is_child_of_fork`.
    """
    return is_reimporting_main() or any(
        text == "--multiprocessing-fork" or text.startswith(_STARTERS) or text.endswith(_LOKY)
        for text in sys.orig_argv[1:]
    )


def is_reimporting_main() -> bool:
    """
    Whether this is a spawned child that is importing its parent's program once more.

    What stands outside `if __name__ == "__main__"` runs then for a second time: an init
    there means the run that the parent has. In the worker itself, later, it means a new one.
    """
    # multiprocessing is not imported for that: a child of it has it.
    process = sys.modules.get("multiprocessing.process")
    current = getattr(process, "current_process", None)
    return current is not None and bool(getattr(current(), "_inheriting", False))


def _copied(environ: Mapping[str, str]) -> Rank | None:
    local = _number(environ, "LOCAL_RANK")
    if local is None:
        return None
    node = _number(environ, "GROUP_RANK", "NODE_RANK") or 0
    each = _number(environ, "LOCAL_WORLD_SIZE")
    # Without a count of processes a machine the number is a guess, but never 0 by mistake.
    number = node * each + local if each else local + node
    return Rank(number, local, _size(environ, number, "WORLD_SIZE"), "LOCAL_RANK")


def _size(environ: Mapping[str, str], number: int, *names: str) -> int | None:
    size = _number(environ, *names)
    return size if size is not None and size > number else None


def _number(environ: Mapping[str, str], *names: str) -> int | None:
    for name in names:
        text = environ.get(name, "").strip()
        if text.isascii() and text.isdecimal() and len(text) <= _DIGITS_MAX:
            return int(text)
    return None
