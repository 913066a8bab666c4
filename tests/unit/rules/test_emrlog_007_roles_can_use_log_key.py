import json
import shlex

import pytest

from emr_log_guard.domain.clusters import ClusterFacts
from emr_log_guard.domain.compliance import Compliance
from emr_log_guard.domain.iam_policy import Truth
from emr_log_guard.domain.key_access import IdentityDecision, UndeterminedDecision
from emr_log_guard.domain.key_policy import KeyPolicyVerdict
from emr_log_guard.domain.keys import KeyFact, KeyState
from emr_log_guard.domain.unresolved import Unresolved
from emr_log_guard.rules.emrlog_007_roles_can_use_log_key import RULE
from emr_log_guard.rules.remediation import grant_key
from tests.unit.builders import (
    ANOTHER_KEY,
    AWS_MANAGED,
    KEY,
    NO_SUCH_KEY,
    NODE_ROLE_ARN,
    OTHER_ACCOUNT,
    OTHER_REGION,
    REGION,
    SERVICE_ROLE_ARN,
    UNREADABLE,
    a_cluster,
    a_key,
    cluster_facts,
    key_arn,
    node_role_access,
    service_role_access,
)

DENIED = IdentityDecision.IMPLICIT_DENY
SIMULATION_REFUSED = Unresolved("iam:SimulatePrincipalPolicy answered AccessDenied")
PROFILE_REFUSED = Unresolved("iam:GetInstanceProfile answered AccessDenied")


def test_roles_with_access_to_the_key_comply() -> None:
    outcome = RULE.check(cluster_facts())

    assert outcome.compliance is Compliance.COMPLIANT
    assert KEY.arn in outcome.summary


def test_roles_allowed_by_the_policy_of_a_key_of_another_account_comply() -> None:
    theirs = a_key(arn=key_arn(account=OTHER_ACCOUNT))

    assert RULE.check(cluster_facts(log_key=theirs)).compliance is Compliance.COMPLIANT


def test_key_policy_alone_does_not_suffice_for_a_key_of_another_account() -> None:
    theirs = a_key(arn=key_arn(account=OTHER_ACCOUNT))
    allows = KeyPolicyVerdict(allows=Truth.YES, delegates=Truth.NO, denies=Truth.NO)
    role = service_role_access(identity=DENIED, key_policy=allows)

    here = RULE.check(cluster_facts(role_access=(role,)))
    there = RULE.check(cluster_facts(log_key=theirs, role_access=(role,)))

    assert here.compliance is Compliance.COMPLIANT
    assert there.compliance is Compliance.NON_COMPLIANT


def test_a_service_role_that_may_not_describe_the_key_does_not_comply() -> None:
    roles = (service_role_access(identity=DENIED), node_role_access())

    outcome = RULE.check(cluster_facts(role_access=roles))

    assert outcome.compliance is Compliance.NON_COMPLIANT
    assert outcome.summary == (
        f"the service role {SERVICE_ROLE_ARN} may not kms:DescribeKey on {KEY.arn}"
    )


def test_node_role_that_may_not_generate_data_keys_does_not_comply() -> None:
    roles = (service_role_access(), node_role_access(identity=DENIED))

    outcome = RULE.check(cluster_facts(role_access=roles))

    assert outcome.compliance is Compliance.NON_COMPLIANT
    assert outcome.summary == (
        f"the instance profile's role {NODE_ROLE_ARN} may not kms:GenerateDataKey on {KEY.arn}"
    )


def test_both_roles_are_named_when_both_lack_the_permission() -> None:
    roles = (service_role_access(identity=DENIED), node_role_access(identity=DENIED))

    outcome = RULE.check(cluster_facts(role_access=roles))

    assert "may not kms:DescribeKey and the instance profile's role" in outcome.summary


@pytest.mark.parametrize(
    "unknown", [PROFILE_REFUSED, node_role_access(identity=SIMULATION_REFUSED)]
)
def test_one_denied_role_does_not_comply_although_the_other_is_undetermined(
    unknown: Unresolved,
) -> None:
    outcome = RULE.check(cluster_facts(role_access=(service_role_access(identity=DENIED), unknown)))

    assert outcome.compliance is Compliance.NON_COMPLIANT


def test_a_role_that_cannot_be_evaluated_is_undetermined() -> None:
    roles = (service_role_access(identity=SIMULATION_REFUSED), PROFILE_REFUSED)

    outcome = RULE.check(cluster_facts(role_access=roles))

    assert outcome.compliance is Compliance.INSUFFICIENT_DATA
    assert outcome.summary == f"{SIMULATION_REFUSED.reason}; {PROFILE_REFUSED.reason}"


