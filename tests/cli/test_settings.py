from __future__ import annotations

import os
from pathlib import Path

import pytest

from artstore import limits, settings
from artstore.errors import InvalidInputError
from artstore.settings import parse_size, resolve


@pytest.fixture(autouse=True)
def _no_cache_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ARTSTORE_CACHE_DIR")


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
    return path


def test_without_any_setting_the_store_is_in_the_data_directory(home: Path) -> None:
    found = resolve()
    assert (found.url, found.url_origin) == (str(home / ".local/share/artstore/store"), "default")
    assert (found.project, found.project_origin) == ("default", "default")
    assert found.cache_dir == home / ".cache/artstore"
    assert found.cache_max_bytes == limits.CACHE_MAX_BYTES
    assert found.state_dir == home / ".local/state/artstore"
    assert found.warnings == ()


def test_each_place_yields_to_the_one_before_it(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository = home / "work" / "Some Repo!"
    (repository / ".git").mkdir(parents=True)
    monkeypatch.chdir(repository)
    own = write(home / ".config/artstore/config.toml", 'url = "/own"\nproject = "own"\n')
    assert (resolve().url, resolve().url_origin) == ("/own", str(own))
    # The git root says which project; the user's own settings only what nothing nearer says.
    assert resolve().project == "Some-Repo"
    assert resolve().project_origin == f"name of the git root {repository}"

    file = write(repository / "artstore.toml", 'url = "/shared"\nproject = "shared"\n')
    assert (resolve().url, resolve().url_origin) == ("/shared", str(file))
    assert (resolve().project, resolve().project_origin) == ("shared", str(file))

    monkeypatch.setenv("ARTSTORE_URL", "/environment")
    monkeypatch.setenv("ARTSTORE_PROJECT", "environment")
    assert (resolve().url, resolve().url_origin) == ("/environment", "ARTSTORE_URL")
    assert (resolve().project, resolve().project_origin) == ("environment", "ARTSTORE_PROJECT")

    found = resolve("/given", "given", given_as=("--store", "--project"))
    assert (found.url, found.url_origin) == ("/given", "--store")
    assert (found.project, found.project_origin) == ("given", "--project")


def test_stores_that_were_overruled_are_remembered(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert resolve().other_urls == ()
    write(home / "work/artstore.toml", 'url = "shared"\n')
    monkeypatch.setenv("ARTSTORE_URL", "/environment")
    default = str(home / ".local/share/artstore/store")
    assert resolve().other_urls == (str(home / "work/shared"), default)
    assert resolve(default).other_urls == ("/environment", str(home / "work/shared"))


def test_own_project_holds_where_there_is_no_repository(home: Path) -> None:
    write(home / ".config/artstore/config.toml", 'project = "own"\n')
    assert resolve().project == "own"


def test_nearest_project_file_wins_and_the_others_are_not_mixed_in(home: Path) -> None:
    write(home / "work/artstore.toml", 'url = "/outer"\nproject = "outer"\nignore = ["*.tmp"]\n')
    inner = write(home / "work/a/artstore.toml", 'project = "inner"\n')
    found = resolve(directory=home / "work/a")
    assert found.project_file == inner
    assert (found.project, found.ignores) == ("inner", ())
    assert found.url_origin == "default"
    outer = resolve(directory=home / "work")
    assert (outer.url, outer.ignores) == ("/outer", ("*.tmp",))


def test_relative_stores_start_where_they_were_written(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(home / "work/artstore.toml", 'url = "data/../store"\n')
    deep = home / "work/a/b"
    deep.mkdir(parents=True)
    monkeypatch.chdir(deep)
    assert resolve().url == str(home / "work/store")
    monkeypatch.setenv("ARTSTORE_URL", "here")
    assert resolve().url == str(deep / "here")
    assert resolve("~/there").url == str(home / "there")


@pytest.mark.parametrize("url", ["file:///data/x", "memory://t", "s3://bucket/prefix", "file:/x"])
def test_urls_stay_as_they_are(url: str) -> None:
    assert resolve(url).url == url


def test_empty_variables_count_as_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARTSTORE_URL", "")
    monkeypatch.setenv("ARTSTORE_PROJECT", "")
    assert (resolve().url_origin, resolve().project_origin) == ("default", "default")


@pytest.mark.parametrize("key", ["credentials", "webhook", "cache_dir", "command"])
def test_a_project_file_may_set_url_project_and_ignore_only(home: Path, key: str) -> None:
    file = write(home / "work/artstore.toml", f'{key} = "x"\n')
    with pytest.raises(InvalidInputError, match="may set url, project and ignore only") as caught:
        resolve()
    assert caught.value.code == "settings-invalid"
    assert str(file) in caught.value.message


@pytest.mark.parametrize(
    "text", ["url = 3", "project = ['a']", "ignore = 'x'", "ignore = [1]", "url", "\xff = 1"]
)
def test_unusable_project_files_are_refused_by_name(home: Path, text: str) -> None:
    (home / "work/artstore.toml").write_bytes(text.encode("latin-1"))
    with pytest.raises(InvalidInputError, match=r"artstore\.toml") as caught:
        resolve()
    assert caught.value.code == "settings-invalid"


def test_project_names_are_checked_wherever_they_come_from(home: Path) -> None:
    write(home / "work/artstore.toml", 'project = "../up"\n')
    with pytest.raises(InvalidInputError, match="not a valid name"):
        resolve()


def test_strange_keys_of_the_users_own_settings_are_told_and_not_refused(home: Path) -> None:
    write(home / ".config/artstore/config.toml", 'from_the_future = 1\nurl = "/x"\n')
    found = resolve()
    assert found.url == "/x"
    assert "from_the_future" in found.warnings[0]


@pytest.mark.skipif(os.getuid() != 0, reason="gives a file to another user")
def test_a_file_another_user_put_into_a_directory_for_all_is_not_read(
    tmp_path: Path,
) -> None:
    tmp_path.chmod(0o1777)
    file = write(tmp_path / "artstore.toml", 'url = "/evil"\n')
    os.chown(file, 12345, 12345)
    found = resolve(directory=tmp_path)
    assert found.url_origin == "default"
    assert str(file) in found.warnings[0]
    tmp_path.chmod(0o755)
    assert resolve(directory=tmp_path).url == "/evil"


def test_cache_settings_come_from_the_environment_then_the_user(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = write(home / ".config/artstore/config.toml", 'cache_dir = "/big"\ncache_max = "20GB"\n')
    found = resolve()
    assert (str(found.cache_dir), found.cache_dir_origin) == ("/big", str(own))
    assert (found.cache_max_bytes, found.cache_max_origin) == (20_000_000_000, str(own))
    monkeypatch.setenv("ARTSTORE_CACHE_DIR", "/other")
    assert str(resolve().cache_dir) == "/other"


def test_relative_xdg_directories_are_ignored_as_their_specification_says(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", "relative")
    assert resolve().url == str(home / ".local/share/artstore/store")


def test_without_a_home_the_message_says_what_to_set() -> None:
    with pytest.raises(InvalidInputError, match="home") as caught:
        resolve(environ={"HOME": "nowhere"})
    assert caught.value.code == "settings-invalid"


@pytest.mark.parametrize(
    ("text", "size_bytes"),
    [
        ("0", 0),
        ("12", 12),
        ("5b", 5),
        ("1k", 1000),
        ("1.5MB", 1_500_000),
        ("10 GiB", 10 * 2**30),
        ("2tib", 2 * 2**40),
    ],
)
def test_sizes_are_decimal_unless_they_say_binary(text: str, size_bytes: int) -> None:
    assert parse_size(text) == size_bytes


@pytest.mark.parametrize("text", ["", "-1", "many", "5 apples", "1e9", "GB"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(InvalidInputError, match="is not a size") as caught:
        parse_size(text)
    assert caught.value.code == "size-invalid"


def test_names_of_keys_are_those_that_are_documented() -> None:
    assert settings.PROJECT_KEYS == ("url", "project", "ignore")
    assert settings.USER_KEYS == ("url", "project", "cache_dir", "cache_max")
