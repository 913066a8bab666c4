from collections.abc import Mapping
from dataclasses import replace

import pytest

from emr_log_guard.domain.clusters import Session, WorkloadFacts
from emr_log_guard.domain.compliance import Compliance
from emr_log_guard.rules.emrlog_012_no_service_retained_logs import RULE
from tests.unit.builders import CLUSTER_ID, KEY, REGION, UNREADABLE, a_cluster, cluster_facts

OURS = {
    "system-logs": "on-customer-s3only",
    "application-logs": "on-customer-s3only",
    "persistent-ui-logs": "disabled",
}


@pytest.mark.parametrize(
    ("policies", "compliance", "notified"),
    [
        (OURS, Compliance.COMPLIANT, "retains no logs"),
        (OURS | {"system-logs": "disabled"}, Compliance.COMPLIANT, "retains no logs"),
        (OURS | {"system-logs": "emr-managed"}, Compliance.NON_COMPLIANT, "retain system-logs"),
        ({"system-logs": "disabled"}, Compliance.NON_COMPLIANT, "application-logs, persistent-ui"),
        ({}, Compliance.NON_COMPLIANT, "system-logs, application-logs, persistent-ui-logs"),
    ],
)
def test_log_type_with_an_emr_managed_upload_policy_does_not_comply(
    policies: Mapping[str, str], compliance: Compliance, notified: str
) -> None:
    outcome = RULE.check(cluster_facts(a_cluster(log_upload_policies=policies)))

    assert outcome.compliance is compliance
    assert notified in outcome.summary


MANAGED = Session("is-1", "ide", managed_logs=True)


@pytest.mark.parametrize(
    ("session", "notified"),
    [
        (MANAGED, "the logs of session is-1 (ide) without a key"),
        (
            replace(MANAGED, managed_key_identifier=KEY.arn),
            f"session is-1 (ide) under key {KEY.arn}",
        ),
    ],
)
def test_session_with_managed_logging_does_not_comply(session: Session, notified: str) -> None:
    facts = cluster_facts(
        a_cluster(log_upload_policies=OURS), sessions=(WorkloadFacts(session, KEY),)
    )

    outcome = RULE.check(facts)

    assert outcome.compliance is Compliance.NON_COMPLIANT
    assert notified in outcome.summary
    comment, command = RULE.remediation(facts).splitlines()
    assert comment.endswith(" again with Enabled=false in the ManagedLoggingConfiguration:")
    assert command == (
        f"aws emr terminate-session --region {REGION} --cluster-id {CLUSTER_ID} --session-id is-1"
    )


def test_violations_of_cluster_and_session_are_reported_and_fixed_together() -> None:
    facts = cluster_facts(sessions=(WorkloadFacts(MANAGED, KEY),))

    outcome = RULE.check(facts)

    assert "persistent-ui-logs; the logs of session is-1" in outcome.summary
    assert "aws emr create-cluster" in RULE.remediation(facts)
    assert "aws emr terminate-session" in RULE.remediation(facts)


@pytest.mark.parametrize(
    ("policies", "compliance"),
    [(OURS, Compliance.INSUFFICIENT_DATA), ({}, Compliance.NON_COMPLIANT)],
)
def test_unlistable_sessions_are_undetermined_unless_the_cluster_violates_the_rule(
    policies: Mapping[str, str], compliance: Compliance
) -> None:
    facts = cluster_facts(a_cluster(log_upload_policies=policies), sessions=UNREADABLE)

    assert RULE.check(facts).compliance is compliance


def test_session_without_managed_logging_complies() -> None:
    session = WorkloadFacts(Session("is-1", "ide", "s3://elsewhere/"), KEY)
    facts = cluster_facts(a_cluster(log_upload_policies=OURS), sessions=(session,))

    assert RULE.check(facts).compliance is Compliance.COMPLIANT


def test_fix_is_a_relaunch_with_upload_policies() -> None:
    text = RULE.remediation(cluster_facts())

    assert "LogTypeUploadPolicy" in text.splitlines()[0]
    # EMR takes no on-customer-s3only for these.
    assert text.splitlines()[0].endswith(" and disabled for persistent-ui-logs.")
    assert "aws emr create-cluster" in text
