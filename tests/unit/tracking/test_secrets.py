"""Secrets: wherever one is put, it is not in what is recorded."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from string import ascii_letters, digits, hexdigits
from unittest.mock import patch
from urllib.parse import quote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from artstore.tracking.capture import secrets
from artstore.tracking.capture.secrets import MASK, mask, mask_arguments, mask_json, mask_known

# Not a word that stands in the texts around it.
values = st.text(ascii_letters + digits + "+/=_.-", min_size=8, max_size=60).filter(
    lambda text: text[0].isalnum() and any(char.isdigit() for char in text) and len(set(text)) > 3
)
any_values = st.text(min_size=8, max_size=60).filter(
    lambda text: len(set(text.strip())) > 5 and len(text.strip()) >= 8 and "\0" not in text
)
fill = st.text(ascii_letters + " \n", max_size=30)
names = st.sampled_from(
    [
        "PASSWORD",
        "db_password",
        "api-key",
        "apiKey",
        "AWS_SECRET_ACCESS_KEY",
        "aws_access_key_id",
        "HF_TOKEN",
        "authToken",
        "private_key",
        "client-secret",
        "auth",
        "credential",
        "passwd",
        "passphrase",
        "SLACK_WEBHOOK",
        "MYSQL_PWD",
        "storage_account_key",
    ]
)


@contextmanager
def environment(**variables: str) -> Iterator[None]:
    # Surrogates cannot be in an environment.
    with patch.dict("os.environ", variables):
        secrets._fresh = None
        yield
    secrets._fresh = None


@given(names, values)
def test_the_value_of_a_telling_option_never_survives(name: str, value: str) -> None:
    option = f"--{name}"
    for line in (
        ["train.py", option, value, "--lr", "1"],
        ["train.py", f"{option}={value}"],
        ["train.py", f"{name}={value}"],
        ["train.py", f"+db.{name}={value}"],
        ["train.py", f"-{name}", value],
    ):
        kept = mask_arguments(line)
        assert value not in " ".join(kept)
        assert kept[0] == "train.py"
        assert MASK in " ".join(kept)


@given(names, values, fill, fill, st.sampled_from("\"'"))
def test_what_is_assigned_to_a_telling_name_never_survives(
    name: str, value: str, before: str, after: str, mark: str
) -> None:
    bare = name.replace("-", "_")
    for text in (
        f"{before}\n{name}={value}\n{after}",
        f"{before}\n{name}: {value}\n{after}",
        f"{before}\n+{bare} = {mark}{value}{mark}\n{after}",
        f"{before}\n- os.environ[{mark}{name}{mark}] = {mark}{value}{mark}{after}",
        f"{before} f({bare}={mark}{value}{mark}, lr=1) {after}",
        f"{before} --{name} {value} {after}",
        f"{before} {json.dumps({'lr': 1, name: value})} {after}",
        f"{before} {json.dumps(json.dumps({name: value}))} {after}",
        f"{before} curl 'https://example.org/a?b=1&{name}={value}&c=2' {after}",
    ):
        assert value not in mask(text), text


@example("0000012/", "")
@example("8080/word", "")
@given(values, fill)
def test_a_password_in_a_url_never_survives(value: str, around: str) -> None:
    for url in (
        f"https://me:{value}@example.org/repo.git",
        f"https://{value}@example.org/repo.git" if "/" not in value else "",
        f"postgresql+psycopg2://me:{value}@db.example.org:5432/runs",
        f"s3://bucket/key?X-Amz-Signature={value}&x=1",
        f"https://x.blob.core.windows.net/c/f?sv=2024&sig={quote(value, safe='')}",
    ):
        masked = mask(f"{around} {url} {around}")
        assert value not in masked
        assert not url or masked.count(around.strip()) >= 1


@given(st.sampled_from(["MY_SECRET", "OPENAI_API_KEY", "SOME_KEY", "GH_PAT"]), any_values, fill)
def test_a_secret_of_the_environment_never_survives(name: str, value: str, around: str) -> None:
    try:
        value.encode()
    except UnicodeEncodeError:
        value = value.encode("utf-8", "replace").decode()
    with environment(**{name: value}):
        part = value.strip()
        assert part not in mask(around + value + around)
        assert part not in mask_known(around + value + around)
        assert part not in "".join(mask_arguments(["x", f"--y={value}", value]))
        kept = mask_json({"a": [value, {"b": f"x{value}"}]})
        assert part not in json.dumps(kept, ensure_ascii=False)
        assert json.dumps(value)[1:-1].strip() not in mask_known(json.dumps({"a": value}))


@example("0000012/")
@given(values)
def test_the_password_in_a_url_of_the_environment_never_survives(value: str) -> None:
    with environment(DATABASE_URL=f"postgres://me:{value}@host/db"):
        assert value not in mask_known(f"connecting with {value}")


TAIL = (ascii_letters + digits) * 2


@pytest.mark.parametrize(
    "token",
    [
        "AKIA" + "ABCDEFGH01234567",
        "ghp_" + TAIL[:36],
        "github_pat_" + TAIL[:22] + "_" + TAIL[:59],
        "hf_" + TAIL[:34],
        "sk-" + TAIL[:48],
        "sk-proj-" + TAIL[:20] + "_" + TAIL[:20],
        "xoxb-" + "1234567890-abcdefghij",
        "glpat-" + TAIL[:20],
        "eyJ" + TAIL[:20] + "." + "eyJ" + TAIL[:20] + "." + TAIL[:43],
        "AIza" + TAIL[:35],
        "nvapi-" + TAIL[:40],
    ],
)
@pytest.mark.parametrize("around", ["{}", "a {} b", "x='{}'", '["{}"]', "--foo={}", "-x{}"])
def test_tokens_are_known_by_their_shape(token: str, around: str) -> None:
    if around == "-x{}" and token.startswith(("sk-", "eyJ")):
        return  # These begin like words, and need a place where a word may begin.
    assert token not in mask(around.format(token))
    assert token not in mask_arguments([around.format(token)])[0]


def test_a_private_key_is_taken_out_whole() -> None:
    body = "\n".join("+" + base64.b64encode(bytes([n]) * 45).decode() for n in range(30))
    for kind in ("", "RSA ", "OPENSSH ", "ENCRYPTED "):
        text = (
            f"+-----BEGIN {kind}PRIVATE KEY-----\n{body}\n+-----END {kind}PRIVATE KEY-----\n+x = 1"
        )
        assert mask(text) == f"+{MASK}\n+x = 1"
    assert mask(f"a\n-----BEGIN PRIVATE KEY-----\n{body}") == f"a\n{MASK}"


def test_a_header_with_a_bearer_is_masked() -> None:
    assert mask("-H 'Authorization: Bearer abcdef123456'") == f"-H 'Authorization: Bearer {MASK}'"
    assert mask_arguments(["curl", "-u", "me:hunter2"]) == ["curl", "-u", f"me:{MASK}"]


@pytest.mark.parametrize(
    "text",
    [
        "python train.py --tokenizer bert-base --max_new_tokens=100 --lr 0.001",
        "pad_token_id = 50256",
        "def f(password: str = None) -> None:",
        "self.token = config.token",
        "password = getpass()",
        "if token == other.token:",
        "author = 'somebody'",
        "--num-tokens 400",
        "--sort-key loss --key-frame 3",
        "http://localhost:8080/files/a@b",
        "https://db.example.org:8443/files/a@b",
        "git@github.com:me/project.git",
        "ssh://git@github.com/me/project",
        "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "monkey: banana",
    ],
)
def test_what_is_no_secret_is_left_as_it_is(text: str) -> None:
    assert mask(text) == text
    assert mask_arguments(text.split()) == text.split()


def test_a_boolean_option_does_not_swallow_the_next_one() -> None:
    line = ["run.py", "--use-auth-token", "--lr=1", "--password", "-x", "y"]
    assert mask_arguments(line) == ["run.py", "--use-auth-token", "--lr=1", "--password", MASK, "y"]


def test_json_is_masked_by_its_keys() -> None:
    value = {"db": {"password": "a", "port": 1}, "token": None, "n": [{"api_key": 5}, 1.5, True]}
    assert mask_json(value) == {
        "db": {"password": MASK, "port": 1},
        "token": None,
        "n": [{"api_key": MASK}, 1.5, True],
    }


def test_the_working_directory_is_no_secret() -> None:
    with environment(PWD="/home/me/project", OLDPWD="/home/me/elsewhere"):
        assert mask("/home/me/project/train.py /home/me/elsewhere") == (
            "/home/me/project/train.py /home/me/elsewhere"
        )


def test_short_values_of_the_environment_are_not_searched_for() -> None:
    with environment(AUTH="on", MY_TOKEN="1"):
        assert mask("once upon 11") == "once upon 11"


def test_only_listed_variables_are_recorded() -> None:
    given_variables = {"RANK": "3", "CUDA_VISIBLE_DEVICES": "0,1", "HOME": "/root", "MY": "x"}
    assert secrets.recorded_variables(given_variables) == {
        "RANK": "3",
        "CUDA_VISIBLE_DEVICES": "0,1",
    }
    listed = secrets.recorded_variables(dict.fromkeys(secrets._RECORDED, "x"))
    assert not [name for name in listed if secrets.is_secret_name(name)]


def test_a_secret_set_later_is_masked_within_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    secrets._fresh = None
    assert mask_known("late-secret-value") == "late-secret-value"
    monkeypatch.setenv("LATE_TOKEN", "late-secret-value")
    secrets._fresh = (secrets.clock.monotonic_seconds() - 1.0, *secrets._fresh[1:])
    assert mask_known("a late-secret-value b") == f"a {MASK} b"
    secrets._fresh = None


@given(st.text(max_size=300))
def test_any_text_can_be_masked(text: str) -> None:
    masked = mask(text)
    assert isinstance(masked, str)
    assert mask(text.replace("=", "").replace(":", "")) is not None


@pytest.mark.parametrize(
    "piece",
    ["a", "://b:c", "a.=:", "eyJaaaaaaaa", 'password="', "--a ", "\x1b[", "-----BEGIN PRIVATE KEY"],
)
def test_no_text_takes_long(piece: str) -> None:
    began = time.perf_counter()
    mask(piece * (100_000 // len(piece)))
    assert time.perf_counter() - began < 5


def test_long_texts_are_masked_in_pieces_as_in_one() -> None:
    line = 'lr = 1; password = "hunter2"; x = 3\n'
    kept = mask(line * 5000)
    assert kept == 'lr = 1; password = "***"; x = 3\n' * 5000


def test_hexadecimal_values_after_telling_names_go() -> None:
    value = (hexdigits * 3)[:40]
    assert value not in mask(f"--wandb-api-key {value}")
    assert value not in mask(f"export WANDB_API_KEY={value}")
