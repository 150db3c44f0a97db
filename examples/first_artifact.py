"""
A first artifact: a directory becomes a version, changes, becomes the next one, and comes back.

Run it anywhere: `python examples/first_artifact.py [DIRECTORY]`. Nothing but artstore is needed.
"""

import sys
import tempfile
from pathlib import Path

import artstore as art


def main(directory: Path) -> None:
    data = directory / "data"
    (data / "train").mkdir(parents=True)
    (data / "train" / "a.txt").write_text("zero\n")
    (data / "train" / "b.txt").write_text("one\n")
    (data / "labels.csv").write_text("file,label\ntrain/a.txt,0\ntrain/b.txt,1\n")

    # A store is a directory; the first version makes it.
    store = art.open_store(str(directory / "store"), project="examples")

    draft = art.Artifact("numbers", type="dataset", metadata={"language": "en"})
    draft.add_dir(data)
    first = store.log_artifact(draft, aliases=["best"])
    print(f"{first.name} holds {first.file_count} files, {first.size} bytes")

    (data / "train" / "c.txt").write_text("two\n")
    draft = art.Artifact("numbers", type="dataset")
    draft.add_dir(data)
    second = store.log_artifact(draft)
    again = store.log_artifact(draft)
    print(f"{second.name} is new; logged again it stays {again.version}")

    diff = store.diff(f"numbers:{first.version}", f"numbers:{second.version}")
    print("added since:", ", ".join(change.path for change in diff.added))

    best = store.artifact("numbers:best")
    pulled = best.download(directory / "out")
    print(f"{best.version} is back in {pulled.root}: {pulled.written_files} files")
    print("one entry, without a checkout:", best.read("train/b.txt").decode().strip())


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(Path(sys.argv[1]))
    else:
        with tempfile.TemporaryDirectory() as made:
            main(Path(made))
