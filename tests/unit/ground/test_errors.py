from __future__ import annotations

import copy
import pickle

import pytest

from artstore import errors

CLASSES = [getattr(errors, name) for name in errors.__all__ if name.endswith("Error")]


@pytest.mark.parametrize("kind", CLASSES)
@pytest.mark.parametrize("through", [copy.copy, lambda e: pickle.loads(pickle.dumps(e))])
def test_errors_keep_class_message_code_hint_and_context_between_processes(kind, through) -> None:
    error = kind("reading it failed", code="key-not-found", hint="Look again.", key="a/b", size=3)
    twin = through(error)
    assert type(twin) is kind
    assert (str(twin), twin.code, twin.hint) == (
        "reading it failed",
        "key-not-found",
        "Look again.",
    )
    assert twin.context == {"key": "a/b", "size": 3}


@pytest.mark.parametrize(
    ("kind", "exit_status", "http_status"),
    [
        (errors.ArtstoreError, 1, 500),
        (errors.InvalidInputError, 2, 400),
        (errors.LimitExceededError, 2, 413),
        (errors.NotFoundError, 4, 404),
        (errors.AlreadyExistsError, 5, 409),
        (errors.ConflictError, 6, 409),
        (errors.StateError, 7, 409),
        (errors.DamagedDataError, 8, 500),
        (errors.UnsupportedFormatError, 9, 501),
        (errors.StorageError, 10, 502),
        (errors.UnavailableError, 10, 502),
        (errors.DeniedError, 10, 502),
    ],
)
def test_each_class_has_the_status_that_scripts_rely_on(kind, exit_status, http_status) -> None:
    assert (kind.exit_status, kind.http_status) == (exit_status, http_status)


def test_the_status_table_names_every_class() -> None:
    (mark,) = test_each_class_has_the_status_that_scripts_rely_on.pytestmark
    assert {row[0] for row in mark.args[1]} == set(CLASSES)


def test_invalid_input_is_a_value_error_and_not_found_a_lookup_error() -> None:
    with pytest.raises(ValueError, match="no"):
        raise errors.InvalidInputError("no", code="name-invalid")
    with pytest.raises(LookupError, match="gone"):
        raise errors.NotFoundError("gone", code="key-not-found")


def test_not_found_prints_as_its_message_and_not_quoted_as_a_key_error() -> None:
    assert str(errors.NotFoundError("no version v9", code="version-not-found")) == "no version v9"


def test_an_unregistered_code_is_a_bug_of_ours() -> None:
    with pytest.raises(AssertionError, match="no-such-code"):
        errors.ArtstoreError("x", code="no-such-code")
