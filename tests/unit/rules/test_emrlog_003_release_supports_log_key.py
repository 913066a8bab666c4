import shlex

import pytest

from emr_log_guard.domain.compliance import Compliance
from emr_log_guard.domain.keys import KeyFact, KeyState
from emr_log_guard.rules.emrlog_003_release_supports_log_key import RULE
from tests.unit.builders import (
    AWS_MANAGED,
    KEY,
    NO_SUCH_KEY,
    UNREADABLE,
    a_cluster,
    a_key,
    cluster_facts,
    key_arn,
)


@pytest.mark.parametrize(
    ("label", "release"),
    [
        ("emr-5.30.0", "5.30.0"),
        ("emr-5.30.1", "5.30.1"),
        ("emr-5.100.0", "5.100.0"),
        ("emr-6.0.1", "6.0.1"),
        ("emr-6.1.0", "6.1.0"),
        ("emr-7.12.0", "7.12.0"),
        ("emr-10.0.0", "10.0.0"),
        ("emr-spark-8.0.0", "8.0.0"),
    ],
)
def test_release_that_supports_the_key_complies(label: str, release: str) -> None:
    outcome = RULE.check(cluster_facts(a_cluster(release_label=label)))

    assert outcome.compliance is Compliance.COMPLIANT
    assert f"release {release} supports" in outcome.summary


@pytest.mark.parametrize(
    ("label", "release"),
    [
        ("emr-4.9.6", "4.9.6"),
        ("emr-5.9.0", "5.9.0"),
        ("emr-5.29.0", "5.29.0"),
        ("emr-5.29.99", "5.29.99"),
        ("emr-6.0.0", "6.0.0"),
        ("emr-spark-6.0.0", "6.0.0"),
    ],
)
def test_a_release_that_ignores_the_key_does_not_comply(label: str, release: str) -> None:
    outcome = RULE.check(cluster_facts(a_cluster(release_label=label)))

    assert outcome.compliance is Compliance.NON_COMPLIANT
    assert f"release {release} ignores" in outcome.summary
    assert "5.30.0 or later supports it, except 6.0.0" in outcome.summary


@pytest.mark.parametrize("ami_version", ["2.4.9", "3.11.0"])
def test_cluster_with_an_ami_version_does_not_comply(ami_version: str) -> None:
    cluster = a_cluster(release_label=None, ami_version=ami_version)

    outcome = RULE.check(cluster_facts(cluster))

    assert outcome.compliance is Compliance.NON_COMPLIANT
    assert f"AMI version {ami_version}" in outcome.summary


@pytest.mark.parametrize("label", ["garbage", "emr-7", "emr-7.x.0", "emr-latest", ""])
def test_invalid_release_label_is_undetermined(label: str) -> None:
    outcome = RULE.check(cluster_facts(a_cluster(release_label=label)))

    assert outcome.compliance is Compliance.INSUFFICIENT_DATA
    assert repr(label) in outcome.summary


def test_cluster_without_release_label_and_ami_version_is_undetermined() -> None:
    outcome = RULE.check(cluster_facts(a_cluster(release_label=None)))

    assert outcome.compliance is Compliance.INSUFFICIENT_DATA
    assert "neither a release nor an AMI version" in outcome.summary


@pytest.mark.parametrize("log_key", [AWS_MANAGED, NO_SUCH_KEY, UNREADABLE])
def test_old_release_does_not_comply_with_any_kind_of_key(log_key: KeyFact) -> None:
    facts = cluster_facts(a_cluster(release_label="emr-5.29.0"), log_key=log_key)

    assert RULE.check(facts).compliance is Compliance.NON_COMPLIANT


def test_cluster_without_a_key_is_not_evaluated() -> None:
    cluster = a_cluster(release_label="emr-5.29.0", log_key_identifier=None)

    outcome = RULE.check(cluster_facts(cluster, log_key=None))

    assert outcome.compliance is Compliance.NOT_APPLICABLE
    assert "no log key" in outcome.summary


def test_cluster_without_a_log_uri_is_not_evaluated() -> None:
    cluster = a_cluster(release_label="emr-5.29.0", log_uri=None)

    outcome = RULE.check(cluster_facts(cluster))

    assert outcome.compliance is Compliance.NOT_APPLICABLE
    assert "no logs are archived" in outcome.summary


@pytest.mark.parametrize(
    ("label", "offered"),
    [
        ("emr-5.9.0", "emr-5.36.2"),
        ("emr-6.0.0", "emr-6.15.0"),
        ("emr-4.9.6", "emr-7.12.0"),
        (None, "emr-7.12.0"),
        ("garbage", "emr-7.12.0"),
    ],
)
def test_fix_is_a_relaunch_on_a_release_of_the_same_major_version_with_the_same_key(
    label: str | None, offered: str
) -> None:
    facts = cluster_facts(a_cluster(release_label=label, log_key_identifier="alias/emr-logs"))

    words = shlex.split(RULE.remediation(facts), comments=True)

    assert words[words.index("--release-label") + 1] == offered
    assert words[words.index("--log-encryption-kms-key-id") + 1] == "alias/emr-logs"
    assert KEY.arn not in words


def test_fix_does_not_name_a_key_that_another_rule_rejects() -> None:
    cluster = a_cluster(release_label="emr-5.29.0", log_key_identifier="alias/doomed")
    doomed = a_key(arn=key_arn("doomed"), state=KeyState.PENDING_DELETION)

    fix = RULE.remediation(cluster_facts(cluster, log_key=doomed))

    assert "doomed" not in fix
