import pytest

from emr_log_guard.domain.compliance import Compliance
from emr_log_guard.domain.keys import KeyFact
from emr_log_guard.rules.emrlog_002_log_key_configured import RULE
from tests.unit.builders import (
    AWS_MANAGED,
    KEY,
    NO_SUCH_KEY,
    REGION,
    UNREADABLE,
    a_cluster,
    approved,
    cluster_facts,
)


@pytest.mark.parametrize(
    "identifier",
    [
        KEY.arn,
        "1234abcd-12ab-34cd-56ef-1234567890ab",
        "mrk-1234abcd12ab34cd56ef1234567890ab",
        "alias/emr-logs",
        f"arn:aws:kms:{REGION}:111122223333:alias/emr-logs",
    ],
)
def test_cluster_with_a_key_in_any_notation_complies(identifier: str) -> None:
    outcome = RULE.check(cluster_facts(a_cluster(log_key_identifier=identifier)))

    assert outcome.compliance is Compliance.COMPLIANT
    assert identifier in outcome.summary


@pytest.mark.parametrize("log_key", [AWS_MANAGED, NO_SUCH_KEY, UNREADABLE])
def test_cluster_with_an_unsuitable_key_complies(log_key: KeyFact) -> None:
    outcome = RULE.check(cluster_facts(log_key=log_key))

    assert outcome.compliance is Compliance.COMPLIANT


def test_cluster_without_a_key_does_not_comply() -> None:
    outcome = RULE.check(cluster_facts(log_key=None))

    assert outcome.compliance is Compliance.NON_COMPLIANT
    assert "s3n://example-logs/emr/ without a log encryption key" in outcome.summary


def test_a_cluster_that_archives_no_logs_is_not_evaluated() -> None:
    outcome = RULE.check(cluster_facts(a_cluster(log_uri=None, log_key_identifier=None)))

    assert outcome.compliance is Compliance.NOT_APPLICABLE
    assert "no logs are archived" in outcome.summary


def test_the_fix_is_a_relaunch_with_the_approved_key() -> None:
    command = RULE.remediation(cluster_facts(log_key=None, approved_keys=approved(KEY)))

    assert f"--log-encryption-kms-key-id {KEY.arn} " in command
