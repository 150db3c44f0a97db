"""GPUs, through a library that answers as the driver's does."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or shutil.which("cc") is None, reason="needs a C compiler on Linux"
)

LIBRARY = """
#include <stdio.h>
typedef struct { unsigned int gpu, memory; } rates_t;
typedef struct { unsigned long long total, free, used; } memory_t;
static int inits;
int nvmlInit_v2(void) { inits++; return 0; }
int nvmlShutdown(void) { return --inits < 0; }
int nvmlSystemGetDriverVersion(char *b, unsigned n) { snprintf(b, n, "550.1"); return 0; }
int nvmlDeviceGetCount_v2(unsigned *n) { *n = 3; return 0; }
int nvmlDeviceGetHandleByIndex_v2(unsigned i, void **h) {
  if (i == 2) return 999;
  *h = (void *)(0x7f0000000010ULL + i); return 0; }
static int at(void *h) { return (int)((unsigned long long)h - 0x7f0000000010ULL); }
int nvmlDeviceGetName(void *h, char *b, unsigned n) { snprintf(b, n, "GPU %d", at(h)); return 0; }
int nvmlDeviceGetUUID(void *h, char *b, unsigned n) {
  snprintf(b, n, "GPU-%d000-aa", at(h)); return 0; }
int nvmlDeviceGetUtilizationRates(void *h, rates_t *r) { r->gpu = 50 + at(h); return 0; }
int nvmlDeviceGetMemoryInfo(void *h, memory_t *m) {
  m->total = 80ULL << 30; m->used = 20ULL << 30; m->free = 60ULL << 30; return 0; }
int nvmlDeviceGetTemperature(void *h, int s, unsigned *t) { *t = 40 + at(h); return s; }
int nvmlDeviceGetPowerUsage(void *h, unsigned *p) { *p = 123456; return at(h) == 1 ? 3 : 0; }
"""

PROGRAM = """
import json, os
from artstore.tracking.capture.gpu import Devices, gpus
devices = Devices()
row = devices.sample()
child = os.fork()
if child == 0:
    os._exit(0 if devices.sample() == {} else 1)
assert os.waitpid(child, 0)[1] == 0
devices.close()
devices.close()
print(json.dumps([gpus(), row, devices.sample()]))
"""


def asked(directory: Path, **variables: str) -> Any:
    source = directory / "nvml.c"
    source.write_text(LIBRARY)
    subprocess.run(
        ["cc", "-shared", "-fPIC", "-o", str(directory / "libnvidia-ml.so.1"), str(source)],
        check=True,
    )
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CUDA")}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        capture_output=True,
        text=True,
        check=True,
        env=kept | {"LD_LIBRARY_PATH": str(directory)} | variables,
    )
    return json.loads(done.stdout)


def test_gpus_are_described_and_sampled(tmp_path: Path) -> None:
    described, row, after = asked(tmp_path)
    assert described[1] == {
        "index": 1,
        "name": "GPU 1",
        "uuid": "GPU-1000-aa",
        "memory_bytes": 80 << 30,
        "driver": "550.1",
    }
    # The third one does not answer; the second does not tell its power.
    assert len(described) == 2
    assert row == {
        "gpu.0.utilization": 50.0,
        "gpu.0.memory_bytes": float(20 << 30),
        "gpu.0.memory": 25.0,
        "gpu.0.temperature_celsius": 40.0,
        "gpu.0.power_watts": 123.456,
        "gpu.1.utilization": 51.0,
        "gpu.1.memory_bytes": float(20 << 30),
        "gpu.1.memory": 25.0,
        "gpu.1.temperature_celsius": 41.0,
    }
    assert after == {}


@pytest.mark.parametrize(
    ("visible", "indices"),
    [("1", [1]), ("GPU-0000", [0]), ("", []), ("-1", []), ("1,0", [0, 1]), ("GPU-1000-aa", [1])],
)
def test_only_those_that_the_process_may_use(
    tmp_path: Path, visible: str, indices: list[int]
) -> None:
    described, row, _ = asked(tmp_path, CUDA_VISIBLE_DEVICES=visible)
    assert [each["index"] for each in described] == indices
    assert {int(name.split(".")[1]) for name in row} == set(indices)
