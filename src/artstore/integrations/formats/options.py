"""What a caller may choose of an import or export."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Final

from artstore.errors import InvalidInputError

__all__ = ["SHARD_BYTES", "ImportOptions", "check_options"]

SHARD_BYTES: Final = 512 * 1024 * 1024
"""Of one file, where a format has several: what others write, and a comfortable download."""


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """
    Options of `import_table`; each format takes those that mean something to it.

    Attributes:
        image_columns: columns of paths of images (csv, json, jsonl), relative to the file,
            or of their bytes (parquet, hf).
        images: the directory with the images (coco); else it is looked for.
        split: the part to read (imagefolder, hf): `train`; all if left out, with their
            names in a column `split`.
        masks: draw the segmentation as masks (coco).
        clip_boxes: cut boxes off at the edges of their image (coco).
    """

    image_columns: tuple[str, ...] = ()
    images: str | None = None
    split: str | None = None
    masks: bool = True
    clip_boxes: bool = False


def check_options(options: ImportOptions, format_name: str, taken: frozenset[str]) -> None:
    """
    Refuse options that a format does not take.

    Raises:
        InvalidInputError: `value-invalid`.
    """
    for one in fields(options):
        if one.name not in taken and getattr(options, one.name) != one.default:
            raise InvalidInputError(
                f"an import of {format_name} does not take the option {one.name}",
                code="value-invalid",
                hint=f"it takes {', '.join(sorted(taken)) or 'none'}",
            )
