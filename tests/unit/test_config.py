import pytest

from emr_log_guard.config import Settings
from emr_log_guard.domain.compliance import Mode
from emr_log_guard.domain.policy import TerminationProtection
from emr_log_guard.errors import InvalidConfigurationError

ENV = {
    "MODE": "enforce",
    "APPROVED_KEYS": "alias/a, alias/b,,",
    "ENFORCEMENT_RULES": "EMRLOG-002,EMRLOG-101",
    "TERMINATION_PROTECTION": "override",
    "ALERTS_TOPIC_ARN": "arn:aws:sns:eu-west-1:111122223333:alerts",
    "ENFORCEMENT_QUEUE_URL": "https://sqs.invalid/q",
    "RUNBOOK_BASE_URL": "https://example.com/runbooks/",
}


def without(*names: str) -> dict[str, str]:
    return {name: value for name, value in ENV.items() if name not in names}


def test_every_variable_is_read() -> None:
    settings = Settings.from_env(ENV)

    assert settings.policy.mode is Mode.ENFORCE
    assert settings.policy.approved_keys == ("alias/a", "alias/b")
    assert settings.policy.enforcement.rules == {"EMRLOG-002", "EMRLOG-101"}
    protection = settings.policy.enforcement.termination_protection
    assert protection is TerminationProtection.OVERRIDE
    assert settings.policy.enforcement.allowed
    assert settings.alerts_topic_arn == ENV["ALERTS_TOPIC_ARN"]
    assert settings.enforcement_queue_url == ENV["ENFORCEMENT_QUEUE_URL"]
    assert settings.runbook("EMRLOG-002") == "https://example.com/runbooks/EMRLOG-002.md"


@pytest.mark.parametrize(
    "env", [without("ENFORCEMENT_QUEUE_URL"), ENV | {"ENFORCEMENT_QUEUE_URL": ""}]
)
def test_without_a_queue_nothing_may_be_terminated(env: dict[str, str]) -> None:
    settings = Settings.from_env(env)

    assert not settings.policy.enforcement.allowed
    assert settings.enforcement_queue_url is None


def test_what_may_be_left_out_has_a_default() -> None:
    settings = Settings.from_env(without("APPROVED_KEYS", "ENFORCEMENT_RULES", "RUNBOOK_BASE_URL"))

    assert settings.policy.approved_keys == ()
    assert settings.policy.enforcement.rules == frozenset()
    assert settings.runbook("EMRLOG-002") == "docs/runbooks/EMRLOG-002.md"


@pytest.mark.parametrize("name", ["MODE", "TERMINATION_PROTECTION", "ALERTS_TOPIC_ARN"])
@pytest.mark.parametrize("value", [None, "", "  "], ids=["missing", "empty", "blank"])
def test_a_variable_that_must_be_set_is_named(name: str, value: str | None) -> None:
    env = without(name) if value is None else ENV | {name: value}

    with pytest.raises(InvalidConfigurationError, match=f"{name} is missing: deploy the stack"):
        Settings.from_env(env)


@pytest.mark.parametrize(
    ("name", "value", "fix"),
    [
        ("MODE", "Enforce", "MODE is 'Enforce': it must be one of observe, alert, enforce"),
        ("MODE", "kill", "it must be one of observe, alert, enforce"),
        ("TERMINATION_PROTECTION", "ignore", "it must be one of respect, override"),
        ("ENFORCEMENT_RULES", "EMRLOG-002,EMRLOG-007", "ENFORCEMENT_RULES names EMRLOG-007"),
        ("ENFORCEMENT_RULES", "EMRLOG-001", "severity HIGH end a cluster, so it may name EMRLOG"),
        ("ENFORCEMENT_RULES", "*", r"names \*"),
        ("ENFORCEMENT_RULES", "emrlog-002", "names emrlog-002"),
    ],
)
def test_a_wrong_value_is_named_with_what_it_may_be(name: str, value: str, fix: str) -> None:
    with pytest.raises(InvalidConfigurationError, match=fix):
        Settings.from_env(ENV | {name: value})
