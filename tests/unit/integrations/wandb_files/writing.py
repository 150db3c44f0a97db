"""Directories as W&B leaves them, written by hand: sorted members, names of content."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xxhash
from PIL import Image as Pillow

NUMBER = {"wb_type": "number"}
STRING = {"wb_type": "string"}
BOOLEAN = {"wb_type": "boolean"}
TIMESTAMP = {"wb_type": "timestamp"}
NONE = {"wb_type": "none"}
ANY = {"wb_type": "any"}


def union(*types: Any) -> dict:
    return {"wb_type": "union", "params": {"allowed_types": list(types)}}


def optional(kind: Any) -> dict:
    return union(NONE, kind)


def list_of(kind: Any, length: int = 3) -> dict:
    return {"wb_type": "list", "params": {"element_type": kind, "length": length}}


def record_of(**fields: Any) -> dict:
    return {"wb_type": "typedDict", "params": {"type_map": fields}}


def const(value: Any, *, is_set: bool = False) -> dict:
    return {"wb_type": "const", "params": {"val": value, "is_set": is_set}}


def image_type(
    boxes: Mapping | None = None, masks: Mapping | None = None, classes: Mapping | None = None
) -> dict:
    """As W&B tells a column of images; the arguments are the names of classes by layer."""
    return {
        "wb_type": "image-file",
        "params": {
            "box_layers": const(
                {layer: sorted(map(int, ids)) for layer, ids in (boxes or {}).items()}
            ),
            "box_score_keys": const([], is_set=True),
            "mask_layers": const({}),
            "box_class_maps": const(dict(boxes or {})),
            "mask_class_maps": const(dict(masks or {})),
            "class_map": const(dict(classes or {})),
        },
    }


class Written:
    """A directory in which files are written as W&B does."""

    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir(parents=True, exist_ok=True)

    def file(self, path: str, data: bytes) -> str:
        place = self.root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data)
        return path

    def json(self, path: str, value: Any) -> str:
        return self.file(path, json.dumps(value, sort_keys=True).encode())

    def table(
        self, path: str, types: Mapping[str, Any], rows: Sequence[Sequence[Any]], **members: Any
    ) -> str:
        value = {
            "_type": "table",
            "column_types": record_of(**types),
            "columns": list(types),
            "data": [list(row) for row in rows],
            "log_mode": "IMMUTABLE",
            "ncols": len(types),
            "nrows": len(rows),
        }
        return self.json(path, value | members)

    def image(self, array: np.ndarray, **members: Any) -> dict:
        """The cell of an image of an array, of which the file is written."""
        data = png(array)
        path = self.file(f"media/images/{md5(data).hex()[:20]}.png", data)
        return {
            "_type": "image-file",
            "format": "png",
            "height": array.shape[0],
            "path": path,
            "sha256": sha256(data),
            "width": array.shape[1],
            **members,
        }

    def mask(self, array: np.ndarray) -> dict:
        data = png(array)
        path = self.file(f"media/images/mask/{md5(data).hex()[:20]}.mask.png", data)
        return {"_type": "mask", "path": path, "sha256": sha256(data)}

    def classes(self, *names: str, path: str = "media/classes/5a_cls.classes.json") -> dict:
        entries = [{"id": number, "name": name} for number, name in enumerate(names)]
        self.json(path, {"_type": "classes", "class_set": entries})
        digest = b64(md5((self.root / path).read_bytes()))
        return {"type": "classes-file", "path": path, "digest": digest}

    def media(self, kind: str, path: str, data: bytes, **members: Any) -> dict:
        """The record of another media value, of which the file is written."""
        self.file(path, data)
        return {"_type": kind, "path": path, "sha256": sha256(data), **members}

    def arrays(self, name: str, **columns: np.ndarray) -> dict[str, dict]:
        """The types of columns of arrays, which lie in a file."""
        buffer = io.BytesIO()
        np.savez_compressed(buffer, **columns)
        path = self.file(f"media/serialized_data/{name}.npz", buffer.getvalue())
        return {
            column: {
                "wb_type": "ndarray",
                "params": {
                    "shape": list(array.shape[1:]),
                    "serialization_path": {"key": column, "path": path},
                },
            }
            for column, array in columns.items()
        }

    def manifest(
        self,
        references: Mapping[str, Any] | None = None,
        algorithm: str = "MD5",
        name: str = "wandb_manifest.json",
    ) -> str:
        """A manifest of what lies there; the digest of the artifact."""
        contents: dict[str, Any] = {}
        for place in sorted(self.root.rglob("*")):
            path = place.relative_to(self.root).as_posix()
            if place.is_file() and not path.startswith("wandb_manifest"):
                data = place.read_bytes()
                digest = md5(data) if algorithm == "MD5" else xxhash.xxh3_128_digest(data)
                contents[path] = {"digest": b64(digest), "size": len(data)}
                if algorithm != "MD5":
                    contents[path]["extra"] = {"alg": algorithm}
        contents |= references or {}
        value = {
            "version": 1,
            "storagePolicy": "wandb-storage-policy-v1",
            "storagePolicyConfig": {"storageLayout": "V2"},
            "contents": contents,
        }
        self.json(name, value)
        text = "wandb-artifact-manifest-v1\n" + "".join(
            f"{path}:{entry['digest']}\n"
            for path, entry in sorted(contents.items())
            if isinstance(entry, dict) and "digest" in entry
        )
        if algorithm == "MD5":
            return md5(text.encode()).hex()
        return xxhash.xxh3_128_hexdigest(text.encode())


def md5(data: bytes) -> bytes:
    return hashlib.md5(data, usedforsecurity=False).digest()


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def b64(digest: bytes) -> str:
    return base64.b64encode(digest).decode()


def png(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Pillow.fromarray(array).save(buffer, format="png")
    return buffer.getvalue()


def pixels(seed: int = 0, height: int = 6, width: int = 8) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def replaced(place: str | os.PathLike[str], old: bytes, new: bytes) -> None:
    data = Path(place).read_bytes()
    assert old in data
    Path(place).write_bytes(data.replace(old, new))
