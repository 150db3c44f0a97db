"""Who one is at a bucket: variables, then the profile, then what botocore finds."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from artstore import clock
from artstore.errors import DeniedError, InvalidInputError
from artstore.storage.credentials import Access, Keys, find_access
from tests.trees import LaterClock

KEYS = {"AWS_ACCESS_KEY_ID": "variable-key", "AWS_SECRET_ACCESS_KEY": "variable-secret"}

Files = Callable[..., None]


@pytest.fixture
def aws(home: Path) -> Files:
    """Writes `~/.aws/credentials` and `~/.aws/config`."""

    def write(*, credentials: str = "", config: str = "") -> None:
        (home / ".aws").mkdir()
        if credentials:
            (home / ".aws" / "credentials").write_text(credentials)
        if config:
            (home / ".aws" / "config").write_text(config)

    return write


def access(bucket: str = "bucket", **environ: str) -> Access:
    """As found with these variables beside the home of the test."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environ.items():
            patch.setenv(name, value)
        return find_access(bucket)


def keys(**environ: str) -> Keys:
    found = access(**environ).keys
    assert found is not None
    return found()


# --- keys -----------------------------------------------------------------------------


def test_keys_in_variables_come_first(aws: Files) -> None:
    aws(credentials="[default]\naws_access_key_id = file-key\naws_secret_access_key = file-secret")
    assert keys(**KEYS) == Keys("variable-key", "variable-secret")
    assert keys() == Keys("file-key", "file-secret")


def test_a_session_token_goes_with_the_keys_it_stands_with(aws: Files) -> None:
    aws(
        credentials="[default]\naws_access_key_id = k\naws_secret_access_key = s\n"
        "aws_session_token = of-file"
    )
    assert keys(**KEYS, AWS_SESSION_TOKEN="of-variable").token == "of-variable"
    assert keys(**KEYS).token is None
    assert keys(**KEYS, AWS_SESSION_TOKEN="").token is None
    assert keys(AWS_SESSION_TOKEN="of-variable").token == "of-file"


@pytest.mark.parametrize("name", KEYS)
def test_half_of_the_keys_is_a_mistake_and_not_a_reason_to_look_elsewhere(
    aws: Files, name: str
) -> None:
    aws(credentials="[default]\naws_access_key_id = k\naws_secret_access_key = s")
    with pytest.raises(DeniedError, match="only one is set") as raised:
        access(**{name: "x"})
    assert raised.value.code == "credentials-missing"


def test_no_keys_at_all_are_missing_with_what_to_set() -> None:
    with pytest.raises(DeniedError) as raised:
        access()
    assert raised.value.code == "credentials-missing"
    assert "AWS_ACCESS_KEY_ID" in str(raised.value.hint)
    assert "AWS_PROFILE" in str(raised.value.hint)


def test_requests_without_a_signature_need_no_keys() -> None:
    for text in ("true", "1", "TRUE", "yes"):
        assert access(AWS_SKIP_SIGNATURE=text).keys is None
    assert access(AWS_SKIP_SIGNATURE="false", **KEYS).keys is not None


def test_keys_are_not_shown() -> None:
    assert "variable-secret" not in repr(keys(**KEYS))
    assert "variable-key" not in repr(keys(**KEYS))


# --- profiles -------------------------------------------------------------------------

CREDENTIALS = """
[default]
aws_access_key_id = default-key
aws_secret_access_key = default-secret
[team]
aws_access_key_id = team-key
aws_secret_access_key = team-secret
"""


@pytest.mark.parametrize("variable", ["AWS_PROFILE", "AWS_DEFAULT_PROFILE"])
def test_a_variable_names_the_profile(aws: Files, variable: str) -> None:
    aws(credentials=CREDENTIALS)
    assert keys(**{variable: "team"}).access_key_id == "team-key"
    assert keys(AWS_PROFILE="team", AWS_DEFAULT_PROFILE="default").access_key_id == "team-key"
    assert keys().access_key_id == "default-key"


