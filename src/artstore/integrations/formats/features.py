"""
The features of Hugging Face's datasets, as they stand in the metadata of a schema.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import pyarrow as pa

from artstore.integrations.formats.failures import damaged

__all__ = ["FeatureSet", "features_of", "features_of_json", "known_features"]

_NAMES: Final = {"double": "float64", "float": "float32", "halffloat": "float16"}


@dataclass(frozen=True, slots=True)
class FeatureSet:
    """
    What an import makes of features; all others are what Arrow says.

    Attributes:
        images: columns of the feature Image.
        labels: names of classes, for columns of the feature ClassLabel.
    """

    images: tuple[str, ...] = ()
    labels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def features_of(fields: Sequence[Any], images: Collection[str]) -> dict[str, Any]:
    """The features of Arrow columns, of which `images` hold images or masks."""
    return {one.name: _feature(one.type, is_image=one.name in images) for one in fields}


def _feature(kind: Any, *, is_image: bool) -> Any:
    if pa.types.is_struct(kind):
        fields = [kind.field(at) for at in range(kind.num_fields)]
        if is_image and [one.name for one in fields] == ["bytes", "path"]:
            return {"_type": "Image"}
        return {one.name: _feature(one.type, is_image=is_image) for one in fields}
    if pa.types.is_list(kind):
        return [_feature(kind.value_type, is_image=is_image)]
    name = "date32" if pa.types.is_date32(kind) else _NAMES.get(str(kind), str(kind))
    return {"dtype": name, "_type": "Value"}


def known_features(metadata: Mapping[bytes, bytes] | None, where: str) -> FeatureSet | None:
    """
    The features that the metadata of a schema tell; None if they tell none.

    Raises:
        DamagedDataError: `exchange-file-damaged`.
    """
    data = (metadata or {}).get(b"huggingface")
    if data is None:
        return None
    try:
        info = json.loads(data)["info"]
        return None if info is None else features_of_json(info["features"], where)
    except (KeyError, RecursionError, TypeError, ValueError) as error:
        raise damaged(where, f"its features are not those of a dataset ({error})") from error


def features_of_json(features: Any, where: str) -> FeatureSet:
    """The features of a `dataset_info.json`. Raises as `known_features`."""
    images, labels = [], {}
    try:
        for name, one in features.items():
            kind = one.get("_type") if isinstance(one, dict) else None
            if kind == "Image":
                images.append(str(name))
            elif kind == "ClassLabel" and one.get("names") is not None:
                labels[str(name)] = tuple(map(str, one["names"]))
    except (AttributeError, TypeError) as error:
        raise damaged(where, f"its features are not those of a dataset ({error})") from error
    return FeatureSet(tuple(images), labels)
