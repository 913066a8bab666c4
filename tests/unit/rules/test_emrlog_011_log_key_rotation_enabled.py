import pytest

from emr_log_guard.domain.compliance import Compliance
from emr_log_guard.domain.keys import KeyFact, KeyState
from emr_log_guard.domain.unresolved import Unresolved
from emr_log_guard.rules.emrlog_011_log_key_rotation_enabled import RULE
from tests.unit.builders import (
    AWS_MANAGED,
    KEY,
    NO_SUCH_KEY,
    OTHER_REGION,
    REGION,
    UNREADABLE,
    a_cluster,
    a_key,
    cluster_facts,
    key_arn,
)

DENIED = Unresolved("kms:GetKeyRotationStatus on key answered AccessDeniedException")
MULTI_REGION = a_key(arn=key_arn("mrk-1234abcd12ab34cd56ef1234567890ab"))


@pytest.mark.parametrize(
    ("rotation", "compliance", "notified"),
    [
        (True, Compliance.COMPLIANT, f"KMS rotates the log key {KEY.arn}"),
        (False, Compliance.NON_COMPLIANT, f"automatic rotation of the log key {KEY.arn} is off"),
        (DENIED, Compliance.INSUFFICIENT_DATA, DENIED.reason),
        (None, Compliance.INSUFFICIENT_DATA, "was not read"),
    ],
)
def test_automatic_rotation_decides_compliance(
    *, rotation: bool | Unresolved | None, compliance: Compliance, notified: str
) -> None:
    outcome = RULE.check(cluster_facts(key_rotation=rotation))

    assert outcome.compliance is compliance
    assert notified in outcome.summary


@pytest.mark.parametrize(
    "key",
    [
        None,
        NO_SUCH_KEY,
        AWS_MANAGED,
        a_key(state=KeyState.DISABLED),
        a_key(state=KeyState.PENDING_DELETION),
        a_key(spec="RSA_2048"),
        a_key(spec="HMAC_256", usage="GENERATE_VERIFY_MAC"),
        a_key(arn=key_arn(region=OTHER_REGION)),
        a_key(origin="EXTERNAL"),
        a_key(origin="AWS_CLOUDHSM"),
        a_key(origin="EXTERNAL_KEY_STORE"),
    ],
)
def test_a_key_that_kms_cannot_rotate_is_not_evaluated(key: KeyFact | None) -> None:
    outcome = RULE.check(cluster_facts(log_key=key, key_rotation=False))

    assert outcome.compliance is Compliance.NOT_APPLICABLE


def test_cluster_that_archives_no_logs_is_not_evaluated() -> None:
    outcome = RULE.check(cluster_facts(a_cluster(log_uri=None), key_rotation=False))

    assert outcome.compliance is Compliance.NOT_APPLICABLE


@pytest.mark.parametrize("key", [UNREADABLE, a_key(origin=None)])
def test_key_of_unknown_origin_is_undetermined(key: KeyFact) -> None:
    outcome = RULE.check(cluster_facts(log_key=key, key_rotation=False))

    assert outcome.compliance is Compliance.INSUFFICIENT_DATA


def test_rule_is_disabled_by_default() -> None:
    assert not RULE.enabled


def test_fix_enables_rotation() -> None:
    assert RULE.remediation(cluster_facts(key_rotation=False)) == (
        f"aws kms enable-key-rotation --region {REGION} --key-id {KEY.arn}"
    )


def test_fix_for_a_multi_region_key_looks_up_its_primary_region() -> None:
    fix = RULE.remediation(cluster_facts(log_key=MULTI_REGION, key_rotation=False))

    assert f"describe-key --region {REGION} --key-id {MULTI_REGION.arn} --query" in fix
    assert fix.endswith("--region REGION --key-id mrk-1234abcd12ab34cd56ef1234567890ab")


def test_fix_is_a_relaunch_when_the_key_cannot_be_rotated() -> None:
    assert "aws emr create-cluster" in RULE.remediation(cluster_facts(log_key=AWS_MANAGED))