def test_variables_lead_to_files_elsewhere(aws: Files, home: Path) -> None:
    aws(credentials=CREDENTIALS, config="[default]\nregion = of-home")
    (home / "other credentials").write_text(CREDENTIALS.replace("default-", "other-"))
    (home / "other config").write_text("[default]\nregion = of-other")
    found = access(
        AWS_SHARED_CREDENTIALS_FILE="~/other credentials",
        AWS_CONFIG_FILE=str(home / "other config"),
    )
    assert found.keys is not None
    assert found.keys().access_key_id == "other-key"
    assert found.region == "of-other"
    # One variable moves one file.
    assert access(AWS_CONFIG_FILE=str(home / "other config")).keys is not None


@pytest.mark.parametrize("section", ["profile team", 'profile "team"', "profile   team"])
def test_a_profile_may_stand_in_the_config_alone(aws: Files, section: str) -> None:
    aws(config=f"[{section}]\naws_access_key_id = k\naws_secret_access_key = s\nregion = eu-west-1")
    found = access(AWS_PROFILE="team")
    assert found.keys is not None
    assert found.keys() == Keys("k", "s")
    assert found.region == "eu-west-1"


def test_a_profile_that_is_not_there_is_missing_and_named(aws: Files, home: Path) -> None:
    aws(credentials=CREDENTIALS)
    with pytest.raises(DeniedError, match="no profile 'typo'") as raised:
        access(AWS_PROFILE="typo")
    assert raised.value.code == "credentials-missing"
    assert str(home / ".aws" / "config") in raised.value.message
    with pytest.raises(DeniedError, match="no profile 'typo'"):
        access(AWS_PROFILE="typo", **KEYS)


def test_a_default_profile_that_is_not_there_is_no_mistake() -> None:
    assert keys(**KEYS).access_key_id == "variable-key"


@pytest.mark.parametrize("text", ["no section at all", "[default\nregion = x", "[a]\n[a]\n"])
def test_a_file_that_is_no_ini_is_named(aws: Files, text: str) -> None:
    aws(config=text)
    with pytest.raises(InvalidInputError, match=r"\.aws/config cannot be read") as raised:
        access(**KEYS)
    assert raised.value.code == "settings-invalid"


def test_a_percent_sign_is_a_character_like_others(aws: Files) -> None:
    aws(credentials="[default]\naws_access_key_id = k\naws_secret_access_key = 50%/s+%(x)s")
    assert keys().secret_access_key == "50%/s+%(x)s"


def test_keys_that_a_program_gives_come_through_botocore_and_are_renewed(
    aws: Files, home: Path
) -> None:
    program = home / "give-keys"
    program.write_text(
        '#!/bin/sh\necho \'{"Version": 1, "AccessKeyId": "made", "SecretAccessKey": "s", '
        '"SessionToken": "t"}\'\n'
    )
    program.chmod(0o755)
    # The keys that stand there too are not those of this profile.
    aws(config=f"[profile team]\ncredential_process = {program}\naws_access_key_id = stale\n")
    with clock.use(LaterClock()):
        now = clock.now_seconds()
        found = keys(AWS_PROFILE="team")
    assert (found.access_key_id, found.secret_access_key, found.token) == ("made", "s", "t")
    assert found.expires is not None
    assert abs(found.expires.timestamp() - now - 300) < 60
    assert found.expires.tzinfo is UTC
    assert isinstance(found.expires, datetime)


def test_a_program_that_gives_no_keys_is_told_with_its_words(aws: Files, home: Path) -> None:
    program = home / "give-keys"
    program.write_text("#!/bin/sh\necho 'log in first' >&2; exit 1\n")
    program.chmod(0o755)
    aws(config=f"[profile team]\ncredential_process = {program}\n")
    with pytest.raises(DeniedError, match="log in first") as raised:
        keys(AWS_PROFILE="team")
    assert raised.value.code == "credentials-missing"


# --- where ----------------------------------------------------------------------------


