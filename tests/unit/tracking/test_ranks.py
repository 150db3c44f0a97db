"""Which process of a job this is, and which job, from the variables of real launchers."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from artstore.tracking.ranks import Job, Rank, is_reimporting_main, is_spawned_child, job, rank

SBATCH = {"SLURM_JOB_ID": "9", "SLURM_PROCID": "0", "SLURM_LOCALID": "0", "SLURM_NTASKS": "4"}


@pytest.mark.parametrize(
    ("variables", "number", "world_size", "source"),
    [
        ({}, 0, None, ""),
        ({"RANK": "3", "LOCAL_RANK": "1", "WORLD_SIZE": "4"}, 3, 4, "RANK"),
        # srun torchrun: Slurm counts machines, torchrun processes.
        (SBATCH | {"SLURM_PROCID": "1", "RANK": "0", "WORLD_SIZE": "8"}, 0, 8, "RANK"),
        # mpirun in a batch script: all have the SLURM_PROCID of the script.
        (
            SBATCH | {"OMPI_COMM_WORLD_RANK": "2", "OMPI_COMM_WORLD_SIZE": "4"},
            2,
            4,
            "OMPI_COMM_WORLD_RANK",
        ),
        (SBATCH | {"PMI_RANK": "2", "PMI_SIZE": "3"}, 2, 3, "PMI_RANK"),
        # A plain python in a batch script, whatever --ntasks says.
        (SBATCH, 0, None, "SLURM_PROCID"),
        (SBATCH | {"SLURM_PROCID": "5", "SLURM_STEP_NUM_TASKS": "8"}, 5, 8, "SLURM_PROCID"),
        # Lightning's own copies: the first process has no variables, the others these.
        ({"LOCAL_RANK": "1", "NODE_RANK": "0", "WORLD_SIZE": "2"}, 1, 2, "LOCAL_RANK"),
        (SBATCH | {"LOCAL_RANK": "1", "WORLD_SIZE": "2"}, 1, 2, "LOCAL_RANK"),
        ({"LOCAL_RANK": "0", "NODE_RANK": "1", "WORLD_SIZE": "4"}, 1, 4, "LOCAL_RANK"),
        ({"LOCAL_RANK": "0"}, 0, None, "LOCAL_RANK"),
        # Eight tasks that have nothing to do with each other.
        (SBATCH | {"SLURM_PROCID": "5", "ARTSTORE_RANK": "none"}, 0, None, "ARTSTORE_RANK"),
        ({"RANK": "5", "ARTSTORE_RANK": "0"}, 0, None, "ARTSTORE_RANK"),
        ({"ARTSTORE_RANK": "2"}, 2, None, "ARTSTORE_RANK"),
        # What is no number is nobody's rank.
        ({"RANK": "captain"}, 0, None, ""),
        ({"RANK": "-1", "WORLD_SIZE": "1"}, 0, None, ""),
        ({"RANK": ""}, 0, None, ""),
        ({"RANK": "²"}, 0, None, ""),
        ({"RANK": "5", "WORLD_SIZE": "2"}, 5, None, "RANK"),
    ],
)
def test_the_rank_is_told_by_the_right_variable(
    variables: dict[str, str], number: int, world_size: int | None, source: str
) -> None:
    found = rank(variables)
    assert (found.number, found.world_size, found.source) == (number, world_size, source)
    assert found.is_primary is (number == 0)


def test_the_place_on_the_machine_is_told_too() -> None:
    assert rank({"RANK": "9", "LOCAL_RANK": "1"}) == Rank(9, 1, None, "RANK")


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, None),
        (SBATCH, Job("slurm::9", 0, "SLURM_JOB_ID")),
        (
            SBATCH | {"SLURM_RESTART_COUNT": "2", "SLURM_CLUSTER_NAME": "big"},
            Job("slurm:big:9", 2, "SLURM_JOB_ID"),
        ),
        (
            SBATCH | {"SLURM_ARRAY_JOB_ID": "8", "SLURM_ARRAY_TASK_ID": "3"},
            Job("slurm::8_3", 0, "SLURM_JOB_ID"),
        ),
        (SBATCH | {"SLURM_STEP_ID": "1"}, Job("slurm::9:1", 0, "SLURM_JOB_ID")),
        # What torchrun drew itself is another one after a requeue.
        (SBATCH | {"TORCHELASTIC_RUN_ID": "abc"}, Job("slurm::9", 0, "SLURM_JOB_ID")),
        (
            {"TORCHELASTIC_RUN_ID": "mine", "TORCHELASTIC_RESTART_COUNT": "1"},
            Job("torchrun:mine", 1, "TORCHELASTIC_RUN_ID"),
        ),
        ({"TORCHELASTIC_RUN_ID": "none"}, None),
        ({"PBS_JOBID": "12.host"}, Job("pbs:12.host", 0, "PBS_JOBID")),
        ({"LSB_JOBID": "12", "LSB_JOBINDEX": "4"}, Job("lsf:12:4", 0, "LSB_JOBID")),
        ({"JOB_ID": "12", "SGE_TASK_ID": "undefined"}, Job("sge:12", 0, "JOB_ID")),
        ({"JOB_ID": "nightly"}, None),
    ],
)
def test_a_job_is_known_again_after_a_requeue(
    variables: dict[str, str], expected: Job | None
) -> None:
    assert job(variables) == expected


PROGRAM = """
import json, multiprocessing, sys
from artstore.tracking.ranks import is_reimporting_main, is_spawned_child

print(json.dumps([__name__, is_spawned_child(), is_reimporting_main()]), flush=True)

def work():
    print(json.dumps(["work", is_spawned_child(), is_reimporting_main()]), flush=True)

if __name__ == "__main__":
    context = multiprocessing.get_context(sys.argv[1])
    process = context.Process(target=work)
    process.start()
    process.join()
"""


@pytest.mark.parametrize("method", ["spawn", "forkserver", "fork"])
def test_children_know_when_they_import_the_program_again(method: str, tmp_path: Path) -> None:
    script = tmp_path / "program.py"
    script.write_text(PROGRAM)
    done = subprocess.run(
        [sys.executable, str(script), method], capture_output=True, text=True, check=True
    )
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert lines[0] == ["__main__", False, False]
    assert lines[-1] == ["work", method != "fork", False]
    assert lines[1:-1] == ([["__mp_main__", True, True]] if method != "fork" else [])


def test_this_process_is_nobodys_child() -> None:
    assert not is_spawned_child()
    assert not is_reimporting_main()
