import pytest

from emr_log_guard.config import EnforcementSettings, Settings, required
from emr_log_guard.errors import InvalidConfigurationError

ENFORCEMENT = {
    "ENFORCEMENT_QUEUE_URL": "https://sqs.invalid/q",
    "ENFORCEMENT_QUEUE_ARN": "arn:queue",
    "SCHEDULE_GROUP_NAME": "group",
    "SCHEDULE_ROLE_ARN": "arn:role",
    "DEAD_LETTER_QUEUE_ARN": "arn:dead",
}
REQUIRED = {
    "AWS_DEFAULT_REGION": "eu-west-1",
    "STACK_NAME": "emr-log-guard",
    "POLICY_PARAMETER_NAME": "/emr-log-guard/policy",
    "FINDINGS_TABLE_NAME": "findings",
    "REPORTS_BUCKET_NAME": "reports",
    "ALERTS_TOPIC_ARN": "arn:aws:sns:eu-west-1:111122223333:alerts",
    "EMR_API_SHARE": "0.5",
}
ENV = {
    **REQUIRED,
    **ENFORCEMENT,
    "RUNBOOK_BASE_URL": "https://example.com/runbooks/",
    "REENCRYPTION_QUEUE_URL": "https://sqs.invalid/reencryption",
    "LOG_BUCKETS": "one-logs,two-logs",
}


def without(*names: str) -> dict[str, str]:
    return {name: value for name, value in ENV.items() if name not in names}


def test_every_variable_is_read() -> None:
    assert Settings.from_env(ENV) == Settings(
        region="eu-west-1",
        stack_name="emr-log-guard",
        policy_parameter_name="/emr-log-guard/policy",
        findings_table_name="findings",
        reports_bucket_name="reports",
        alerts_topic_arn="arn:aws:sns:eu-west-1:111122223333:alerts",
        runbook_base_url="https://example.com/runbooks/",
        enforcement=EnforcementSettings(
            queue_url="https://sqs.invalid/q",
            queue_arn="arn:queue",
            schedule_group="group",
            schedule_role_arn="arn:role",
            dead_letters_arn="arn:dead",
        ),
        reencryption_queue_url="https://sqs.invalid/reencryption",
        log_buckets=("one-logs", "two-logs"),
        emr_api_share=0.5,
    )


@pytest.mark.parametrize("share", ["half", "0", "-1", "inf", "nan"])
def test_invalid_emr_api_share_raises(share: str) -> None:
    with pytest.raises(InvalidConfigurationError, match=f"EMR_API_SHARE is {share}"):
        Settings.from_env(ENV | {"EMR_API_SHARE": share})


def test_runbook_url_is_below_the_base_url() -> None:
    runbook = Settings.from_env(ENV).runbook("EMRLOG-002")

    assert runbook == "https://example.com/runbooks/EMRLOG-002.md"


@pytest.mark.parametrize("env", [without("LOG_BUCKETS"), ENV | {"LOG_BUCKETS": ""}])
def test_missing_log_buckets_mean_every_bucket(env: dict[str, str]) -> None:
    assert Settings.from_env(env).log_buckets == ()


@pytest.mark.parametrize(
    "env", [without("ENFORCEMENT_QUEUE_URL"), ENV | {"ENFORCEMENT_QUEUE_URL": ""}]
)
def test_missing_queue_means_no_enforcement(env: dict[str, str]) -> None:
    assert Settings.from_env(env).enforcement is None


@pytest.mark.parametrize(
    "env", [without("REENCRYPTION_QUEUE_URL"), ENV | {"REENCRYPTION_QUEUE_URL": ""}]
)
def test_missing_reencryption_queue_means_no_reencryption(env: dict[str, str]) -> None:
    assert Settings.from_env(env).reencryption_queue_url is None


def test_runbooks_without_a_base_url_are_named_by_title() -> None:
    settings = Settings.from_env(without("RUNBOOK_BASE_URL"))

    named = "EMRLOG-002 in the documentation of EMR Log Guard"
    assert settings.runbook("EMRLOG-002") == named


@pytest.mark.parametrize("name", [*REQUIRED, *[*ENFORCEMENT][1:]])
@pytest.mark.parametrize("value", [None, "", "  "], ids=["missing", "empty", "blank"])
def test_missing_required_variable_is_named(name: str, value: str | None) -> None:
    env = without(name) if value is None else ENV | {name: value}

    with pytest.raises(InvalidConfigurationError, match=f"{name} is missing: deploy the stack"):
        Settings.from_env(env)


def test_required_value_is_stripped() -> None:
    assert required({"X": " y "}, "X") == "y"
