import pytest

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


def test_the_fix_is_a_relaunch_with_a_place_for_logs() -> None:
    command = RULE.remediation(cluster_facts(a_cluster(log_uri=None)))

    assert "--log-uri s3://LOG_BUCKET/logs/ " in command
