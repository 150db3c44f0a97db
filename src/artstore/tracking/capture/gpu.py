"""
NVIDIA's GPUs, asked through their own library where the driver brought it.

The library is loaded by `ctypes`: nothing has to be installed, and where there is no
driver there are no GPUs. Loading it and asking takes from milliseconds to a second, so
that it is left to threads in the background.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final

from artstore import forks

__all__ = ["Devices", "gpus"]

_LIBRARIES: Final = ("libnvidia-ml.so.1", "libnvidia-ml.so")
_NAME_BYTES: Final = 96
_CORE_TEMPERATURE: Final = 0
_MILLI: Final = 1000


class Devices:
    """
    The GPUs that this process may use, kept open to be sampled.

    Not shared with forked children: there `sample` gives nothing.
    """

    def __init__(self, environ: Mapping[str, str] | None = None) -> None:
        """Load the library and look; without a driver there are no devices."""
        self._environ = os.environ if environ is None else environ
        self._generation = forks.generation()
        self._library: Any = None
        self._handles: list[tuple[int, Any]] = []
        # Whatever a driver of another age does: a run goes on without its GPUs.
        with suppress(Exception):
            self._open()

    def describe(self) -> list[dict[str, Any]]:
        """`{"index", "name", "uuid", "memory_bytes"}` of each, and the driver's version."""
        driver = self._text("nvmlSystemGetDriverVersion")
        found = []
        for index, handle in self._handles:
            memory = self._memory(handle)
            found.append(
                {
                    "index": index,
                    "name": self._text("nvmlDeviceGetName", handle),
                    "uuid": self._text("nvmlDeviceGetUUID", handle),
                    "memory_bytes": memory[0] if memory else None,
                    "driver": driver,
                }
            )
        return found

    def sample(self) -> dict[str, float]:
        """`gpu.0.utilization` and so on; what a device does not tell is left out."""
        if self._generation != forks.generation():
            return {}
        found: dict[str, float] = {}
        for index, handle in self._handles:
            with suppress(Exception):
                found |= self._sample_one(f"gpu.{index}", handle)
        return found

    def close(self) -> None:
        """Let go of the library; may be called twice."""
        library, self._library, self._handles = self._library, None, []
        if library is not None and self._generation == forks.generation():
            with suppress(Exception):
                library.nvmlShutdown()

    def _open(self) -> None:
        forks.import_late(("ctypes",))
        import ctypes

        self._ctypes = ctypes
        library = _load(ctypes)
        if library is None or library.nvmlInit_v2():
            return
        self._library = library
        count = ctypes.c_uint()
        if library.nvmlDeviceGetCount_v2(ctypes.byref(count)):
            return
        for index in range(count.value):
            handle = ctypes.c_void_p()
            if not library.nvmlDeviceGetHandleByIndex_v2(index, ctypes.byref(handle)):
                self._handles.append((index, handle))
        visible = self._environ.get("CUDA_VISIBLE_DEVICES")
        if visible is not None:
            named = {part.strip() for part in visible.split(",")}
            self._handles = [pair for pair in self._handles if self._is_visible(*pair, named)]

    def _is_visible(self, index: int, handle: Any, named: set[str]) -> bool:
        # CUDA numbers devices as the driver does only if told to; a number is taken as it is.
        uuid = self._text("nvmlDeviceGetUUID", handle) or ""
        return str(index) in named or any(
            name and uuid.startswith(name) for name in named if not name.isdecimal()
        )

    def _sample_one(self, name: str, handle: Any) -> dict[str, float]:
        ctypes = self._ctypes
        found: dict[str, float] = {}
        rates = (ctypes.c_uint * 2)()
        if not self._library.nvmlDeviceGetUtilizationRates(handle, ctypes.byref(rates)):
            found[f"{name}.utilization"] = float(rates[0])
        memory = self._memory(handle)
        if memory and memory[0]:
            found[f"{name}.memory_bytes"] = float(memory[1])
            found[f"{name}.memory"] = 100.0 * memory[1] / memory[0]
        number = ctypes.c_uint()
        if not self._library.nvmlDeviceGetTemperature(
            handle, _CORE_TEMPERATURE, ctypes.byref(number)
        ):
            found[f"{name}.temperature_celsius"] = float(number.value)
        if not self._library.nvmlDeviceGetPowerUsage(handle, ctypes.byref(number)):
            found[f"{name}.power_watts"] = number.value / _MILLI
        return found

    def _memory(self, handle: Any) -> tuple[int, int] | None:
        """Total and used bytes."""
        # nvmlMemory_t: total, free, used.
        numbers = (self._ctypes.c_ulonglong * 3)()
        if self._library.nvmlDeviceGetMemoryInfo(handle, self._ctypes.byref(numbers)):
            return None
        return int(numbers[0]), int(numbers[2])

    def _text(self, function: str, *arguments: Any) -> str | None:
        if self._library is None:
            return None
        buffer = self._ctypes.create_string_buffer(_NAME_BYTES)
        if getattr(self._library, function)(*arguments, buffer, _NAME_BYTES):
            return None
        return str(buffer.value.decode("utf-8", "replace"))


def gpus(environ: Mapping[str, str] | None = None) -> list[dict[str, Any]]:
    """
    The GPUs that this process may use: `{"index", "name", "uuid", "memory_bytes", "driver"}`.

    Cost: milliseconds without a driver, up to a second with one; for the background.
    """
    devices = Devices(environ)
    try:
        return devices.describe()
    except Exception:  # noqa: BLE001 - as when they are opened
        return []
    finally:
        devices.close()


def _load(ctypes: Any) -> Any:
    for name in _LIBRARIES:
        with suppress(OSError):
            return ctypes.CDLL(name)
    return None