def test_role_whose_access_depends_on_an_unknown_condition_is_undetermined() -> None:
    open_decision = UndeterminedDecision(
        frozenset({IdentityDecision.ALLOWED, IdentityDecision.EXPLICIT_DENY}),
        "the role's Deny statement OnlyOurs cannot be decided",
    )
    facts = cluster_facts(role_access=(service_role_access(identity=open_decision),))

    outcome = RULE.check(facts)

    assert outcome.compliance is Compliance.INSUFFICIENT_DATA
    assert outcome.summary == open_decision.reason
    assert "depends on a condition that the finding names" in RULE.remediation(facts)


def test_one_undetermined_role_makes_the_result_undetermined() -> None:
    outcome = RULE.check(cluster_facts(role_access=(service_role_access(), PROFILE_REFUSED)))

    assert outcome.compliance is Compliance.INSUFFICIENT_DATA


def test_roles_that_were_not_read_are_undetermined() -> None:
    outcome = RULE.check(cluster_facts(role_access=()))

    assert outcome.compliance is Compliance.INSUFFICIENT_DATA
    assert "roles were not read" in outcome.summary


@pytest.mark.parametrize(
    ("facts", "because"),
    [
        (cluster_facts(a_cluster(log_uri=None)), "no logs are archived"),
        (cluster_facts(log_key=None), "no log key is configured"),
        (cluster_facts(log_key=NO_SUCH_KEY), "the log key is not usable"),
        (cluster_facts(log_key=AWS_MANAGED), "the log key is AWS-managed"),
        (cluster_facts(log_key=a_key(state=KeyState.DISABLED)), "the log key is not usable"),
        (cluster_facts(log_key=a_key(spec="RSA_2048")), "the log key is not usable"),
        (cluster_facts(log_key=a_key(arn=key_arn(region=OTHER_REGION))), "is not usable"),
        (
            cluster_facts(
                a_cluster(log_key_identifier=key_arn(region=OTHER_REGION)), log_key=UNREADABLE
            ),
            "the log key is not usable",
        ),
    ],
)
def test_cluster_without_a_usable_key_is_not_evaluated(facts: ClusterFacts, because: str) -> None:
    outcome = RULE.check(facts)

    assert outcome.compliance is Compliance.NOT_APPLICABLE
    assert because in outcome.summary


def test_a_key_that_cannot_be_described_is_undetermined() -> None:
    outcome = RULE.check(cluster_facts(log_key=UNREADABLE))

    assert outcome.compliance is Compliance.INSUFFICIENT_DATA
    assert UNREADABLE.reason in outcome.summary


def test_fix_grants_each_denied_role_its_action_on_the_key() -> None:
    node_role = f"arn:aws:iam::{KEY.account}:role/service-role/nodes"
    roles = (
        service_role_access(),
        node_role_access(identity=DENIED, role_arn=node_role),
        PROFILE_REFUSED,
    )

    words = shlex.split(RULE.remediation(cluster_facts(role_access=roles)), comments=True)

    assert words[:5] == ["aws", "iam", "put-role-policy", "--role-name", "nodes"]
    assert words[5] == "--policy-name"
    assert words[6].startswith("EmrLogKey-GenerateDataKey-")
    assert words[7] == "--policy-document"
    assert json.loads(words[8])["Statement"] == [
        {"Effect": "Allow", "Action": "kms:GenerateDataKey", "Resource": KEY.arn}
    ]
    assert words[9:11] == ["emr-log-guard", "prepare"]


def test_fixes_for_two_keys_use_different_policy_names() -> None:
    names = {
        shlex.split(grant_key(service_role_access(identity=DENIED), key))[6]
        for key in (KEY, ANOTHER_KEY)
    }

    assert len(names) == 2


def test_fix_has_a_line_for_each_role() -> None:
    roles = (service_role_access(identity=DENIED), node_role_access(identity=DENIED))

    lines = RULE.remediation(cluster_facts(role_access=roles)).splitlines()

    assert ["EMR_DefaultRole" in lines[0], "EMR_EC2_DefaultRole" in lines[1]] == [True, True]
    assert lines[2].startswith("# ")
    assert lines[3].startswith(f"emr-log-guard prepare --region {REGION} --key {KEY.arn} ")
    assert len(lines) == 4


@pytest.mark.parametrize("log_key", [UNREADABLE, None])
def test_fix_is_a_relaunch_when_there_is_no_key_to_grant(log_key: KeyFact | None) -> None:
    assert "aws emr create-cluster" in RULE.remediation(cluster_facts(log_key=log_key))
