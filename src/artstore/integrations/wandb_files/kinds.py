"""What a file of W&B is, by the ending of its name."""

from __future__ import annotations

import re
from typing import Final

from artstore.integrations.wandb_files.files import WandbFiles
from artstore.integrations.wandb_files.media import MEDIA_TYPES

__all__ = ["JOINED_TABLE", "MEDIA_KINDS", "PARTITIONED_TABLE", "TABLE", "kind_of_file"]

TABLE: Final = "table"
JOINED_TABLE: Final = "joined-table"
PARTITIONED_TABLE: Final = "partitioned-table"
MEDIA_KINDS: Final = MEDIA_TYPES | {"bounding-boxes", "classes", "mask"}
"""What a file of its own can describe."""

_KINDS: Final = sorted(
    (*MEDIA_KINDS, TABLE, JOINED_TABLE, PARTITIONED_TABLE), key=len, reverse=True
)
_TYPE: Final = re.compile(rb'\s*\{\s*"_type"\s*:\s*"([\w-]{1,40})"')
_HEAD_BYTES: Final = 256


def kind_of_file(files: WandbFiles, path: str) -> str | None:
    """
    The `_type` that a file has by its name; None for a file of the user.

    `a.table.json` is a table. W&B lets `mytable.json` pass for one as well, so of such a
    name the file itself is asked; its members are sorted, and `_type` comes first.
    """
    for kind in _KINDS:
        if not path.endswith(f"{kind}.json"):
            continue
        if path.endswith(f".{kind}.json"):
            return kind
        with files.open(path) as file:
            match = _TYPE.match(file.read(_HEAD_BYTES))
        if match is not None and match[1].decode() == kind:
            return kind
    return None
