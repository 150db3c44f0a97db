"""What memory adds to the suite: being as strict as a directory."""

from __future__ import annotations

import pytest

from artstore.errors import InvalidInputError
from artstore.storage.local import LocalStorage
from artstore.storage.memory import MemoryStorage
from artstore.storage.protocol import Storage


@pytest.fixture(params=["memory", "local"])
def storage(request: pytest.FixtureRequest, tmp_path) -> Storage:
    return MemoryStorage() if request.param == "memory" else LocalStorage(tmp_path, sync=False)


@pytest.mark.parametrize(
    ("first", "second"),
    [("a/b", "a"), ("a", "a/b"), ("a", "a/b/c"), ("x/a/b/c", "x/a"), ("x/a", "x/a/b/c")],
)
def test_no_key_stands_where_another_needs_a_directory(
    storage: Storage, first: str, second: str
) -> None:
    storage.create(first, b"")
    storage.create("a-b", b"")  # sorts between `a` and `a/b`
    with pytest.raises(InvalidInputError) as raised:
        storage.create(second, b"")
    assert raised.value.code == "key-invalid"
    assert {info.key for info in storage.scan("")} == {first, "a-b"}
