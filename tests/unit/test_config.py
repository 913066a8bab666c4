import pytest

from emr_log_guard.config import Settings, required
from emr_log_guard.errors import InvalidConfigurationError

ENV = {
    "POLICY_PARAMETER_NAME": "/emr-log-guard/policy",
    "ALERTS_TOPIC_ARN": "arn:aws:sns:eu-west-1:111122223333:alerts",
    "ENFORCEMENT_QUEUE_URL": "https://sqs.invalid/q",
    "RUNBOOK_BASE_URL": "https://example.com/runbooks/",
    "LOG_BUCKETS": "one-logs,two-logs",
}


def without(*names: str) -> dict[str, str]:
    return {name: value for name, value in ENV.items() if name not in names}


def test_every_variable_is_read() -> None:
    settings = Settings.from_env(ENV)

    assert settings.policy_parameter_name == ENV["POLICY_PARAMETER_NAME"]
    assert settings.alerts_topic_arn == ENV["ALERTS_TOPIC_ARN"]
    assert settings.enforcement_queue_url == ENV["ENFORCEMENT_QUEUE_URL"]
    assert settings.runbook("EMRLOG-002") == "https://example.com/runbooks/EMRLOG-002.md"
    assert settings.log_buckets == ("one-logs", "two-logs")


@pytest.mark.parametrize("env", [without("LOG_BUCKETS"), ENV | {"LOG_BUCKETS": ""}])
def test_without_names_every_bucket_is_checked(env: dict[str, str]) -> None:
    assert Settings.from_env(env).log_buckets == ()


@pytest.mark.parametrize(
    "env", [without("ENFORCEMENT_QUEUE_URL"), ENV | {"ENFORCEMENT_QUEUE_URL": ""}]
)
def test_without_a_queue_there_is_nobody_to_ask_for_a_termination(env: dict[str, str]) -> None:
    assert Settings.from_env(env).enforcement_queue_url is None


def test_runbooks_have_a_default_place() -> None:
    settings = Settings.from_env(without("RUNBOOK_BASE_URL"))

    assert settings.runbook("EMRLOG-002") == "docs/runbooks/EMRLOG-002.md"


@pytest.mark.parametrize("name", ["POLICY_PARAMETER_NAME", "ALERTS_TOPIC_ARN"])
@pytest.mark.parametrize("value", [None, "", "  "], ids=["missing", "empty", "blank"])
def test_a_variable_that_must_be_set_is_named(name: str, value: str | None) -> None:
    env = without(name) if value is None else ENV | {name: value}

    with pytest.raises(InvalidConfigurationError, match=f"{name} is missing: deploy the stack"):
        Settings.from_env(env)


def test_what_is_required_is_taken_without_its_blanks() -> None:
    assert required({"X": " y "}, "X") == "y"
