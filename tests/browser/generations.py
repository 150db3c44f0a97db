"""
A graph of 500 nodes: generations of runs, each of which uses versions of the one before.
"""

from __future__ import annotations

from typing import Final

from artstore.api import Store
from tests.unit.web.lineageshelf import add_step, add_versions

GENERATIONS: Final = 25
SIDE: Final = 10
NODES: Final = 2 * GENERATIONS * SIDE


def fill_generations(store: Store) -> Store:
    """Runs gGnN of the project demo, which log line-N:vG and used two versions of v(G-1)."""
    for number in range(SIDE):
        add_versions(store, f"line-{number}", GENERATIONS)
    for generation in range(GENERATIONS):
        for number in range(SIDE):
            others = (number, (3 * number + generation) % SIDE)
            used = {f"line-{one}:v{generation - 1}" for one in others} if generation else set()
            add_step(
                store,
                f"g{generation:02d}n{number}",
                " ".join(sorted(used)),
                f"line-{number}:v{generation}",
                job_type="breed",
                name=f"run {generation}.{number}",
            )
    return store
