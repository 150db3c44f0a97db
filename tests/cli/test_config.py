from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from artstore.cli.user_settings import change
from artstore.errors import InvalidInputError
from tests.cli.conftest import Art


def test_config_shows_every_setting_and_where_it_came_from(
    art: Art, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ARTSTORE_URL", "/from/environment")
    shown = art("config", "--json").json
    assert shown["settings"]["url"] == {"value": "/from/environment", "origin": "ARTSTORE_URL"}
    assert set(shown["settings"]) == {"url", "project", "cache_dir", "cache_max"}
    assert shown["project_file"] is None
    text = art("config").out
    assert "/from/environment" in text
    assert "ARTSTORE_URL" in text


def test_config_sets_shows_and_unsets_one_of_the_users_own(art: Art, home: Path) -> None:
    art("config", "cache_max", "5 GB")
    assert art("config", "cache_max").out == "5000000000\n"
    art("config", "url", "stores/mine")
    # A relative directory is meant from here, not from where the settings lie.
    assert art("config", "url").out == f"{home}/work/stores/mine\n"
    art("config", "url", "--unset")
    assert art("config", "url", "--json").json["origin"] == "default"
    file = home / ".config/artstore/config.toml"
    assert tomllib.loads(file.read_text()) == {"cache_max": "5 GB"}
    assert file.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    "arguments",
    [
        ["cache_max", "lots"],
        ["project", "not/one"],
        ["url", ""],
        ["--unset"],
        ["url", "x", "--unset"],
        ["password", "x"],
    ],
)
def test_values_that_cannot_be_used_are_refused_before_they_are_written(
    art: Art, home: Path, arguments: list[str]
) -> None:
    art("config", *arguments, status=2)
    assert not (home / ".config/artstore/config.toml").exists()


def test_config_says_where_alerts_go_and_keeps_the_secret_of_the_address(
    art: Art, home: Path
) -> None:
    hook = "https://hooks.example.com/services/T0/SECRET"
    said = art("config", "alerts.slack", hook)
    assert "SECRET" not in said.out + said.err
    art("config", "alerts.mail_command", "mail -s '{title}' me@example.com")
    art("config", "project", "p")
    file = home / ".config/artstore/config.toml"
    assert tomllib.loads(file.read_text()) == {
        "project": "p",
        "alerts": {"slack": hook, "mail_command": "mail -s '{title}' me@example.com"},
    }
    shown = art("config", "--json")
    assert "SECRET" not in shown.out
    assert shown.json["settings"]["alerts.slack"]["value"] == "https://hooks.example.com/..."
    assert art("config", "alerts.webhook").out == "\n"
    art("config", "alerts.slack", "--unset")
    assert "slack" not in tomllib.loads(file.read_text())["alerts"]


@pytest.mark.parametrize(
    ("key", "value"),
    [("alerts.webhook", "ftp://x"), ("alerts.slack", "x"), ("alerts.mail_command", "mail 'x")],
)
def test_what_alerts_cannot_be_sent_to_is_refused(
    art: Art, home: Path, key: str, value: str
) -> None:
    art("config", key, value, status=2)
    assert not (home / ".config/artstore/config.toml").exists()


BEFORE = """\
# my settings
url = "/old"   # on the big disk
project = 'p'

[future]
url = "not this one"
"""


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("url", "/new"),
        ("url", None),
        ("cache_max", "1GB"),
        ("cache_dir", None),
        ("project", 'q"\\'),
    ],
)
def test_changing_one_key_leaves_the_rest_of_the_file_alone(
    tmp_path: Path, key: str, value: str | None
) -> None:
    file = tmp_path / "deep" / "config.toml"
    file.parent.mkdir()
    file.write_text(BEFORE)
    change(file, key, value)
    after = tomllib.loads(file.read_text())
    wanted = tomllib.loads(BEFORE)
    wanted.pop(key, None)
    if value is not None:
        wanted[key] = value
    assert after == wanted
    kept = [line for line in BEFORE.splitlines() if not line.startswith(key)]
    assert [line for line in file.read_text().splitlines() if line in kept] == kept
    assert [path.name for path in file.parent.iterdir()] == ["config.toml"]


def test_a_file_without_a_last_line_end_is_appended_to(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text('url = "/x"')
    change(file, "project", "p")
    assert tomllib.loads(file.read_text()) == {"url": "/x", "project": "p"}


def test_a_value_over_several_lines_is_left_to_its_author(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    text = 'url = """\n/x\n"""\n'
    file.write_text(text)
    with pytest.raises(InvalidInputError, match="only its author"):
        change(file, "url", "/y")
    assert file.read_text() == text


def test_a_file_that_is_no_toml_is_not_overwritten(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text("= 3")
    with pytest.raises(InvalidInputError, match="not valid TOML"):
        change(file, "url", "/y")
    assert file.read_text() == "= 3"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts_call_art_back(art: Art, shell: str) -> None:
    script = art("completion", shell).out
    assert "_ART_COMPLETE" in script
    assert art("completion", shell, "--json").json == {"shell": shell, "script": script[:-1]}
