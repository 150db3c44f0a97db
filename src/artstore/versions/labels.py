"""
What is said of an artifact beside its files: description, metadata, aliases, tags, ttl.

Of a draft it is what the version will have; of a version what it has, changed in
place and then saved, as scripts written for W&B do it.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from datetime import timedelta
from enum import Enum
from typing import Any, Final

from artstore import canonical, names
from artstore.errors import InvalidInputError
from artstore.versions.version import LoggedVersion

__all__ = ["ArtifactTTL", "Labels", "VersionLabels", "check_metadata"]

_METADATA_KEYS_MAX: Final = 100
_LATEST: Final = "latest"


class ArtifactTTL(Enum):
    """What else than a length of time a ttl may be."""

    INHERIT = 0
    """What holds for the collection: its retention. No ttl of its own, the same as None."""


class Labels:
    """
    Those of a draft.

    Raises:
        InvalidInputError: `value-invalid`, `name-invalid`, when one is set.
    """

    def __init__(self) -> None:
        self._values: dict[str, Any] = {}
        self._is_given = False

    def _load(self, name: str) -> Any:
        empty: dict[str, Any] = {"metadata": {}, "aliases": [], "tags": []}
        return empty.get(name, ArtifactTTL.INHERIT if name == "ttl" else None)

    def _get(self, name: str) -> Any:
        if name not in self._values:
            self._values[name] = self._load(name)
        return self._values[name]

    @property
    def description(self) -> str | None:
        """Free text."""
        text: str | None = self._get("description")
        return text

    @description.setter
    def description(self, text: str | None) -> None:
        self._values["description"] = text

    @property
    def metadata(self) -> dict[str, Any]:
        """JSON values by name; may be changed in place."""
        values: dict[str, Any] = self._get("metadata")
        return values

    @metadata.setter
    def metadata(self, values: Mapping[str, Any] | None) -> None:
        self._values["metadata"] = check_metadata(values or {})

    @property
    def aliases(self) -> list[str]:
        """May be changed in place."""
        texts: list[str] = self._get("aliases")
        return texts

    @aliases.setter
    def aliases(self, texts: Iterable[str]) -> None:
        self._values["aliases"] = [names.check_alias(text, assign=False) for text in texts]

    @property
    def tags(self) -> list[str]:
        """May be changed in place."""
        texts: list[str] = self._get("tags")
        return texts

    @tags.setter
    def tags(self, texts: Iterable[str]) -> None:
        self._values["tags"] = [names.check_tag(text) for text in texts]

    @property
    def ttl(self) -> timedelta | ArtifactTTL | None:
        """How long it is to be kept."""
        ttl: timedelta | ArtifactTTL | None = self._get("ttl")
        return ttl

    @ttl.setter
    def ttl(self, ttl: timedelta | ArtifactTTL | None) -> None:
        _seconds_of(ttl)
        self._values["ttl"] = ttl

    @property
    def given_metadata(self) -> dict[str, Any] | None:
        """Metadata, checked again; None if nobody gave any."""
        values = self.metadata
        return check_metadata(values) if values or self._is_given else None

    def give_metadata(self, values: Mapping[str, Any]) -> None:
        """Set metadata that counts even if it is empty."""
        self.metadata = dict(values)
        self._is_given = True

    @property
    def ttl_seconds(self) -> int | None:
        """The ttl as a log notes it."""
        return _seconds_of(self.ttl)


class VersionLabels(Labels):
    """Those of a version; `save` writes what was changed, one log entry each."""

    def __init__(self, version: LoggedVersion) -> None:
        super().__init__()
        self._version = version
        self._before: dict[str, Any] = {}

    def _load(self, name: str) -> Any:
        version = self._version.version
        if name in ("description", "metadata"):
            found = self._version.header().get(name)
            value: Any = copy.deepcopy(found) if name == "description" or found else {}
        elif name == "aliases":
            value = [*([_LATEST] if self._version.is_newest else []), *version.aliases]
        elif name == "tags":
            value = list(version.tags)
        else:
            seconds = version.ttl_seconds
            value = None if seconds is None else timedelta(seconds=seconds)
        self._before[name] = copy.deepcopy(value)
        return value

    def save(self) -> None:
        """
        Write what was changed.

        Raises:
            NotFoundError: `version-deleted`.
            InvalidInputError: `name-invalid`, `value-invalid`.
        Cost: one scan of the log, and one entry for each of description with metadata,
            aliases, tags and ttl that was changed.
        """
        from artstore.catalog.requests import AliasRequest, TagRequest, TtlRequest

        version = self._version
        if self._is_changed("description") or self._is_changed("metadata"):
            self._describe()
        for name, request in (("aliases", AliasRequest), ("tags", TagRequest)):
            if not self._is_changed(name):
                continue
            # Others may have changed them since: only what was changed here is.
            state = version.place.catalog.state(version.state.project, version.state.name)
            version.take(state)
            had, wanted = set(self._loaded_before(name)) - {_LATEST}, self._values[name]
            has = version.version.aliases if name == "aliases" else version.version.tags
            add = tuple(text for text in dict.fromkeys(wanted) if text not in had | {_LATEST})
            remove = tuple(text for text in has if text in had and text not in wanted)
            version.commit(request(version.number, add, remove))
        if self._is_changed("ttl"):
            if version.version.source is not None:
                raise InvalidInputError(
                    f"{version.qualified_name} is a link, and has no ttl of its own",
                    code="value-invalid",
                    hint="set it on the version that it is a link to",
                )
            version.commit(TtlRequest(version.number, self.ttl_seconds))
        self.forget()

    def forget(self) -> None:
        """From now on as the version has them."""
        self._values.clear()
        self._before.clear()

    def _loaded_before(self, name: str) -> Any:
        if name not in self._before:
            changed = self._values.pop(name)
            self._get(name)
            self._values[name] = changed
        return self._before[name]

    def _is_changed(self, name: str) -> bool:
        if name not in self._values:
            return False
        now, before = self._values[name], self._loaded_before(name)
        if name == "metadata":
            # As text: to Python 1, 1.0 and True are equal.
            now, before = (canonical.encode(check_metadata(one)) for one in (now, before))
        return bool(now != before)

    def _describe(self) -> None:
        metadata = check_metadata(self.metadata)
        self._version.describe({"description": self.description, "metadata": metadata})


def check_metadata(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """
    Metadata as it will be read again: plain JSON.

    NaN becomes None, as in W&B; numbers and arrays of numpy and torch become those of Python.

    Raises:
        InvalidInputError: `value-invalid`.
    """
    if len(metadata) > _METADATA_KEYS_MAX:
        raise InvalidInputError(
            f"metadata has {len(metadata)} names, at most {_METADATA_KEYS_MAX} are kept",
            code="value-invalid",
        )
    plain = {name: _plain(value) for name, value in metadata.items()}
    checked: dict[str, Any] = canonical.decode(
        canonical.encode(plain, what="metadata"), what="metadata"
    )
    return checked


def _plain(value: Any, levels: int = 100) -> Any:
    if isinstance(value, float):
        return None if value != value else float(value)  # noqa: PLR0124 - NaN alone differs from itself
    if isinstance(value, (str, int, type(None))) or not levels:
        return value
    if isinstance(value, Mapping):
        return {name: _plain(item, levels - 1) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item, levels - 1) for item in value]
    # Arrays, tensors and their numbers, without knowing their libraries.
    to_list = getattr(value, "tolist", None)
    return _plain(to_list(), levels - 1) if callable(to_list) else value


def _seconds_of(ttl: timedelta | ArtifactTTL | None) -> int | None:
    if ttl is None or ttl is ArtifactTTL.INHERIT:
        return None
    if not isinstance(ttl, timedelta) or ttl < timedelta(seconds=1):
        raise InvalidInputError(
            f"a ttl is a timedelta of a second or more, None or ArtifactTTL.INHERIT, not {ttl!r}",
            code="value-invalid",
        )
    return int(ttl.total_seconds())
