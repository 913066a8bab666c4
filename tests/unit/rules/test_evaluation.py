from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from emr_log_guard.domain.clusters import Step, StepState, WorkloadFacts
from emr_log_guard.domain.compliance import Compliance, Severity
from emr_log_guard.domain.finding_record import Kind, RuleResult
from emr_log_guard.domain.findings import Finding, Outcome, Status
from emr_log_guard.domain.log_objects import LogObjectFacts
from emr_log_guard.domain.policy import Policy, RuleSettings
from emr_log_guard.domain.unresolved import Unresolved
from emr_log_guard.rules import CLUSTER_RULES, LOG_OBJECT_RULES
from emr_log_guard.rules.evaluation import (
    SAMPLES,
    EvaluationContext,
    Subject,
    Tally,
    cluster_findings,
)
from emr_log_guard.rules.rule import Rule
from tests.unit.builders import (
    ACCOUNT,
    CLUSTER_ID,
    KEY,
    NO_SUCH_KEY,
    NOW,
    REGION,
    UNREADABLE,
    a_cluster,
    a_log_object,
    cluster_facts,
    encrypted,
    log_object_facts,
)

CONTEXT = EvaluationContext(Policy(), NOW, lambda rule_id: f"https://example.com/{rule_id}")
SUBJECT = Subject.of(a_cluster())
RULE_101 = LOG_OBJECT_RULES[:1]
HEAD_REFUSED = Unresolved("s3:HeadObject answered 403")


def in_sse_s3(number: int) -> LogObjectFacts:
    return log_object_facts(
        version=a_log_object(f"emr/{CLUSTER_ID}/{number}"),
        encryption=encrypted("AES256"),
        object_key=None,
    )


def of_101(objects: Sequence[LogObjectFacts]) -> Finding:
    (result,) = results(SUBJECT, objects, RULE_101)
    return result.finding


def results(
    subject: Subject,
    objects: Sequence[LogObjectFacts],
    rules: Sequence[Rule[LogObjectFacts]],
    named: int = 0,
) -> tuple[RuleResult, ...]:
    tally = Tally(rules, named)
    for facts in objects:
        tally.add(facts)
    return tally.results(subject, CONTEXT)


def test_subject_of_a_cluster_has_its_id_arn_account_region_and_name() -> None:
    assert Subject.of(a_cluster()) == Subject(
        CLUSTER_ID, a_cluster().arn, ACCOUNT, REGION, "nightly-etl"
    )


def test_cluster_is_evaluated_by_every_rule_in_order() -> None:
    findings = cluster_findings(SUBJECT, cluster_facts(), CONTEXT.rules(CLUSTER_RULES), CONTEXT)

    assert [finding.rule_id for finding in findings] == [
        rule.id for rule in CONTEXT.rules(CLUSTER_RULES)
    ]
    assert cluster_findings(SUBJECT, cluster_facts(), (), CONTEXT) == ()


def test_finding_contains_the_cluster_the_rule_and_the_outcome() -> None:
    finding = cluster_findings(
        SUBJECT, cluster_facts(log_key=None), CONTEXT.rules(CLUSTER_RULES), CONTEXT
    )[1]

    assert finding == Finding(
        id=f"{a_cluster().arn}#EMRLOG-002",
        rule_id="EMRLOG-002",
        rule_name="log-key-configured",
        compliance=Compliance.NON_COMPLIANT,
        severity=CLUSTER_RULES[1].severity,
        status=Status.OPEN,
        account=ACCOUNT,
        region=REGION,
        cluster_id=CLUSTER_ID,
        cluster_name="nightly-etl",
        cluster_arn=a_cluster().arn,
        launched_by=None,
        summary=CLUSTER_RULES[1].check(cluster_facts(log_key=None)).summary,
        evidence={
            "log_uri": "s3n://example-logs/emr/",
            "log_buckets": ("example-logs: 111122223333, eu-west-1",),
            "log_encryption_kms_key_id": None,
            "release_label": "emr-7.12.0",
            "cluster_state": "RUNNING",
        },
        remediation=CLUSTER_RULES[1].remediation(cluster_facts(log_key=None)),
        first_seen=NOW,
        last_seen=NOW,
        occurrences=1,
        deadline=None,
        runbook="https://example.com/EMRLOG-002",
    )


