import pytest

from emr_log_guard.domain.clusters import Cluster, Step, WorkloadFacts
from emr_log_guard.domain.compliance import Compliance
from emr_log_guard.domain.keys import KeyFact, KeyState
from emr_log_guard.domain.unresolved import Unresolved
from emr_log_guard.rules.emrlog_008_steps_keep_the_cluster_key import RULE
from tests.unit.builders import (
    ANOTHER_KEY,
    AWS_MANAGED,
    KEY,
    NO_SUCH_KEY,
    REGION,
    UNREADABLE,
    a_cluster,
    a_key,
    approved,
    cluster_facts,
    identifier_of,
)

NOWHERE = a_cluster(log_uri=None, log_key_identifier=None)
KEYLESS = a_cluster(log_key_identifier=None)


def a_step(key: KeyFact | None, uri: str | None = None, number: int = 1) -> WorkloadFacts:
    return WorkloadFacts(Step(f"s-{number}", f"load-{number}", uri, identifier_of(key)), key)


@pytest.mark.parametrize(
    ("key", "compliance", "told"),
    [
        (ANOTHER_KEY, Compliance.COMPLIANT, "keep to the rules: 1"),
        (AWS_MANAGED, Compliance.NON_COMPLIANT, "is managed by AWS"),
        (NO_SUCH_KEY, Compliance.NON_COMPLIANT, "does not exist"),
        (
            a_key(arn=ANOTHER_KEY.arn, state=KeyState.DISABLED),
            Compliance.NON_COMPLIANT,
            "is Disabled",
        ),
        (UNREADABLE, Compliance.INSUFFICIENT_DATA, UNREADABLE.reason),
    ],
)
@pytest.mark.parametrize("uri", [None, "s3://elsewhere/"])
def test_a_steps_own_key_is_judged_as_a_clusters(
    key: KeyFact, uri: str | None, compliance: Compliance, told: str
) -> None:
    outcome = RULE.check(cluster_facts(steps=(a_step(key, uri),)))

    assert outcome.compliance is compliance
    assert told in outcome.summary


def test_a_steps_own_key_has_to_be_approved() -> None:
    facts = cluster_facts(approved_keys=approved(KEY), steps=(a_step(ANOTHER_KEY),))

    outcome = RULE.check(facts)

    assert outcome.compliance is Compliance.NON_COMPLIANT
    assert "step s-1 (load-1): " in outcome.summary
    assert "none of the approved keys" in outcome.summary


@pytest.mark.parametrize(
    ("cluster", "steps"),
    [
        (a_cluster(), ()),
        (a_cluster(), (WorkloadFacts(Step("s-1", "load", "s3://elsewhere/"), KEY),)),
        (a_cluster(), (a_step(KEY),)),
        (KEYLESS, (WorkloadFacts(Step("s-1", "load", "s3://elsewhere/"), None),)),
        (NOWHERE, (a_step(AWS_MANAGED),)),
    ],
    ids=["no step", "elsewhere", "the same key", "no key at all: 002 tells", "archives nothing"],
)
def test_what_the_clusters_own_rules_judge_is_not_told_twice(
    cluster: Cluster, steps: tuple[WorkloadFacts, ...]
) -> None:
    outcome = RULE.check(cluster_facts(cluster, steps=steps))

    assert outcome.compliance is Compliance.NOT_APPLICABLE


def test_a_step_that_archives_without_a_key_where_its_cluster_archives_nothing_is_told() -> None:
    step = WorkloadFacts(Step("s-1", "load", "s3://elsewhere/"), None)

    outcome = RULE.check(cluster_facts(NOWHERE, log_key=None, steps=(step,)))

    assert outcome.compliance is Compliance.NON_COMPLIANT
    assert "s3://elsewhere/ without a log encryption key" in outcome.summary


def test_steps_that_cannot_be_listed_are_doubt() -> None:
    facts = cluster_facts(steps=Unresolved("elasticmapreduce:ListSteps answered Throttling"))

    outcome = RULE.check(facts)

    assert outcome.compliance is Compliance.INSUFFICIENT_DATA
    assert "ListSteps" in outcome.summary
    assert RULE.remediation(facts).endswith("--step-ids ")


@pytest.mark.parametrize(("others", "told"), [(1, "(and 1 more step)"), (2, "(and 2 more steps)")])
def test_a_broken_step_outweighs_one_in_doubt_and_the_fix_names_the_broken(
    others: int, told: str
) -> None:
    broken = [a_step(AWS_MANAGED, number=2 + number) for number in range(others + 1)]
    facts = cluster_facts(steps=(a_step(UNREADABLE), *broken))

    outcome = RULE.check(facts)

    assert outcome.compliance is Compliance.NON_COMPLIANT
    assert outcome.summary.endswith(told)
    ids = " ".join(each.workload.id for each in broken)
    assert f"aws emr cancel-steps --region {REGION} " in RULE.remediation(facts)
    assert RULE.remediation(facts).endswith(f"--step-ids {ids}")
