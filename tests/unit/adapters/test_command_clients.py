from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import (
    InvalidConfigError,
    InvalidEndpointConfigurationError,
    ProfileNotFound,
)

from emr_log_guard.adapters.command_clients import CommandClients

PROFILES = """\
[default]
region = eu-west-1
[profile other]
region = us-west-2
aws_access_key_id = AKIAOTHER
aws_secret_access_key = secret
"""


@pytest.fixture
def profiles(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "config"
    file.write_text(PROFILES)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(file))
    monkeypatch.delenv("AWS_DEFAULT_REGION")


@pytest.mark.usefixtures("profiles")
@pytest.mark.parametrize(
    ("profile", "region", "variables", "expected"),
    [
        (None, None, {}, "eu-west-1"),
        ("other", None, {}, "us-west-2"),
        (None, None, {"AWS_PROFILE": "other"}, "us-west-2"),
        (None, None, {"AWS_DEFAULT_REGION": "eu-north-1"}, "eu-north-1"),
        ("other", None, {"AWS_DEFAULT_REGION": "eu-north-1"}, "eu-north-1"),
        (None, None, {"AWS_DEFAULT_REGION": "eu-north-1", "AWS_REGION": "sa-east-1"}, "sa-east-1"),
        ("other", "af-south-1", {"AWS_REGION": "sa-east-1"}, "af-south-1"),
    ],
)
def test_region_is_resolved_as_in_the_aws_cli(
    monkeypatch: pytest.MonkeyPatch,
    profile: str | None,
    region: str | None,
    variables: dict[str, str],
    expected: str,
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    clients = CommandClients.of_caller(profile, region)

    assert clients.region == expected
    assert clients.ssm().meta.region_name == expected
    assert clients.kms("ap-south-1").meta.region_name == "ap-south-1"


@pytest.mark.usefixtures("profiles")
def test_named_profile_takes_precedence_over_environment_credentials() -> None:
    named, unnamed = (CommandClients.of_caller(profile, None) for profile in ("other", None))

    keys = [clients.session.get_credentials() for clients in (named, unnamed)]
    assert [key and key.access_key for key in keys] == ["AKIAOTHER", "testing"]
    assert named.has_credentials()


def test_unknown_profile_raises_profile_not_found() -> None:
    with pytest.raises(ProfileNotFound, match="nobody"):
        CommandClients.of_caller("nobody", None)


def test_unreadable_ca_bundle_raises_invalid_config(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("AWS_CA_BUNDLE", str(tmp_path / "none.pem"))

    with pytest.raises(InvalidConfigError, match=r"none\.pem cannot be read"):
        CommandClients.of_caller(None, None)


def test_invalid_endpoint_url_raises(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "nonsense")

    with pytest.raises(InvalidEndpointConfigurationError):
        CommandClients.of_caller(None, None).ssm()


def test_lambda_client_does_not_retry() -> None:
    clients = CommandClients.of_caller(None, None)
    config = clients.functions().meta.config

    assert config.retries["total_max_attempts"] == 1
    assert config.read_timeout > 120


def test_clients_are_created_once_and_name_the_command_in_the_user_agent() -> None:
    clients = CommandClients.of_caller(None, None)
    made: list[Any] = [
        make()
        for make in (clients.cloudformation, clients.dynamodb, clients.emr, clients.functions)
    ]

    assert clients.emr() is made[2]
    assert all("emr-log-guard" in client.meta.config.user_agent_extra for client in made)
