"""`art doctor` tells what a place does not keep, and `art init` makes no store there."""

from __future__ import annotations

import json
import os
import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from artstore import clock
from artstore.clock import SystemClock
from artstore.storage.opener import open_storage
from artstore.testing.servers import S3Server, rclone_missing, start_rclone
from tests.cli.conftest import Art, Ran
from tests.docs.pages import DOCS
from tests.filtering import Asked, Filter, filtered

RULES = (
    *("lifecycle", "replication", "versioning", "object-lock"),
    *("policy", "policyStatus", "location"),
)


@pytest.fixture
def data(home: Path) -> Path:
    directory = home / "work" / "data"
    directory.mkdir()
    (directory / "a.txt").write_bytes(b"alpha\n")
    return directory


def use(server: S3Server, monkeypatch: pytest.MonkeyPatch, endpoint_url: str = "") -> None:
    for name, value in server.environ.items():
        monkeypatch.setenv(name, value)
    if endpoint_url:
        monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint_url)


@pytest.fixture
def bucket(moto: S3Server, monkeypatch: pytest.MonkeyPatch) -> str:
    """A bucket of moto that nothing is in."""
    use(moto, monkeypatch)
    return moto.make_bucket()


@pytest.fixture
def forgetful(moto: S3Server, bucket: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Filter]:
    """The same bucket at a server that ignores If-None-Match, as several do."""
    with filtered(moto.endpoint_url, forgets="if-none-match") as server:
        use(moto, monkeypatch, server.endpoint_url)
        yield server


def by_name(ran: Ran) -> dict[str, dict[str, Any]]:
    return {finding["name"]: finding for finding in ran.json["findings"]}


def verdicts(ran: Ran) -> dict[str, str]:
    return {name: finding["verdict"] for name, finding in by_name(ran).items()}


def keys(url: str) -> list[str]:
    return [info.key for info in open_storage(url).scan("")]


def set_rules(server: S3Server, bucket: str, rules: str, document: str) -> None:
    status, body = server.request(
        "PUT", f"/{bucket}", query={rules: ""}, body=document.encode(), headers={}
    )
    assert status in (200, 204), body


# --- buckets that are fine ------------------------------------------------------------


def test_a_bucket_that_keeps_everything_passes_and_is_left_empty(art: Art, s3_place: str) -> None:
    ran = art("doctor", s3_place, "--json")
    assert ran.json["ok"]
    assert {name for name, verdict in verdicts(ran).items() if verdict != "ok"} == {"unguarded"}
    assert {"race", "lost-answer", "pages", "clock", "speed", "delete"} <= set(verdicts(ran))
    assert keys(s3_place) == []


def test_the_policy_that_is_missing_is_printed_ready_to_paste(art: Art, bucket: str) -> None:
    ran = art("doctor", f"s3://{bucket}/team/store")
    policy = json.loads(re.search(r"^\{$.*?^\}$", ran.out, re.MULTILINE | re.DOTALL)[0])
    [statement] = policy["Statement"]
    assert statement["Resource"] == f"arn:aws:s3:::{bucket}/team/store/*"
    assert (
        statement == art("doctor", f"s3://{bucket}/team/store", "--json").json["policy_statement"]
    )
    page = (DOCS / "how-to" / "check-a-bucket.md").read_text("utf-8")
    shown = json.loads(re.search(r"```json\n(.*?)```", page, re.DOTALL)[1])
    [of_page] = shown["Statement"]
    assert of_page | {"Resource": ""} == statement | {"Resource": ""}


