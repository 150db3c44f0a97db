"""
A run: what it was given, what it measured, what it used and made, and the way back.

Run it anywhere: `python examples/track_a_run.py [DIRECTORY]`. Nothing but artstore is needed.
"""

import os
import sys
import tempfile
from pathlib import Path

import artstore as art


def main(directory: Path) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    # As a shell would: the store and the project of every call that names none.
    os.environ["ARTSTORE_URL"] = str(directory / "store")
    os.environ["ARTSTORE_PROJECT"] = "examples"

    data = directory / "data.csv"
    data.write_text("x,y\n" + "".join(f"{x},{3 * x}\n" for x in range(10)))
    draft = art.Artifact("line", "dataset")
    draft.add_file(data)
    art.log_artifact(draft)

    with art.init(config={"lr": 0.01}, job_type="train", dir=directory / "journals") as run:
        rows = run.use_artifact("line:latest").get_path("data.csv").download(directory / "used")
        slope = 0.0
        for line in Path(rows).read_text().splitlines()[1:]:
            x, y = map(float, line.split(","))
            slope += run.config.lr * (y - slope * x) * x
            run.log({"slope": slope, "error": y - slope * x})
        weights = directory / "slope.txt"
        weights.write_text(f"{slope}\n")
        run.log_model(weights, "line-model", aliases=["newest"])

    store = art.open_store()
    found = store.run(run.id)
    count = found.history_table().num_rows
    print(f"{found.state}: {count} rows, slope {found.summary['slope']:.2f}")
    print("\n".join(store.lineage("line-model:newest", direction="up").to_text()))


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(Path(sys.argv[1]))
    else:
        with tempfile.TemporaryDirectory() as place:
            main(Path(place))