def test_the_region_is_of_a_variable_then_of_the_profile_then_the_first_of_aws(
    aws: Files,
) -> None:
    assert access(**KEYS).region == "us-east-1"
    aws(config="[default]\nregion = eu-central-1\n[profile bare]\noutput = json\n")
    assert access(**KEYS).region == "eu-central-1"
    assert access(**KEYS, AWS_PROFILE="bare").region == "us-east-1"
    assert access(**KEYS, AWS_DEFAULT_REGION="eu-west-3").region == "eu-west-3"
    both = access(**KEYS, AWS_REGION="eu-west-1", AWS_DEFAULT_REGION="eu-west-3")
    assert both.region == "eu-west-1"


def test_the_endpoint_is_of_aws_in_the_region_unless_one_is_set() -> None:
    assert access(**KEYS, AWS_REGION="eu-west-1").endpoint == "https://s3.eu-west-1.amazonaws.com"
    china = access(**KEYS, AWS_REGION="cn-north-1")
    assert china.endpoint == "https://s3.cn-north-1.amazonaws.com.cn"
    set_to = {"AWS_ENDPOINT_URL": "http://host:9000/"}
    assert access(**KEYS, **set_to).endpoint == "http://host:9000"
    of_s3 = access(**KEYS, **set_to, AWS_ENDPOINT_URL_S3="https://s3.example")
    assert of_s3.endpoint == "https://s3.example"
    ignored = access(**KEYS, **set_to, AWS_IGNORE_CONFIGURED_ENDPOINT_URLS="true")
    assert ignored.endpoint == "https://s3.us-east-1.amazonaws.com"


def test_the_endpoint_of_a_profile_counts_and_that_of_s3_in_it_more(aws: Files) -> None:
    aws(
        config="[profile one]\nendpoint_url = https://all.example\n"
        "[profile two]\nendpoint_url = https://all.example\nservices = local\n"
        "[services local]\ns3 =\n  endpoint_url = https://s3.example\n"
    )
    assert access(**KEYS, AWS_PROFILE="one").endpoint == "https://all.example"
    assert access(**KEYS, AWS_PROFILE="two").endpoint == "https://s3.example"
    over = access(**KEYS, AWS_PROFILE="two", AWS_ENDPOINT_URL="https://variable.example")
    assert over.endpoint == "https://variable.example"


@pytest.mark.parametrize("text", ["host:9000", "ftp://host", "http://", "localhost"])
def test_what_is_no_endpoint_is_refused_with_the_name_of_its_variable(text: str) -> None:
    with pytest.raises(InvalidInputError, match="AWS_ENDPOINT_URL is") as raised:
        access(**KEYS, AWS_ENDPOINT_URL=text)
    assert raised.value.code == "settings-invalid"


def test_the_bucket_is_in_the_name_of_the_host_only_where_that_works(aws: Files) -> None:
    assert access(**KEYS).is_virtual_hosted
    assert not access("dotted.name", **KEYS).is_virtual_hosted
    at_home = {"AWS_ENDPOINT_URL": "http://host:9000"}
    assert not access(**KEYS, **at_home).is_virtual_hosted
    forced = access(**KEYS, **at_home, AWS_VIRTUAL_HOSTED_STYLE_REQUEST="true")
    assert forced.is_virtual_hosted
    assert not access(**KEYS, AWS_VIRTUAL_HOSTED_STYLE_REQUEST="false").is_virtual_hosted
    aws(
        config="[profile path]\ns3 =\n  addressing_style = path\n"
        "[profile virtual]\ns3 =\n  addressing_style = virtual\n"
    )
    assert not access(**KEYS, AWS_PROFILE="path").is_virtual_hosted
    assert access(**KEYS, **at_home, AWS_PROFILE="virtual").is_virtual_hosted


def test_further_authorities_are_of_a_variable_or_the_profile(aws: Files) -> None:
    aws(config="[default]\nca_bundle = /of/profile.pem\n")
    assert access(**KEYS).ca_bundle == "/of/profile.pem"
    assert access(**KEYS, AWS_CA_BUNDLE="/of/variable.pem").ca_bundle == "/of/variable.pem"
