from collections.abc import Mapping

import pytest

from emr_log_guard.domain.compliance import Compliance
from emr_log_guard.rules.emrlog_012_no_service_retained_logs import RULE
from tests.unit.builders import a_cluster, cluster_facts

OURS = {
    "system-logs": "on-customer-s3only",
    "application-logs": "on-customer-s3only",
    "persistent-ui-logs": "disabled",
}


@pytest.mark.parametrize(
    ("policies", "compliance", "told"),
    [
        (OURS, Compliance.COMPLIANT, "retains no logs"),
        (OURS | {"system-logs": "disabled"}, Compliance.COMPLIANT, "retains no logs"),
        (OURS | {"system-logs": "emr-managed"}, Compliance.NON_COMPLIANT, "retain system-logs for"),
        ({"system-logs": "disabled"}, Compliance.NON_COMPLIANT, "application-logs, persistent-ui"),
        ({}, Compliance.NON_COMPLIANT, "system-logs, application-logs, persistent-ui-logs"),
    ],
)
def test_no_log_type_may_be_left_to_the_service(
    policies: Mapping[str, str], compliance: Compliance, told: str
) -> None:
    outcome = RULE.check(cluster_facts(a_cluster(log_upload_policies=policies)))

    assert outcome.compliance is compliance
    assert told in outcome.summary


def test_the_fix_is_a_relaunch_with_upload_policies() -> None:
    text = RULE.remediation(cluster_facts())

    assert "LogTypeUploadPolicy" in text.splitlines()[0]
    # EMR takes no on-customer-s3only for these.
    assert text.splitlines()[0].endswith(" and disabled for persistent-ui-logs.")
    assert "aws emr create-cluster" in text
