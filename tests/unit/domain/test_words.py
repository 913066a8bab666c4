"""The enumerations shared with AWS and with other tools."""

from enum import StrEnum

import pytest
from botocore.model import StringShape
from botocore.session import get_session

from emr_log_guard.domain.compliance import Compliance, Severity
from emr_log_guard.domain.decide import AlertKind, NextStep
from emr_log_guard.domain.findings import Status
from emr_log_guard.domain.key_access import IdentityDecision
from emr_log_guard.domain.keys import KeyManager, KeyState
from emr_log_guard.domain.policy import TerminationProtection
from emr_log_guard.rules.emrlog_101_log_object_kms_encrypted import RULE as RULE_101
from emr_log_guard.rules.preconditions import KMS_ALGORITHMS
from tests.unit.builders import a_cluster, encrypted, log_object_facts


def words_of_aws(service: str, shape: str) -> list[str]:
    """List an enumeration of a service's API, in its order."""
    found = get_session().get_service_model(service).shape_for(shape)
    assert isinstance(found, StringShape)
    return list(found.enum)


@pytest.mark.parametrize(
    ("words", "service", "shape"),
    [
        (KeyState, "kms", "KeyState"),
        (KeyManager, "kms", "KeyManagerType"),
        (Compliance, "config", "ComplianceType"),
    ],
)
def test_enumerations_equal_those_of_aws(words: type[StrEnum], service: str, shape: str) -> None:
    assert set(words) == set(words_of_aws(service, shape))


def test_identity_decisions_are_those_of_iam_and_limited() -> None:
    iams = set(words_of_aws("iam", "PolicyEvaluationDecisionType"))

    assert set(IdentityDecision) == iams | {"limited"}


def test_severities_are_those_of_security_hub_without_informational() -> None:
    assert ["INFORMATIONAL", *Severity] == words_of_aws("securityhub", "SeverityLabel")


def test_only_the_terminating_and_terminated_states_of_emr_count_as_terminated() -> None:
    states = words_of_aws("emr", "ClusterState")

    assert [state for state in states if a_cluster(state=state).terminating] == [
        "TERMINATING",
        "TERMINATED",
        "TERMINATED_WITH_ERRORS",
    ]


@pytest.mark.parametrize("algorithm", words_of_aws("s3", "ServerSideEncryption"))
def test_every_s3_encryption_algorithm_is_classified_as_kms_or_not(algorithm: str) -> None:
    outcome = RULE_101.check(log_object_facts(encryption=encrypted(algorithm)))

    assert outcome.compliance is (
        Compliance.COMPLIANT if algorithm in KMS_ALGORITHMS else Compliance.NON_COMPLIANT
    )


def test_values_of_public_enumerations_are_fixed() -> None:
    assert set(Status) == {"OPEN", "RESOLVED", "EXEMPT"}
    assert set(TerminationProtection) == {"respect", "override"}
    assert set(AlertKind) == {
        "finding.opened",
        "finding.reopened",
        "finding.reminder",
        "finding.resolved",
        "enforcement.scheduled",
        "enforcement.done",
        "enforcement.skipped",
        "enforcement.failed",
        "remediation.done",
        "remediation.failed",
        "policy.invalid",
        "policy.changed",
        "rescan.done",
    }
    assert all(step == step.name.lower() for step in NextStep)