def test_only_a_violation_has_a_fix() -> None:
    findings = cluster_findings(
        SUBJECT, cluster_facts(log_key=UNREADABLE), CONTEXT.rules(CLUSTER_RULES), CONTEXT
    )
    broken = cluster_findings(
        SUBJECT, cluster_facts(log_key=NO_SUCH_KEY), CONTEXT.rules(CLUSTER_RULES), CONTEXT
    )

    assert not [finding for finding in findings if finding.remediation]
    assert [finding.rule_id for finding in broken if finding.remediation] == ["EMRLOG-005"]


def test_evidence_contains_the_key_as_kms_describes_it() -> None:
    finding = cluster_findings(SUBJECT, cluster_facts(), CONTEXT.rules(CLUSTER_RULES), CONTEXT)[0]

    assert finding.evidence["key_arn"] == KEY.arn
    assert finding.evidence["key_manager"] == "CUSTOMER"
    assert finding.evidence["key_state"] == "Enabled"
    assert finding.evidence["key_spec"] == "SYMMETRIC_DEFAULT"
    assert "ami_version" not in finding.evidence


def test_evidence_contains_the_ami_version_if_there_is_one() -> None:
    cluster = a_cluster(release_label=None, ami_version="3.11.0")

    finding = cluster_findings(
        SUBJECT, cluster_facts(cluster), CONTEXT.rules(CLUSTER_RULES), CONTEXT
    )[2]

    assert finding.evidence["ami_version"] == "3.11.0"


@pytest.mark.parametrize(
    ("state", "notified"),
    [(StepState.PENDING, f"s-1: s3://b/, {KEY.arn}, PENDING"), (None, f"s-1: s3://b/, {KEY.arn}")],
)
def test_evidence_contains_the_state_of_a_step(state: StepState | None, notified: str) -> None:
    step = WorkloadFacts(Step("s-1", "load", "s3://b/", state=state), KEY)

    finding = cluster_findings(SUBJECT, cluster_facts(steps=(step,)), CLUSTER_RULES[:1], CONTEXT)[0]

    assert finding.evidence["steps"] == (notified,)


def test_log_objects_are_evaluated_by_every_rule_in_order() -> None:
    findings = [r.finding for r in results(SUBJECT, [log_object_facts()], LOG_OBJECT_RULES)]

    assert [finding.rule_id for finding in findings] == [rule.id for rule in LOG_OBJECT_RULES]
    assert {finding.compliance for finding in findings} == {Compliance.COMPLIANT}
    assert {finding.evidence["key"] for finding in findings} == {KEY.arn}


def test_one_violating_log_object_is_one_finding_with_the_object_as_evidence() -> None:
    finding = of_101([in_sse_s3(1)])

    assert finding.compliance is Compliance.NON_COMPLIANT
    assert finding.occurrences == 1
    assert finding.summary.endswith("not with AWS KMS")
    assert finding.remediation.startswith("aws s3api update-object-encryption")
    assert finding.evidence == {
        "samples": (f"s3://example-logs/emr/{CLUSTER_ID}/1",),
        "encryption": "AES256",
        "key": None,
        "expected_key": KEY.arn,
        "undetermined": 0,
    }


@pytest.mark.parametrize(("count", "more"), [(2, "1 more object)"), (12, "11 more objects)")])
def test_many_violating_log_objects_are_one_finding_with_a_count_and_samples(
    count: int, more: str
) -> None:
    finding = of_101([log_object_facts(), *map(in_sse_s3, range(count))])

    assert finding.occurrences == count
    assert finding.summary.endswith(f"(and {more}")
    assert finding.remediation.startswith(f"# For each of the {count} objects:\naws s3api ")
    samples = finding.evidence["samples"]
    assert isinstance(samples, tuple)
    assert samples[0] == f"s3://example-logs/emr/{CLUSTER_ID}/0"
    assert len(samples) == min(count, SAMPLES)


