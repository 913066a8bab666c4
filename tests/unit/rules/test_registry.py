import pkgutil
from collections.abc import Iterable
from dataclasses import replace

import pytest

from emr_log_guard import rules
from emr_log_guard.domain.clusters import (
    LOG_TYPES,
    BucketOwnership,
    ClusterFacts,
    Session,
    Step,
    WorkloadFacts,
)
from emr_log_guard.domain.compliance import Compliance, Severity
from emr_log_guard.domain.key_access import IdentityDecision
from emr_log_guard.domain.keys import KeyFact, KeyState
from emr_log_guard.domain.log_objects import LogObjectFacts
from emr_log_guard.domain.policy import Policy
from emr_log_guard.domain.unresolved import Unresolved
from emr_log_guard.rules import ALL_RULES, BUCKET_RULES, CLUSTER_RULES, LOG_OBJECT_RULES
from emr_log_guard.rules.evaluation import enabled_rules
from emr_log_guard.rules.rule import Rule
from tests.unit.builders import (
    ANOTHER_KEY,
    AWS_MANAGED,
    KEY,
    LOG_BUCKET,
    NO_SUCH_KEY,
    OTHER_REGION,
    REGION,
    UNREADABLE,
    a_cluster,
    a_key,
    approved,
    cluster_facts,
    encrypted,
    key_arn,
    log_object_facts,
    node_role_access,
    service_role_access,
)

# id, name, severity: a contract, other tools rely on them.
RULES = [
    ("EMRLOG-001", "log-archive-enabled", Severity.MEDIUM),
    ("EMRLOG-002", "log-key-configured", Severity.HIGH),
    ("EMRLOG-003", "release-supports-log-key", Severity.HIGH),
    ("EMRLOG-004", "log-key-customer-managed", Severity.HIGH),
    ("EMRLOG-005", "log-key-usable", Severity.HIGH),
    ("EMRLOG-006", "log-key-approved", Severity.HIGH),
    ("EMRLOG-007", "roles-can-use-log-key", Severity.MEDIUM),
    ("EMRLOG-008", "steps-keep-the-cluster-key", Severity.HIGH),
    ("EMRLOG-009", "log-bucket-sends-events", Severity.LOW),
    ("EMRLOG-010", "cloudwatch-logs-customer-key", Severity.MEDIUM),
    ("EMRLOG-011", "log-key-rotation-enabled", Severity.LOW),
    ("EMRLOG-012", "no-service-retained-logs", Severity.LOW),
    ("EMRLOG-013", "log-bucket-owned", Severity.HIGH),
    ("EMRLOG-101", "log-object-kms-encrypted", Severity.HIGH),
    ("EMRLOG-102", "log-object-customer-managed-key", Severity.HIGH),
    ("EMRLOG-103", "log-object-cluster-key", Severity.HIGH),
    ("EMRLOG-201", "log-key-available", Severity.CRITICAL),
]


def test_ids_names_and_severities_are_the_documented_ones() -> None:
    assert [(rule.id, rule.name, rule.severity) for rule in ALL_RULES] == RULES


def test_every_rule_has_a_file_named_after_it_and_every_file_is_registered() -> None:
    modules = [
        module.name
        for module in pkgutil.iter_modules(rules.__path__)
        if module.name.startswith("emrlog_")
    ]
    named = [f"{rule.id}_{rule.name}".lower().replace("-", "_") for rule in ALL_RULES]

    assert named == sorted(modules)


def test_rule_ids_are_unique_and_ascending() -> None:
    ids = [rule.id for rule in ALL_RULES]

    assert ids == sorted(set(ids))


def test_rules_of_clusters_buckets_and_log_objects_together_are_all_rules() -> None:
    assert {*CLUSTER_RULES, *BUCKET_RULES, *LOG_OBJECT_RULES} == {*ALL_RULES}
    assert {rule.id[:8] for rule in CLUSTER_RULES} == {"EMRLOG-0", "EMRLOG-2"}
    assert {rule.id[:8] for rule in LOG_OBJECT_RULES} == {"EMRLOG-1"}


@pytest.mark.parametrize("rule", ALL_RULES, ids=lambda rule: rule.id)
def test_every_rule_explains_in_one_sentence_why_it_matters(rule: Rule[ClusterFacts]) -> None:
    assert rule.why.endswith(".")
    assert rule.why[0].isupper()
    assert len(rule.why) <= 100


