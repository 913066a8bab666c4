import pytest

from emr_log_guard.domain.clusters import LOG_TYPES
from emr_log_guard.domain.compliance import Compliance
from emr_log_guard.rules.emrlog_001_log_archive_enabled import RULE
from tests.unit.builders import a_cluster, cluster_facts


@pytest.mark.parametrize(
    "log_uri", ["s3://example-logs", "s3n://example-logs/emr/", "s3a://example-logs/emr"]
)
def test_a_cluster_with_a_log_uri_complies(log_uri: str) -> None:
    outcome = RULE.check(cluster_facts(a_cluster(log_uri=log_uri)))

    assert outcome.compliance is Compliance.COMPLIANT
    assert log_uri in outcome.summary


def test_a_cluster_without_a_log_uri_does_not_comply() -> None:
    outcome = RULE.check(cluster_facts(a_cluster(log_uri=None)))

    assert outcome.compliance is Compliance.NON_COMPLIANT
    assert "no log URI" in outcome.summary


ALL_DISABLED = dict.fromkeys(LOG_TYPES, "disabled")


def test_cluster_with_a_log_uri_and_all_uploads_disabled_does_not_comply() -> None:
    facts = cluster_facts(a_cluster(log_upload_policies=ALL_DISABLED))

    outcome = RULE.check(facts)

    assert outcome.compliance is Compliance.NON_COMPLIANT
    assert "the upload policy of every log type is disabled" in outcome.summary
    assert RULE.remediation(facts).startswith("# Do not use disabled in the LogTypeUploadPolicy")
    assert "--log-uri s3://example-logs/emr/ " in RULE.remediation(facts)


@pytest.mark.parametrize("kind", LOG_TYPES)
@pytest.mark.parametrize("policy", [None, "emr-managed", "on-customer-s3only"])
def test_cluster_that_uploads_one_log_type_complies(kind: str, policy: str | None) -> None:
    policies = {each: "disabled" for each in LOG_TYPES if each != kind}
    if policy is not None:
        policies[kind] = policy

    outcome = RULE.check(cluster_facts(a_cluster(log_upload_policies=policies)))

    assert outcome.compliance is Compliance.COMPLIANT


def test_cluster_that_uploads_an_unknown_log_type_complies() -> None:
    policies = ALL_DISABLED | {"audit-logs": "emr-managed"}

    outcome = RULE.check(cluster_facts(a_cluster(log_upload_policies=policies)))

    assert outcome.compliance is Compliance.COMPLIANT


def test_fix_is_a_relaunch_with_a_log_uri() -> None:
    command = RULE.remediation(cluster_facts(a_cluster(log_uri=None)))

    assert "--log-uri s3://LOG_BUCKET/logs/ " in command
