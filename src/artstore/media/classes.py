"""
Class sets: which number stands for which class, written and digested in one way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, ClassVar

from artstore import canonical
from artstore.digest import digest_of
from artstore.errors import DamagedDataError, InvalidInputError
from artstore.media.content import BytesContent, MediaContent, MediaFile, member_path
from artstore.media.values import PreparedMedia, require_mapping, text_or_none, whole

__all__ = ["Classes", "labels_for"]

_ID_MAX = 2**63


class Classes:
    """
    The classes that boxes, masks or labels speak of.

    Identity: the digest is BLAKE3 of `canonical()`, the JSON
    `{"_type":"classes","class_set":[{"id":0,"name":"dog"},...]}`, sorted by id,
    numbers before texts. The order in which classes were given does not count.

    Args:
        class_set: dicts with `id` (whole number or text, each once) and `name`.
    Raises:
        InvalidInputError: `classes-invalid`, `value-invalid`.
    """

    __slots__ = ("_data", "_digest", "_load", "_names")

    type_name: ClassVar[str] = "classes"

    _data: bytes | None
    _digest: bytes
    _load: Callable[[], bytes] | None
    _names: dict[int | str, str] | None

    def __init__(self, class_set: Sequence[Mapping[str, Any]]) -> None:
        names = _checked(class_set)
        data = canonical.encode(_as_json(names), what="a class set")
        self._take(digest_of(data), names=names, data=data)

    @classmethod
    def stored(cls, digest: bytes, load: Callable[[], bytes]) -> Classes:
        """
        A class set whose file is read when a name is first asked for.

        Args:
            digest: of the file.
            load: gives its bytes, verified.
        """
        classes = cls.__new__(cls)
        classes._take(digest, load=load)  # noqa: SLF001 - made by this class
        return classes

    @property
    def digest(self) -> bytes:
        """32 bytes, of the canonical JSON."""
        return self._digest

    @property
    def class_set(self) -> list[dict[str, Any]]:
        """`{"id", "name"}` of each class, sorted by id."""
        return [{"id": key, "name": name} for key, name in self.names.items()]

    @property
    def names(self) -> Mapping[int | str, str]:
        """
        Name by id.

        Raises:
            DamagedDataError: `media-cell-damaged`, `value-invalid`, if a stored
                file is not a class set.
        """
        if self._names is None:
            self._names = _decoded(self.canonical())
        return self._names

    def name_of(self, class_id: int | str) -> str | None:
        """What the class is called; None for an id that is not in the set."""
        return self.names.get(class_id)

    def id_of(self, name: str) -> int | str | None:
        """The lowest id of that name; None if there is none."""
        return next((key for key, found in self.names.items() if found == name), None)

    def canonical(self) -> bytes:
        """The bytes of the file."""
        if self._data is None:
            assert self._load is not None
            self._data = self._load()
        return self._data

    @property
    def path(self) -> str:
        """Where the file lies in an artifact."""
        return member_path("classes", self.digest, "classes.json")

    def file(self) -> MediaFile:
        """The file of the class set."""
        return MediaFile(self.path, _ClassesContent(self))

    def identity(self) -> dict[str, Any]:
        return {"digest": self.digest.hex()}

    def prepare(self) -> PreparedMedia:
        return PreparedMedia(_as_json(self.names))

    @classmethod
    def from_cell(
        cls, cell: Mapping[str, Any], open_content: Callable[[str], MediaContent] | None = None
    ) -> Classes:
        """The class set that `prepare` gave as `cell`. Raises DamagedDataError."""
        del open_content
        try:
            return cls(cell["class_set"])
        except (InvalidInputError, KeyError, TypeError) as error:
            raise _damaged(error) from error

    def _take(
        self,
        digest: bytes,
        *,
        names: dict[int | str, str] | None = None,
        data: bytes | None = None,
        load: Callable[[], bytes] | None = None,
    ) -> None:
        self._digest, self._names, self._data, self._load = digest, names, data, load

    def __len__(self) -> int:
        return len(self.names)

    def __contains__(self, class_id: object) -> bool:
        return class_id in self.names

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Classes) and self.digest == other.digest

    def __hash__(self) -> int:
        return hash(self.digest)

    def __repr__(self) -> str:
        return f"Classes({self.class_set!r})"


class _ClassesContent:
    """Bytes of a class set, loaded only if somebody reads them."""

    __slots__ = ("_classes",)

    def __init__(self, classes: Classes) -> None:
        self._classes = classes

    @property
    def digest(self) -> bytes:
        return self._classes.digest

    def open(self) -> Any:
        return BytesContent.of(self.read()).open()

    def read(self) -> bytes:
        return self._classes.canonical()


def labels_for(
    class_labels: Mapping[Any, Any] | None,
    classes: Classes | None,
    used: Iterable[int],
    what: str,
) -> Classes | None:
    """
    The classes that the ids of a layer are of.

    Those of `class_labels` if given, else those of the image. None if there are
    neither: a class is then called `class_<id>`.

    Raises:
        InvalidInputError: `class-unlabelled` if an id is not among them;
            `classes-invalid`.
    """
    labels = classes if class_labels is None else _from_labels(class_labels, what)
    if labels is None:
        return None
    missing = sorted({class_id for class_id in used if class_id not in labels})
    if missing:
        shown = ", ".join(map(str, missing[:5])) + (", ..." if len(missing) > 5 else "")
        known = "class_labels" if class_labels is not None else "the classes of the image"
        raise InvalidInputError(
            f"{what} uses class {shown}, which {known} do not name",
            code="class-unlabelled",
            hint="name it, or leave out all labels to call classes class_<id>",
            class_ids=missing[:100],
        )
    return labels


def _from_labels(class_labels: Mapping[Any, Any], what: str) -> Classes:
    labels = require_mapping(class_labels, f"class_labels of {what}", "classes-invalid")
    # JSON has turned the numbers of a saved dict into text.
    numbers = {
        key: int(key) if isinstance(key, str) and key.removeprefix("-").isdecimal() else key
        for key in labels
    }
    return Classes([{"id": numbers[key], "name": name} for key, name in labels.items()])


def _checked(class_set: Sequence[Mapping[str, Any]]) -> dict[int | str, str]:
    if isinstance(class_set, (str, bytes, Mapping)) or not isinstance(class_set, Iterable):
        raise _invalid(f"a class set is a list of dicts, not {type(class_set).__name__}")
    names: dict[int | str, str] = {}
    for entry in class_set:
        known = require_mapping(entry, "an entry of a class set", "classes-invalid")
        extra = sorted(map(str, set(known) - {"id", "name"}))
        if extra:
            raise _invalid(f"a class has an id and a name, and no {', '.join(extra)}")
        if "id" not in known or "name" not in known:
            raise _invalid(f"a class has an id and a name: {dict(known)!r}")
        class_id = known["id"] if isinstance(known["id"], str) else whole(known["id"])
        if class_id is None or (isinstance(class_id, int) and not -_ID_MAX <= class_id < _ID_MAX):
            raise _invalid(f"the id {known['id']!r} is neither a whole number nor text")
        if class_id in names:
            raise _invalid(f"the id {class_id!r} stands there twice")
        if known["name"] is None:
            raise _invalid(f"class {class_id!r} has no name")
        names[class_id] = str(text_or_none(known["name"], f"the name of class {class_id!r}"))
    return dict(sorted(names.items(), key=lambda item: (isinstance(item[0], str), item[0])))


def _as_json(names: Mapping[int | str, str]) -> dict[str, Any]:
    return {
        "_type": "classes",
        "class_set": [{"id": class_id, "name": name} for class_id, name in names.items()],
    }


def _decoded(data: bytes) -> dict[int | str, str]:
    value = canonical.decode(data, what="a class set")
    try:
        return _checked(value["class_set"])
    except (InvalidInputError, KeyError, TypeError) as error:
        raise _damaged(error) from error


def _damaged(error: Exception) -> DamagedDataError:
    return DamagedDataError(f"a stored class set is damaged: {error}", code="media-cell-damaged")


def _invalid(why: str) -> InvalidInputError:
    return InvalidInputError(f"a class set cannot be used: {why}", code="classes-invalid")