def test_a_bucket_that_refuses_unguarded_writes_needs_no_policy(
    art: Art, moto: S3Server, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def is_unguarded(asked: Asked) -> bool:
        return asked.method == "PUT" and "if-none-match" not in asked.headers

    with filtered(moto.endpoint_url, is_unguarded) as server:
        use(moto, monkeypatch, server.endpoint_url)
        ran = art("doctor", f"s3://{bucket}/store", "--json")
    assert set(verdicts(ran).values()) == {"ok"}
    assert ran.json["policy_statement"] is None


def test_what_may_not_be_looked_up_is_unknown_and_no_failure(
    art: Art, moto: S3Server, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def is_about_rules(asked: Asked) -> bool:
        return re.search(rf"\?({'|'.join(RULES)})\b", asked.path) is not None

    with filtered(moto.endpoint_url, is_about_rules) as server:
        use(moto, monkeypatch, server.endpoint_url)
        ran = art("doctor", f"s3://{bucket}/store", "--json")
    assert ran.json["ok"]
    unknown = {name for name, verdict in verdicts(ran).items() if verdict == "unknown"}
    assert unknown == {"lifecycle", "replication", "versioning", "object-lock"}
    assert "s3:GetLifecycleConfiguration" in by_name(ran)["lifecycle"]["detail"]


def test_the_rules_of_a_bucket_are_told(art: Art, moto: S3Server, bucket: str) -> None:
    set_rules(
        moto,
        bucket,
        "versioning",
        "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>",
    )
    found = by_name(art("doctor", f"s3://{bucket}/store", "--json"))
    assert "noncurrent version" in found["versioning"]["detail"]
    assert found["versioning"]["verdict"] == "ok"


def test_no_store_is_made_under_a_rule_that_deletes_what_is_old(
    art: Art, moto: S3Server, bucket: str
) -> None:
    set_rules(
        moto,
        bucket,
        "lifecycle",
        "<LifecycleConfiguration><Rule><ID>tidy</ID><Filter><Prefix></Prefix></Filter>"
        "<Status>Enabled</Status><Expiration><Days>30</Days></Expiration></Rule>"
        "</LifecycleConfiguration>",
    )
    url = f"s3://{bucket}/store"
    assert verdicts(art("doctor", url, "--json", status=10))["lifecycle"] == "failed"
    refused = art("init", url, "--json", status=10).error
    assert refused["code"] == "storage-unsuitable"
    assert "'tidy' deletes what is 30 days old" in refused["message"]
    # Not a question of how many write.
    art("init", url, "--single-writer", status=10)
    assert keys(url) == []
    assert not Path("artstore.toml").exists()


# --- servers that ignore If-None-Match ------------------------------------------------


def check_is_refused(art: Art, url: str) -> set[str]:
    """Doctor says it, init and a first push refuse it, nothing is left; what failed."""
    ran = art("doctor", url, "--json", status=10)
    assert not ran.json["ok"]
    assert ran.error["code"] == "storage-unsuitable"
    failed = {name for name, verdict in verdicts(ran).items() if verdict == "failed"}
    assert failed >= {"create-only", "race"}
    assert set(ran.error["context"]["failed"]) == failed
    assert ran.json["policy_statement"] is None
    refused = art("init", url, "--json", status=10).error
    assert refused["code"] == "storage-unsuitable"
    assert set(refused["context"]["failed"]) == failed
    refused = art("push", "data", "ds", "--store", url, "--json", status=10).error
    assert refused["code"] == "storage-unsuitable"
    # rclone goes on listing what was written by several at once and then deleted.
    assert [key for key in keys(url) if not key.startswith("probe/")] == []
    assert not Path("artstore.toml").exists()
    return failed


class Impatient(SystemClock):
    """What is wrong for good is tried again without waiting."""

    def sleep(self, seconds: float) -> None:
        pass


@pytest.fixture
def impatient() -> Iterator[None]:
    with clock.use(Impatient()):
        yield


@pytest.fixture(scope="module")
def rclone() -> Iterator[S3Server]:
    if reason := rclone_missing():
        pytest.skip(reason)
    with start_rclone() as server:
        yield server


@pytest.mark.usefixtures("impatient")
def test_rclone_is_refused(
    art: Art, data: Path, rclone: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(rclone, monkeypatch)
    check_is_refused(art, f"s3://{rclone.make_bucket()}/store")


@pytest.mark.parametrize("scheme", ["s3", "fsspec+s3"])
def test_a_store_for_one_writer_works_at_rclone(
    art: Art, data: Path, rclone: S3Server, monkeypatch: pytest.MonkeyPatch, scheme: str
) -> None:
    use(rclone, monkeypatch)
    url = f"{scheme}://{rclone.make_bucket()}/store"
    assert check_is_refused(art, url) == {"create-only", "race"}
    art("init", url, "--single-writer")
    art("push", "data", "ds")
    art("pull", "ds", "out")
    assert (Path("out") / "a.txt").read_bytes() == b"alpha\n"


@pytest.mark.usefixtures("impatient")
def test_s3rver_is_refused_and_is_not_even_fit_for_one_writer(
    art: Art, data: Path, s3rver: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(s3rver, monkeypatch)
    url = f"s3://{s3rver.make_bucket()}/store"
    failed = check_is_refused(art, url)
    assert failed >= {"order", "ranges", "pages"}
    refused = art("init", url, "--single-writer", "--json", status=10).error
    assert set(refused["context"]["failed"]) == failed - {"create-only", "race"}


def test_a_server_that_only_overwrites_is_refused_and_the_hint_names_the_flag(
    art: Art, data: Path, bucket: str, forgetful: Filter
) -> None:
    url = f"s3://{bucket}/store"
    assert check_is_refused(art, url) == {"create-only", "race"}
    assert keys(url) == []
    for arguments in (("init", url), ("push", "data", "ds", "--store", url)):
        assert f"art init {url} --single-writer" in art(*arguments, status=10).err


def test_a_store_for_one_writer_works_there_and_says_what_it_is(
    art: Art, data: Path, bucket: str, forgetful: Filter
) -> None:
    url = f"s3://{bucket}/store"
    made = art("init", url, "--single-writer")
    assert "warning: this store is for one writer at a time" in made.err
    # Not at every push.
    assert art("push", "data", "ds").err == ""
    (data / "b.txt").write_bytes(b"beta\n")
    assert art("push", "data", "ds").err == ""
    assert art("ls", "ds", "-q").out.split() == ["ds:v1", "ds:v0"]
    art("pull", "ds", "out")
    assert (Path("out") / "b.txt").read_bytes() == b"beta\n"
    art("check", "--read-data")
    ran = art("doctor")
    assert "for one writer at a time" in ran.out
    assert re.search("^warning +race ", ran.out, re.MULTILINE)
    assert art("config", "--json").json["writers"] == "one"
    assert "one writer at a time" in art("config").err
    again = art("init", url, "--json").json
    assert (again["is_new"], again["writers"]) == (False, "one")
    assert again["warnings"]


def test_no_value_of_a_store_for_one_writer_is_written_twice(
    art: Art, data: Path, bucket: str, forgetful: Filter
) -> None:
    url = f"s3://{bucket}/store"
    art("init", url, "--single-writer")
    art("push", "data", "ds")
    first = keys(url)
    art("alias", "ds", "best")
    (data / "a.txt").write_bytes(b"changed\n")
    art("push", "data", "ds")
    assert set(first) <= set(keys(url))
    written = [asked.path for asked in forgetful.requests if asked.method == "PUT"]
    written = [path for path in written if "/probe/" not in path]
    assert sorted(written) == sorted(set(written))


def test_a_store_that_came_to_such_a_server_is_read_and_never_written(
    art: Art, data: Path, moto: S3Server, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    art("init", f"s3://{bucket}/store")
    art("push", "data", "ds")
    before = keys(f"s3://{bucket}/store")
    (data / "a.txt").write_bytes(b"changed\n")
    with filtered(moto.endpoint_url, forgets="if-none-match") as server:
        use(moto, monkeypatch, server.endpoint_url)
        for arguments in (
            ("push", "data", "ds"),
            ("alias", "ds", "best"),
            ("rm", "ds:v0"),
        ):
            error = art(*arguments, "--json", status=10).error
            assert error["code"] == "storage-unsuitable"
        art("pull", "ds", "out")
        assert keys(f"s3://{bucket}/store") == before
    assert (Path("out") / "a.txt").read_bytes() == b"alpha\n"


def test_the_proof_is_one_request_of_the_first_write_of_a_machine(
    art: Art, data: Path, moto: S3Server, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with filtered(moto.endpoint_url) as server:
        use(moto, monkeypatch, server.endpoint_url)
        monkeypatch.setenv("ARTSTORE_URL", f"s3://{bucket}/store")

        def proofs() -> int:
            return server.count("PUT", "artstore.json")

        art("push", "data", "ds")
        assert proofs() == 2  # it is made, and proven
        for number in range(3):
            (data / "a.txt").write_text(str(number))
            art("push", "data", "ds")
        assert proofs() == 2
        monkeypatch.setenv("ARTSTORE_CACHE_DIR", os.path.abspath("another-machine"))
        art("ls", "ds")
        art("pull", "ds", "out")
        assert proofs() == 2
        art("push", "out", "ds")  # nothing has changed, nothing is written
        assert proofs() == 2
        art("alias", "ds", "best")
        art("tag", "ds", "gold")
        assert proofs() == 3


# --- what else goes wrong -------------------------------------------------------------


def test_a_store_that_is_there_keeps_its_kind(art: Art, home: Path) -> None:
    art("init", "many")
    error = art("init", "many", "--single-writer", "--json", status=7).error
    assert error["code"] == "store-exists"
    os.unlink("artstore.toml")
    assert art("init", "one", "--single-writer", "--json").json["writers"] == "one"
    assert art("doctor", "--json").json["writers"] == "one"


def test_a_place_that_does_not_answer_is_told_in_one_line(
    art: Art, moto: S3Server, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and nobody listens
        use(moto, monkeypatch, f"http://127.0.0.1:{taken.getsockname()[1]}")
        ran = art("doctor", f"s3://{bucket}/store", "--json", status=10)
        assert verdicts(ran) == {"write": "failed"}
        error = art("init", f"s3://{bucket}/store", "--json", status=10).error
        assert error["code"] == "storage-unavailable"


def test_a_bucket_that_is_not_there_is_named(art: Art, bucket: str) -> None:
    ran = art("doctor", "s3://no-such-bucket-at-all/store", "--json", status=10)
    assert verdicts(ran) == {"write": "failed"}
    error = art("init", "s3://no-such-bucket-at-all/store", "--json", status=4).error
    assert error["code"] == "bucket-not-found"


def test_without_credentials_it_says_so(
    art: Art, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    ran = art("doctor", f"s3://{bucket}/store", status=10)
    assert "AWS_ACCESS_KEY_ID" in ran.out


def test_a_damaged_store_is_told(art: Art, data: Path) -> None:
    art("init", "store")
    file = Path("store/artstore.json")
    file.chmod(0o644)
    file.write_bytes(file.read_bytes().replace(b"fastcdc", b"slowcdc"))
    ran = art("doctor", "--json", status=10)
    assert verdicts(ran)["store"] == "failed"
    assert ran.json["store_id"] is None


def test_the_doctor_works_where_no_store_is_and_makes_none(art: Art, home: Path) -> None:
    ran = art("doctor", "elsewhere/store", "--json").json
    assert (ran["ok"], ran["store_id"], ran["writers"]) == (True, None, None)
    assert not Path("elsewhere").exists()
    assert "no store is there" in art("doctor").out


def test_a_report_holds_versions_and_origins_and_no_secret(
    art: Art, moto: S3Server, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "do-not-show-me")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "nor-me")
    monkeypatch.setenv("ARTSTORE_URL", f"s3://{bucket}/store")
    for arguments in (("--json",), ("-v",)):
        ran = art("doctor", *arguments)
        said = ran.out + ran.err
        assert "do-not-show-me" not in said
        assert "nor-me" not in said
        for part in ("AWS_SECRET_ACCESS_KEY", "ARTSTORE_URL", "obstore", "python", bucket):
            assert part in said
        assert moto.endpoint_url in said


def test_every_finding_is_on_the_page(art: Art, home: Path, bucket: str) -> None:
    page = (DOCS / "how-to" / "check-a-bucket.md").read_text("utf-8")
    told = {
        name
        for row in re.findall(r"^\| ((?:`[a-z-]+`(?:, )?)+) \|", page, re.MULTILINE)
        for name in re.findall(r"`([a-z-]+)`", row)
    }
    found = {
        finding["name"]: finding["required"]
        for place in ("store", f"s3://{bucket}/store")
        for finding in art("doctor", place, "--json").json["findings"]
    }
    assert told == set(found) | {"write", "read", "store"}
    for row, answer in re.findall(r"^\| (.*?) \|.*\| (yes|no) \|$", page, re.MULTILINE):
        for name in re.findall(r"`([a-z-]+)`", row):
            assert found.get(name, True) is (answer == "yes"), name