@pytest.mark.parametrize("rule", ALL_RULES, ids=lambda rule: rule.id)
def test_every_rule_describes_its_precondition_and_violation_in_a_phrase(
    rule: Rule[ClusterFacts],
) -> None:
    assert rule.violation
    assert not rule.violation.endswith(".")
    assert not rule.precondition.endswith(".")


def evaluated(facts: ClusterFacts | LogObjectFacts, compliance: Compliance) -> list[str]:
    """Name the rules that say this of the facts."""
    results: Iterable[tuple[str, Compliance]]
    if isinstance(facts, ClusterFacts):
        results = [
            (rule.id, rule.check(facts).compliance)
            for rule in enabled_rules(CLUSTER_RULES, Policy())
        ]
    else:
        results = [(rule.id, rule.check(facts).compliance) for rule in LOG_OBJECT_RULES]
    return [rule_id for rule_id, result in results if result is compliance]


@pytest.mark.parametrize(
    ("facts", "rule_id"),
    [
        pytest.param(
            cluster_facts(
                a_cluster(log_uri=None, log_key_identifier=None, release_label="emr-5.9.0"),
                log_key=None,
                approved_keys=approved(KEY),
            ),
            "EMRLOG-001",
            id="no log URI",
        ),
        pytest.param(
            cluster_facts(a_cluster(log_uri=None), log_key=AWS_MANAGED),
            "EMRLOG-001",
            id="no log URI, but a key",
        ),
        pytest.param(
            cluster_facts(
                a_cluster(log_key_identifier=None, release_label="emr-5.9.0"),
                log_key=None,
                approved_keys=approved(KEY),
                role_access=(),
            ),
            "EMRLOG-002",
            id="no key",
        ),
        pytest.param(
            cluster_facts(a_cluster(release_label="emr-6.0.0"), approved_keys=approved(KEY)),
            "EMRLOG-003",
            id="a release that ignores the key",
        ),
        pytest.param(
            cluster_facts(log_key=AWS_MANAGED, approved_keys=approved(KEY), role_access=()),
            "EMRLOG-004",
            id="an AWS-managed key",
        ),
        pytest.param(
            cluster_facts(
                log_key=a_key(state=KeyState.DISABLED),
                approved_keys=approved(KEY),
                role_access=(service_role_access(identity=IdentityDecision.IMPLICIT_DENY),),
            ),
            "EMRLOG-005",
            id="a disabled key",
        ),
        pytest.param(
            cluster_facts(log_key=a_key(arn=key_arn(region=OTHER_REGION)), role_access=()),
            "EMRLOG-005",
            id="a key of another Region",
        ),
        pytest.param(
            cluster_facts(approved_keys=approved(ANOTHER_KEY)),
            "EMRLOG-006",
            id="an unapproved key",
        ),
        pytest.param(
            cluster_facts(
                approved_keys=approved(KEY),
                role_access=(
                    service_role_access(identity=IdentityDecision.IMPLICIT_DENY),
                    node_role_access(identity=IdentityDecision.IMPLICIT_DENY),
                ),
            ),
            "EMRLOG-007",
            id="roles without rights",
        ),
        pytest.param(
            cluster_facts(
                approved_keys=approved(KEY),
                steps=(WorkloadFacts(Step("s-1", "load", None, AWS_MANAGED.arn), AWS_MANAGED),),
            ),
            "EMRLOG-008",
            id="a step with an AWS-managed key",
        ),
        pytest.param(
            cluster_facts(
                approved_keys=approved(KEY),
                sessions=(
                    WorkloadFacts(Session("is-1", "ide", None, AWS_MANAGED.arn), AWS_MANAGED),
                ),
            ),
            "EMRLOG-008",
            id="a session with an AWS-managed key",
        ),
        pytest.param(
            cluster_facts(
                approved_keys=approved(KEY),
                log_buckets=(replace(LOG_BUCKET, ownership=BucketOwnership(None, REGION)),),
            ),
            "EMRLOG-013",
            id="a log bucket of an unknown account",
        ),
        pytest.param(
            cluster_facts(a_cluster(cloudwatch_logs=True), approved_keys=approved(KEY)),
            "EMRLOG-010",
            id="CloudWatch logs without a key",
        ),
        pytest.param(
            cluster_facts(
                a_cluster(
                    log_key_identifier=None,
                    log_upload_policies=dict.fromkeys(LOG_TYPES, "disabled"),
                ),
                log_key=None,
                approved_keys=approved(KEY),
                log_buckets=(),
            ),
            "EMRLOG-001",
            id="a log URI that nothing is uploaded to",
        ),
        pytest.param(
            cluster_facts(
                a_cluster(cloudwatch_logs=True),
                cloudwatch_key=ANOTHER_KEY,
                approved_keys=approved(KEY),
            ),
            "EMRLOG-010",
            id="CloudWatch logs under an unapproved key",
        ),
        pytest.param(
            log_object_facts(encryption=encrypted("AES256"), object_key=None),
            "EMRLOG-101",
            id="an object in SSE-S3",
        ),
        pytest.param(
            log_object_facts(
                encryption=encrypted("aws:kms", AWS_MANAGED.arn), object_key=AWS_MANAGED
            ),
            "EMRLOG-102",
            id="an object with aws/s3",
        ),
        pytest.param(
            log_object_facts(
                encryption=encrypted("aws:kms", ANOTHER_KEY.arn), object_key=ANOTHER_KEY
            ),
            "EMRLOG-103",
            id="an object with another key",
        ),
    ],
)
def test_one_root_cause_leads_to_one_finding(
    facts: ClusterFacts | LogObjectFacts, rule_id: str
) -> None:
    assert evaluated(facts, Compliance.NON_COMPLIANT) == [rule_id]
    assert not evaluated(facts, Compliance.INSUFFICIENT_DATA)


