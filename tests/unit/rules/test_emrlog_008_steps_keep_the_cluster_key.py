import pytest

from emr_log_guard.domain.clusters import Cluster, Session, Step, WorkloadFacts
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
UNDETERMINED = Compliance.INSUFFICIENT_DATA


def a_step(key: KeyFact | None, uri: str | None = None, number: int = 1) -> WorkloadFacts:
    return WorkloadFacts(Step(f"s-{number}", f"load-{number}", uri, identifier_of(key)), key)


@pytest.mark.parametrize(
    ("key", "compliance", "told"),
    [
        (ANOTHER_KEY, Compliance.COMPLIANT, "keeps to the rules: 1 step"),
        (AWS_MANAGED, Compliance.NON_COMPLIANT, "is managed by AWS"),
        (NO_SUCH_KEY, Compliance.INSUFFICIENT_DATA, "does not exist"),
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
    assert RULE.remediation(facts) == ""


def a_session(key: KeyFact | None, number: int = 1) -> WorkloadFacts:
    session = Session(f"is-{number}", f"ide-{number}", None, identifier_of(key))
    return WorkloadFacts(session, key)


@pytest.mark.parametrize(
    ("key", "compliance", "told"),
    [
        (ANOTHER_KEY, Compliance.COMPLIANT, "keeps to the rules: 1 session"),
        (AWS_MANAGED, Compliance.NON_COMPLIANT, "session is-1 (ide-1): the log key"),
        (UNREADABLE, Compliance.INSUFFICIENT_DATA, "session is-1 (ide-1): "),
        (KEY, Compliance.NOT_APPLICABLE, "no step or session has a log key of its own"),
    ],
)
def test_a_sessions_own_key_is_judged_as_a_steps(
    key: KeyFact, compliance: Compliance, told: str
) -> None:
    outcome = RULE.check(cluster_facts(sessions=(a_session(key),)))

    assert outcome.compliance is compliance
    assert told in outcome.summary


@pytest.mark.parametrize(
    ("steps", "compliance"),
    [
        ((a_step(AWS_MANAGED),), Compliance.NON_COMPLIANT),
        ((a_step(ANOTHER_KEY),), Compliance.INSUFFICIENT_DATA),
        ((), Compliance.INSUFFICIENT_DATA),
    ],
)
def test_sessions_that_cannot_be_listed_are_doubt_that_a_broken_step_outweighs(
    steps: tuple[WorkloadFacts, ...], compliance: Compliance
) -> None:
    doubt = Unresolved("elasticmapreduce:ListSessions answered AccessDeniedException")

    outcome = RULE.check(cluster_facts(steps=steps, sessions=doubt))

    assert outcome.compliance is compliance
    assert (doubt.reason in outcome.summary) is (compliance is Compliance.INSUFFICIENT_DATA)


def test_steps_and_sessions_are_counted_and_ended_each_in_their_own_way() -> None:
    facts = cluster_facts(
        steps=(a_step(AWS_MANAGED, number=1), a_step(AWS_MANAGED, number=2)),
        sessions=tuple(a_session(AWS_MANAGED, number) for number in (1, 2)),
    )

    assert RULE.check(facts).summary.endswith("(and 1 more step and 2 more sessions)")
    commands = [line for line in RULE.remediation(facts).splitlines() if line[0] != "#"]
    where = f"--region {REGION} --cluster-id {facts.cluster.id}"
    assert commands == [
        f"aws emr cancel-steps {where} --step-ids s-1 s-2",
        f"aws emr terminate-session {where} --session-id is-1",
        f"aws emr terminate-session {where} --session-id is-2",
    ]


def test_where_only_a_session_is_broken_no_step_is_cancelled() -> None:
    facts = cluster_facts(steps=(a_step(ANOTHER_KEY),), sessions=(a_session(AWS_MANAGED),))

    assert "cancel-steps" not in RULE.remediation(facts)


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


@pytest.mark.parametrize(
    ("key", "once_lasting"),
    [
        (NO_SUCH_KEY, Compliance.NON_COMPLIANT),
        (Unresolved("kms:DescribeKey answered ThrottlingException", transient=True), UNDETERMINED),
        (UNREADABLE, None),
    ],
)
def test_what_passes_of_a_steps_key_proves_nothing_until_it_has_lasted(
    key: KeyFact, once_lasting: Compliance | None
) -> None:
    outcome = RULE.check(cluster_facts(steps=(a_step(key),)))

    assert outcome.compliance is Compliance.INSUFFICIENT_DATA
    assert outcome.once_lasting is once_lasting
