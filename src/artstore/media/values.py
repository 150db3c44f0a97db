"""
What every media value offers to the layers that store it, and the checks they share.
"""

from __future__ import annotations

import operator
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

from artstore import forks
from artstore.errors import InvalidInputError
from artstore.media.content import MediaFile

__all__ = [
    "MediaValue",
    "PreparedMedia",
    "as_array",
    "is_channels_first",
    "require_mapping",
    "text_or_none",
    "unknown_input",
    "whole",
]


@dataclass(frozen=True, slots=True)
class PreparedMedia:
    """
    A media value, ready to be stored.

    Attributes:
        cell: plain Python, the same fields for every value of the kind.
        files: what the cell names; the same file may come with many cells.
    """

    cell: dict[str, Any]
    files: tuple[MediaFile, ...] = ()


class MediaValue(Protocol):
    """
    A value with files of its own: an image, a sound, a class set.

    `identity` is what says whether two values are the same, without paths and
    without digests of encoded bytes, which a release of Pillow may change; the
    digest of a table is computed over it. `prepare` encodes, and is called once.

    Attributes:
        type_name: what W&B's files call the kind: `image-file`.
    """

    type_name: ClassVar[str]

    @property
    def digest(self) -> bytes:
        """32 bytes: of the content, without caption and the like."""
        ...

    def identity(self) -> dict[str, Any]:
        """What counts, as plain Python; cheap."""
        ...

    def prepare(self) -> PreparedMedia:
        """The cell and the files it names."""
        ...


def text_or_none(value: object, what: str) -> str | None:
    """
    Free text of a user; numbers are written out, since captions often are labels.

    Raises:
        InvalidInputError: `value-invalid` for half surrogates, which no file can hold.
    """
    if value is None:
        return None
    text = str(value)
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise InvalidInputError(f"{what} is not valid Unicode", code="value-invalid") from error
    return text


def whole(value: object) -> int | None:
    """`value` as an int if it is a whole number of any library, but not a truth value."""
    if type(value).__name__ in ("bool", "bool_"):
        return None
    try:
        return operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        return None


def as_array(data: Any) -> Any:
    """
    A numpy array of what numpy, torch, jax or tensorflow hold; None for anything else.

    Nothing is imported to find out: the value says by its methods what it is.
    """
    if hasattr(data, "detach") and hasattr(data, "cpu"):
        data = data.detach().cpu()
        if str(data.dtype) == "torch.bfloat16":
            # numpy has no such number; every one of them is a float32.
            data = data.float()
        data = data.numpy()
    if not (hasattr(data, "__array__") or hasattr(data, "__array_interface__")):
        return None
    forks.import_late(("numpy",))
    import numpy as np

    array = np.asarray(data)
    if array.dtype.kind == "V" and array.dtype.name == "bfloat16":
        return array.astype(np.float32)
    return array


def is_channels_first(data: Any) -> bool:
    """Whether the library of `data` puts channels before rows: torch does, always."""
    return hasattr(data, "detach") and hasattr(data, "cpu")


def unknown_input(kind: str, data: object, wanted: str) -> InvalidInputError:
    """That no `kind` is made from a value of this type."""
    found = f"{type(data).__module__}.{type(data).__qualname__}"
    return InvalidInputError(
        f"{kind} cannot be made from {found}",
        code="media-input-unknown",
        hint=f"give {wanted}",
        found=found,
    )


def require_mapping(value: object, what: str, code: str) -> Mapping[Any, Any]:
    """`value`, if it is a dict; `what` names it in the error."""
    if not isinstance(value, Mapping):
        raise InvalidInputError(
            f"{what} is {type(value).__name__}, and has to be a dict", code=code
        )
    return value
