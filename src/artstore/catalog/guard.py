"""
A place proves that it refuses to replace a value before this machine writes into it.

Every promise of a store rests on that refusal, and some S3 servers ignore the
header that asks for it: they overwrite and say "done". A store may come to lie on
one without `art init` ever being run there: the first push makes a store, and a
bucket can be copied anywhere. So the first write of a machine is preceded by one
request: `artstore.json` is created once more, with the very bytes that are there.
A place that guards says "exists"; one that does not has replaced them by equal
ones, which harms nobody, and is refused.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from artstore.catalog.identity import (
    IDENTITY_KEY,
    Identity,
    create_identity,
    encode_identity,
)
from artstore.digest import digest_of
from artstore.errors import ArtstoreError, StorageError
from artstore.storage.notes import replace_file
from artstore.storage.passing import PassingStorage
from artstore.storage.protocol import Storage, Value
from artstore.storage.retry import RetryingStorage

__all__ = ["GuardCache", "ProvingStorage", "guarded", "is_guarded_here", "make_store", "prove"]

_ENDPOINT_VARIABLES: Final = (
    *("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"),
    *("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_CONFIG_FILE"),
)


def guarded(storage: Storage, identity: Identity, cache: GuardCache) -> Storage:
    """
    The storage of a store for somebody who may write: the first write proves the guard.

    Args:
        cache: remembers the proof, so that it costs one request for each place and machine.
    """
    if identity.has_one_writer:
        cache.remember(identity)
    if identity.has_one_writer or is_guarded_here(storage.url):
        return storage
    return ProvingStorage(storage, lambda: _prove_once(storage, identity, cache))


def make_store(storage: Storage, cache: GuardCache, *, has_one_writer: bool) -> Identity:
    """
    Make the place a store, for many writers only if it guards.

    Raises:
        StorageError: `storage-unsuitable`; the store that was begun is taken back.
    Cost: three requests.
    """
    data = encode_identity(has_one_writer=has_one_writer)
    identity = create_identity(storage, data)
    if not identity.has_one_writer and not is_guarded_here(storage.url):
        try:
            prove(storage, identity)
        except StorageError as error:
            # Another's store is no business of ours.
            if error.code == "storage-unsuitable" and identity.data == data:
                _take_back(storage, error)
            raise
    if identity.has_one_writer or not is_guarded_here(storage.url):
        cache.remember(identity)
    return identity


def _take_back(storage: Storage, error: StorageError) -> None:
    try:
        storage.delete([IDENTITY_KEY])
    except ArtstoreError:
        error.hint = f"remove {IDENTITY_KEY} there, then {error.hint}"


def is_guarded_here(url: str) -> bool:
    """Whether a place is of this machine: our own code guards it, no server has to."""
    return "://" not in url or url.startswith(("file:", "memory:"))


def prove(storage: Storage, identity: Identity) -> None:
    """
    Find out whether the place refuses to replace a value.

    Raises:
        StorageError: `storage-unsuitable`, it does not.
        DeniedError: `storage-denied`, nothing may be written.
        UnavailableError: there was no answer.
    Cost: one request.
    """
    # What tries again has to say itself what a single attempt came to.
    retrying = storage if isinstance(storage, RetryingStorage) else RetryingStorage(storage)
    if not retrying.replaces(IDENTITY_KEY, identity.data):
        return
    raise StorageError(
        f"{storage.url} cannot hold a store for many writers: it replaces values that are there "
        "(it ignores If-None-Match), so that writers would overwrite each other",
        code="storage-unsuitable",
        hint=f"for one writer at a time: art init {storage.url} --single-writer\n"
        f"art doctor {storage.url} tells more",
        url=storage.url,
    )


def _prove_once(storage: Storage, identity: Identity, cache: GuardCache) -> None:
    if cache.writers(identity.store_id) is None:
        prove(storage, identity)
        cache.remember(identity)


class GuardCache:
    """
    What this machine has found out about places, one small file each; all of it may be deleted.

    Args:
        directory: the cache directory.
        url: the URL of the store.
    """

    def __init__(self, directory: Path, url: str) -> None:
        # One URL leads to another server when the endpoint is set to one.
        words = [url, *(os.environ.get(variable, "") for variable in _ENDPOINT_VARIABLES)]
        with suppress(OSError):
            config = os.environ.get("AWS_CONFIG_FILE") or "~/.aws/config"
            words.append(str(os.stat(os.path.expanduser(config)).st_mtime_ns))
        name = digest_of("\0".join(words).encode()).hex()[:16]
        self._file = directory / "guards" / f"{name}.json"
        self._url = url

    def writers(self, store_id: str | None = None) -> str | None:
        """
        `many` or `one`: what was proven or read here; None if nothing is known.

        Args:
            store_id: the store that is there; None takes what is known of any.
        """
        try:
            value = json.loads(self._file.read_bytes())
            known, writers = value["store_id"], value["writers"]
        except (OSError, ValueError, KeyError, TypeError):
            return None
        if store_id not in (None, known) or writers not in ("many", "one"):
            return None
        return str(writers)

    def remember(self, identity: Identity) -> None:
        """Note the writers of a store; a cache that cannot be written costs a request a run."""
        writers = "one" if identity.has_one_writer else "many"
        if self.writers(identity.store_id) == writers:
            return
        value = {"url": self._url, "store_id": identity.store_id, "writers": writers}
        with suppress(OSError):
            replace_file(self._file, json.dumps(value).encode())


class ProvingStorage(PassingStorage):
    """`inner`, and before the first value is written to it `prove`; reading asks for nothing."""

    def __init__(self, inner: Storage, prove: Callable[[], None]) -> None:
        self._inner = inner
        self._prove = prove
        # No lock: two threads that come here at once both prove, which harms nobody.
        self._is_proven = False

    @property
    def inner(self) -> Storage:
        """The storage that is written to."""
        return self._inner

    def _before_writing(self) -> None:
        if not self._is_proven:
            self._prove()
            self._is_proven = True

    def create(self, key: str, value: Value) -> None:
        """As the inner storage, after the proof."""
        self._before_writing()
        self._inner.create(key, value)

    def create_many(self, items: Sequence[tuple[str, Value]]) -> None:
        """As the inner storage, after the proof."""
        self._before_writing()
        self._inner.create_many(items)