@pytest.mark.parametrize("key", [NO_SUCH_KEY, a_key(state=KeyState.CREATING)])
def test_key_that_does_not_exist_yet_leads_to_one_undetermined_finding(key: KeyFact) -> None:
    facts = cluster_facts(log_key=key, approved_keys=approved(KEY), role_access=())

    assert evaluated(facts, Compliance.INSUFFICIENT_DATA) == ["EMRLOG-005"]
    assert not evaluated(facts, Compliance.NON_COMPLIANT)


IN_ORDER = cluster_facts(
    a_cluster(cloudwatch_logs=True),
    approved_keys=approved(KEY, ANOTHER_KEY),
    steps=(WorkloadFacts(Step("s-1", "load", None, ANOTHER_KEY.arn), ANOTHER_KEY),),
    cloudwatch_key=KEY,
    log_key_worked=True,
)


@pytest.mark.parametrize("facts", [IN_ORDER, log_object_facts()])
def test_compliant_cluster_and_object_comply_with_every_enabled_rule(
    facts: ClusterFacts | LogObjectFacts,
) -> None:
    ids = (
        [rule.id for rule in enabled_rules(CLUSTER_RULES, Policy())]
        if isinstance(facts, ClusterFacts)
        else None
    )

    assert evaluated(facts, Compliance.COMPLIANT) == (ids or [rule.id for rule in LOG_OBJECT_RULES])


def test_unreadable_key_complies_only_with_rules_that_do_not_need_its_facts() -> None:
    facts = cluster_facts(log_key=UNREADABLE, approved_keys=approved(KEY), role_access=())

    assert evaluated(facts, Compliance.NON_COMPLIANT) == []
    assert evaluated(facts, Compliance.COMPLIANT) == [
        *(f"EMRLOG-00{n}" for n in (1, 2, 3)),
        "EMRLOG-013",  # it is about the bucket alone
    ]
    assert len(evaluated(facts, Compliance.INSUFFICIENT_DATA)) == 4


def test_object_whose_head_cannot_be_read_leads_to_one_undetermined_finding() -> None:
    facts = log_object_facts(encryption=Unresolved("403"), object_key=None)

    assert evaluated(facts, Compliance.INSUFFICIENT_DATA) == ["EMRLOG-101"]


def test_only_emrlog_011_and_012_are_disabled_by_default() -> None:
    off = [rule.id for rule in CLUSTER_RULES if rule not in enabled_rules(CLUSTER_RULES, Policy())]

    assert off == ["EMRLOG-011", "EMRLOG-012"]
    assert enabled_rules(LOG_OBJECT_RULES, Policy()) == LOG_OBJECT_RULES


def test_only_emrlog_009_and_201_apply_to_a_deployed_stack_only() -> None:
    assert [rule.id for rule in ALL_RULES if rule.deployed_only] == ["EMRLOG-009", "EMRLOG-201"]