def test_violating_log_object_outweighs_an_undetermined_one_which_is_counted() -> None:
    doubtful = log_object_facts(encryption=HEAD_REFUSED, object_key=None)

    finding = of_101([doubtful, in_sse_s3(1), log_object_facts()])

    assert finding.compliance is Compliance.NON_COMPLIANT
    assert finding.occurrences == 1
    assert finding.evidence["undetermined"] == 1


def test_undetermined_log_object_outweighs_compliant_ones() -> None:
    doubtful = log_object_facts(
        version=a_log_object("emr/doubtful"), encryption=HEAD_REFUSED, expected_key=None
    )

    finding = of_101([log_object_facts(), doubtful])
    two = of_101([doubtful, doubtful])

    assert (two.occurrences, two.remediation) == (2, "")
    assert finding.compliance is Compliance.INSUFFICIENT_DATA
    assert finding.remediation == ""
    assert finding.evidence == {
        "samples": ("s3://example-logs/emr/doubtful",),
        "encryption": None,
        "key": None,
        "expected_key": None,
        "undetermined": 0,
    }


def test_finding_about_a_cluster_without_a_name_is_identified_by_its_arn() -> None:
    subject = replace(SUBJECT, name=None)

    (result,) = results(subject, [in_sse_s3(1)], RULE_101)

    assert result.finding.cluster_name is None
    assert result.finding.id == f"{SUBJECT.arn}#EMRLOG-101"


def test_disabled_or_unselected_rule_is_not_evaluated() -> None:
    policy = Policy(rules={"EMRLOG-001": RuleSettings(enabled=False)})
    context = replace(CONTEXT, policy=policy, selects=lambda rule: rule.id < "EMRLOG-004")

    assert [rule.id for rule in context.rules(CLUSTER_RULES)] == ["EMRLOG-002", "EMRLOG-003"]


def test_rule_has_the_severity_set_in_the_policy() -> None:
    policy = Policy(rules={"EMRLOG-001": RuleSettings(severity=Severity.LOW)})

    rules = replace(CONTEXT, policy=policy).rules(CLUSTER_RULES)

    assert rules[0].severity is Severity.LOW
    assert rules[1].severity is CLUSTER_RULES[1].severity


def test_log_object_is_evaluated_once_by_each_rule() -> None:
    asked: list[str] = []

    def check(facts: LogObjectFacts) -> Outcome:
        asked.append(str(facts.version))
        return RULE_101[0].check(facts)

    tally = Tally([replace(RULE_101[0], check=check)], named=2)
    outcomes = [tally.add(facts) for facts in (in_sse_s3(1), log_object_facts())]
    tally.results(SUBJECT, CONTEXT)

    assert len(asked) == 2
    assert outcomes == [
        {"EMRLOG-101": Compliance.NON_COMPLIANT},
        {"EMRLOG-101": Compliance.COMPLIANT},
    ]


def test_result_names_the_requested_number_of_violating_objects_and_the_newest_time() -> None:
    written = [NOW, NOW + timedelta(hours=1), NOW - timedelta(hours=1)]
    objects = [
        replace(
            in_sse_s3(number),
            encryption=replace(encrypted("AES256"), written_at=at),
        )
        for number, at in enumerate(written)
    ]

    (result,) = results(SUBJECT, [log_object_facts(), *objects], RULE_101, named=2)

    assert result.kind is Kind.LOG_OBJECTS
    assert result.bad == (objects[0].version, objects[1].version)
    assert result.newest == NOW + timedelta(hours=1)
    assert result.finding.occurrences == 3


def test_result_names_no_compliant_object() -> None:
    (result,) = results(SUBJECT, [log_object_facts()], RULE_101, named=2)

    assert result.bad == ()


def test_no_log_objects_give_no_result() -> None:
    assert results(SUBJECT, [], LOG_OBJECT_RULES) == ()


def test_subject_of_a_cluster_unknown_to_emr_is_built_from_id_account_and_region() -> None:
    subject = Subject.of_logs(CLUSTER_ID, UNREADABLE, ACCOUNT, REGION)

    assert subject == replace(SUBJECT, name=None)
    assert Subject.of_logs(CLUSTER_ID, a_cluster(), "999", "elsewhere") == SUBJECT
