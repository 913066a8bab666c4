"""The commands that an alert offers as the fix would be understood, as those of the pages are."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from emr_log_guard.domain.clusters import (
    LOG_TYPES,
    BucketOwnership,
    ClusterFacts,
    LogBucket,
    Session,
    Step,
    StepState,
    WorkloadFacts,
)
from emr_log_guard.domain.compliance import Compliance
from emr_log_guard.domain.iam_policy import Truth
from emr_log_guard.domain.key_access import IdentityDecision
from emr_log_guard.domain.key_policy import KeyPolicyVerdict
from emr_log_guard.domain.keys import KeyFact, KeyState
from emr_log_guard.domain.log_objects import LogObjectFacts
from emr_log_guard.rules import ALL_RULES, BUCKET_RULES, LOG_OBJECT_RULES
from emr_log_guard.rules.rule import Rule
from tests.docs.pages import Block
from tests.docs.programs import problems
from tests.unit.builders import (
    ANOTHER_KEY,
    AWS_MANAGED,
    KEY,
    NO_SUCH_KEY,
    OTHER_REGION,
    REGION,
    a_cluster,
    a_key,
    a_log_object,
    approved,
    cluster_facts,
    encrypted,
    key_arn,
    log_object_facts,
    node_role_access,
    service_role_access,
)

KEYS: tuple[KeyFact, ...] = (
    *(a_key(state=state) for state in KeyState),
    *(
        AWS_MANAGED,
        NO_SUCH_KEY,
        a_key(usage="SIGN_VERIFY"),
        a_key(arn=key_arn(region=OTHER_REGION)),
    ),
)
STEP = Step("s-1", "load", "s3://it's elsewhere/", AWS_MANAGED.arn)
UNNAMED = KeyPolicyVerdict(allows=Truth.NO, delegates=Truth.NO, denies=Truth.NO)
ROLES = (
    service_role_access(identity=IdentityDecision.IMPLICIT_DENY),
    node_role_access(identity=IdentityDecision.EXPLICIT_DENY),
    node_role_access(key_policy=UNNAMED),
)


def cluster_faults() -> list[ClusterFacts]:
    """Return clusters with every possible fault."""
    hostile = a_cluster(name='it\'s "$(x)"; `y` <!channel>\n', log_key_identifier=None)
    return [
        cluster_facts(a_cluster(log_uri=None, log_key_identifier=None), log_key=None),
        cluster_facts(a_cluster(log_key_identifier=None), log_key=None),
        cluster_facts(hostile, log_key=None),
        cluster_facts(a_cluster(release_label="emr-6.0.0")),
        cluster_facts(a_cluster(release_label=None, ami_version="3.11.0")),
        *(
            cluster_facts(log_key=key, log_key_worked=worked)
            for key in KEYS
            for worked in (False, True)
        ),
        cluster_facts(approved_keys=approved(ANOTHER_KEY)),
        *(cluster_facts(role_access=(access,)) for access in ROLES),
        cluster_facts(steps=(WorkloadFacts(Step("s-1", "load", None, "alias/own"), AWS_MANAGED),)),
        cluster_facts(
            sessions=(WorkloadFacts(Session("is-1", "spark", None, "alias/own"), AWS_MANAGED),)
        ),
        *(
            cluster_facts(steps=(WorkloadFacts(replace(STEP, state=state), AWS_MANAGED),))
            for state in StepState
        ),
        cluster_facts(
            a_cluster(log_upload_policies=dict.fromkeys(LOG_TYPES, "disabled")), log_key=None
        ),
        cluster_facts(a_cluster(cloudwatch_logs=True)),
        *(cluster_facts(a_cluster(cloudwatch_logs=True), cloudwatch_key=key) for key in KEYS),
        cluster_facts(
            sessions=(
                WorkloadFacts(
                    Session("is-1", "spark", cloudwatch_logs=True, managed_logs=True), None
                ),
            )
        ),
        cluster_facts(key_rotation=False),
        *_in_the_buckets_of_a_stranger(),
    ]


def _in_the_buckets_of_a_stranger() -> list[ClusterFacts]:
    stranger = BucketOwnership(None, REGION)
    own = (Step("s-1", "load", "s3://elsewhere/"), Session("is-1", "ide", "s3://elsewhere/"))
    return [
        cluster_facts(log_buckets=(LogBucket("example-logs", ownership=stranger),)),
        cluster_facts(
            log_buckets=(LogBucket("elsewhere", ownership=stranger),),
            steps=(WorkloadFacts(own[0], KEY),),
            sessions=(WorkloadFacts(own[1], KEY),),
        ),
    ]


def object_faults() -> list[LogObjectFacts]:
    """Return log objects with every possible fault."""
    versioned = replace(a_log_object(), version_id="3sL4kqtJlcpXroDTDmJ")
    return [
        log_object_facts(version=version, encryption=encryption, object_key=key)
        for version in (a_log_object(), versioned)
        for encryption, key in (
            (encrypted(None), None),
            (encrypted("AES256"), None),
            (encrypted("SSE-C"), None),
            (encrypted("aws:kms", AWS_MANAGED.arn), AWS_MANAGED),
            (encrypted("aws:kms:dsse", AWS_MANAGED.arn), AWS_MANAGED),
            (encrypted("aws:kms", ANOTHER_KEY.arn), ANOTHER_KEY),
            (encrypted("aws:kms:dsse", ANOTHER_KEY.arn), ANOTHER_KEY),
        )
    ]


def faults_for(rule: Rule[Any]) -> Sequence[ClusterFacts | LogBucket | LogObjectFacts]:
    """Give the facts of the kind that a rule is about."""
    if rule in BUCKET_RULES:
        return [
            LogBucket("example-logs", sends_events=sends, checked=False) for sends in (True, False)
        ]
    return object_faults() if rule in LOG_OBJECT_RULES else cluster_faults()


@pytest.mark.parametrize("rule", ALL_RULES, ids=lambda rule: rule.id)
def test_every_command_of_a_fix_is_valid(rule: Rule[Any]) -> None:
    broken = [
        facts
        for facts in faults_for(rule)
        if rule.check(facts).compliance is Compliance.NON_COMPLIANT
    ]
    fixes = [Block(rule.id, 0, "console", rule.remediation(facts)) for facts in broken]

    assert fixes
    assert [fix.text for fix in fixes if not fix.is_sound()] == []
    # A relaunch leaves instances, applications and steps to the one who runs it.
    commands = [replace(command, whole=False) for fix in fixes for command in fix.commands()]
    assert [f"{command}: {why}" for command in commands for why in problems(command)] == []
