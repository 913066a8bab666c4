import pytest

from emr_log_guard.domain.clusters import (
    LOG_TYPES,
    Cluster,
    Session,
    Step,
    StepState,
    WorkloadFacts,
)
from emr_log_guard.domain.compliance import Compliance
from emr_log_guard.domain.keys import KeyFact, KeyState
from emr_log_guard.domain.unresolved import Unresolved
from emr_log_guard.rules.emrlog_008_steps_keep_the_cluster_key import RULE
from tests.unit.builders import (
    ANOTHER_KEY,
    AWS_MANAGED,
    CLUSTER_ID,
    KEY,
    NO_SUCH_KEY,
    OTHER_REGION,
    REGION,
    UNREADABLE,
    a_cluster,
    a_key,
    approved,
    cluster_facts,
    identifier_of,
    key_arn,
)

NOWHERE = a_cluster(log_uri=None, log_key_identifier=None)
KEYLESS = a_cluster(log_key_identifier=None)
UNDETERMINED = Compliance.INSUFFICIENT_DATA


def a_step(
    key: KeyFact | None,
    uri: str | None = None,
    number: int = 1,
    *,
    state: StepState | None = StepState.RUNNING,
    started: bool = True,
) -> WorkloadFacts:
    step = Step(f"s-{number}", f"load-{number}", uri, identifier_of(key), state, started)
    return WorkloadFacts(step, key)


@pytest.mark.parametrize(
    ("key", "compliance", "notified"),
    [
        (ANOTHER_KEY, Compliance.COMPLIANT, "are compliant: 1 step"),
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
def test_key_of_a_step_is_evaluated_like_the_key_of_a_cluster(
    key: KeyFact, uri: str | None, compliance: Compliance, notified: str
) -> None:
    outcome = RULE.check(cluster_facts(steps=(a_step(key, uri),)))

    assert outcome.compliance is compliance
    assert notified in outcome.summary


def test_key_of_a_step_has_to_be_approved() -> None:
    facts = cluster_facts(approved_keys=approved(KEY), steps=(a_step(ANOTHER_KEY),))

    outcome = RULE.check(facts)

    assert outcome.compliance is Compliance.NON_COMPLIANT
    assert "step s-1 (load-1): " in outcome.summary
    assert "not one of the approved keys" in outcome.summary


KEY_ID = KEY.arn.rpartition("/")[2]


@pytest.mark.parametrize(
    ("by_cluster", "by_step", "fact"),
    [
        ("alias/emr-logs", KEY.arn, KEY),
        (KEY_ID, KEY.arn, KEY),
        (KEY_ID, KEY.arn, UNREADABLE),
        (KEY.arn, KEY.arn.replace("1234abcd", "1234ABCD"), UNREADABLE),
        (KEY_ID, KEY_ID.upper(), NO_SUCH_KEY),
    ],
)
def test_step_with_the_cluster_key_under_any_identifier_is_not_evaluated(
    by_cluster: str, by_step: str, fact: KeyFact
) -> None:
    facts = cluster_facts(
        a_cluster(log_key_identifier=by_cluster),
        log_key=fact,
        approved_keys=approved(ANOTHER_KEY),
        steps=(WorkloadFacts(Step("s-1", "load", None, by_step), fact),),
    )

    assert RULE.check(facts).compliance is Compliance.NOT_APPLICABLE


def test_key_of_a_step_is_evaluated_when_the_cluster_has_no_key() -> None:
    facts = cluster_facts(KEYLESS, log_key=None, steps=(a_step(KEY),))

    assert RULE.check(facts).compliance is Compliance.COMPLIANT


@pytest.mark.parametrize(
    ("by_cluster", "by_step"), [("alias/emr-logs", KEY.arn), (ANOTHER_KEY.arn, KEY.arn)]
)
def test_step_whose_key_may_differ_from_the_cluster_key_is_evaluated(
    by_cluster: str, by_step: str
) -> None:
    facts = cluster_facts(
        a_cluster(log_key_identifier=by_cluster),
        log_key=UNREADABLE,
        steps=(WorkloadFacts(Step("s-1", "load", None, by_step), UNREADABLE),),
    )

    assert RULE.check(facts).compliance is UNDETERMINED


@pytest.mark.parametrize(
    ("cluster", "steps"),
    [
        (a_cluster(), ()),
        (a_cluster(), (WorkloadFacts(Step("s-1", "load", "s3://elsewhere/"), KEY),)),
        (a_cluster(), (a_step(KEY),)),
        (KEYLESS, (WorkloadFacts(Step("s-1", "load", "s3://elsewhere/"), None),)),
        (NOWHERE, (a_step(AWS_MANAGED),)),
    ],
    ids=[
        "no step",
        "elsewhere",
        "the same key",
        "no key: reported by 002",
        "archives nothing",
    ],
)
def test_step_that_cluster_rules_cover_is_not_evaluated(
    cluster: Cluster, steps: tuple[WorkloadFacts, ...]
) -> None:
    outcome = RULE.check(cluster_facts(cluster, steps=steps))

    assert outcome.compliance is Compliance.NOT_APPLICABLE


def test_step_that_archives_without_a_key_does_not_comply_when_its_cluster_archives_nothing() -> (
    None
):
    step = WorkloadFacts(Step("s-1", "load", "s3://elsewhere/"), None)

    outcome = RULE.check(cluster_facts(NOWHERE, log_key=None, steps=(step,)))

    assert outcome.compliance is Compliance.NON_COMPLIANT
    assert "s3://elsewhere/ without a log encryption key" in outcome.summary


def test_steps_that_cannot_be_listed_are_undetermined() -> None:
    facts = cluster_facts(steps=Unresolved("elasticmapreduce:ListSteps answered Throttling"))

    outcome = RULE.check(facts)

    assert outcome.compliance is Compliance.INSUFFICIENT_DATA
    assert "ListSteps" in outcome.summary
    assert RULE.remediation(facts) == ""


def a_session(key: KeyFact | None, number: int = 1) -> WorkloadFacts:
    session = Session(f"is-{number}", f"ide-{number}", None, identifier_of(key))
    return WorkloadFacts(session, key)


@pytest.mark.parametrize(
    ("key", "compliance", "notified"),
    [
        (ANOTHER_KEY, Compliance.COMPLIANT, "are compliant: 1 session"),
        (AWS_MANAGED, Compliance.NON_COMPLIANT, "session is-1 (ide-1): the log key"),
        (UNREADABLE, Compliance.INSUFFICIENT_DATA, "session is-1 (ide-1): "),
        (KEY, Compliance.NOT_APPLICABLE, "no step or session has a log key of its own"),
    ],
)
def test_key_of_a_session_is_evaluated_like_the_key_of_a_step(
    key: KeyFact, compliance: Compliance, notified: str
) -> None:
    outcome = RULE.check(cluster_facts(sessions=(a_session(key),)))

    assert outcome.compliance is compliance
    assert notified in outcome.summary


@pytest.mark.parametrize(
    ("steps", "compliance"),
    [
        ((a_step(AWS_MANAGED),), Compliance.NON_COMPLIANT),
        ((a_step(ANOTHER_KEY),), Compliance.INSUFFICIENT_DATA),
        ((), Compliance.INSUFFICIENT_DATA),
    ],
)
def test_unlistable_sessions_are_undetermined_unless_a_step_violates_the_rule(
    steps: tuple[WorkloadFacts, ...], compliance: Compliance
) -> None:
    doubt = Unresolved("elasticmapreduce:ListSessions answered AccessDeniedException")

    outcome = RULE.check(cluster_facts(steps=steps, sessions=doubt))

    assert outcome.compliance is compliance
    assert (doubt.reason in outcome.summary) is (compliance is Compliance.INSUFFICIENT_DATA)


def test_steps_and_sessions_are_counted_separately_and_each_gets_its_own_command() -> None:
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


def test_fix_cancels_no_step_when_only_a_session_violates_the_rule() -> None:
    facts = cluster_facts(steps=(a_step(ANOTHER_KEY),), sessions=(a_session(AWS_MANAGED),))

    assert "cancel-steps" not in RULE.remediation(facts)


@pytest.mark.parametrize(
    ("others", "notified"), [(1, "(and 1 more step)"), (2, "(and 2 more steps)")]
)
def test_step_violation_outweighs_an_undetermined_step_and_the_fix_names_it(
    others: int, notified: str
) -> None:
    broken = [a_step(AWS_MANAGED, number=2 + number) for number in range(others + 1)]
    facts = cluster_facts(steps=(a_step(UNREADABLE), *broken))

    outcome = RULE.check(facts)

    assert outcome.compliance is Compliance.NON_COMPLIANT
    assert outcome.summary.endswith(notified)
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
def test_transient_fact_about_the_key_of_a_step_is_undetermined_until_it_has_lasted(
    key: KeyFact, once_lasting: Compliance | None
) -> None:
    outcome = RULE.check(cluster_facts(steps=(a_step(key),)))

    assert outcome.compliance is Compliance.INSUFFICIENT_DATA
    assert outcome.once_lasting is once_lasting


DISABLED = a_key(arn=ANOTHER_KEY.arn, state=KeyState.DISABLED)
ABROAD = a_key(arn=key_arn(region=OTHER_REGION))
WAITING = (StepState.PENDING, StepState.CANCEL_PENDING, StepState.RUNNING)
FINISHED = (StepState.COMPLETED, StepState.FAILED, StepState.INTERRUPTED, StepState.CANCELLED)


@pytest.mark.parametrize("state", StepState)
@pytest.mark.parametrize("key", [AWS_MANAGED, DISABLED, NO_SUCH_KEY, UNREADABLE])
def test_only_a_step_cancelled_before_its_start_is_not_evaluated(
    state: StepState, key: KeyFact
) -> None:
    step = a_step(key, state=state, started=False)

    outcome = RULE.check(cluster_facts(steps=(step,)))

    never_ran = state is StepState.CANCELLED
    lost_when_over = state in FINISHED and key in (DISABLED, NO_SUCH_KEY)
    assert (outcome.compliance is Compliance.NOT_APPLICABLE) is never_ran
    assert outcome.broken is (not never_ran and not lost_when_over and key is not UNREADABLE)


@pytest.mark.parametrize("state", FINISHED)
def test_finished_step_with_a_disabled_key_complies(state: StepState) -> None:
    outcome = RULE.check(cluster_facts(steps=(a_step(DISABLED, state=state),)))

    assert outcome.compliance is Compliance.COMPLIANT


@pytest.mark.parametrize("state", WAITING)
def test_step_that_may_still_log_with_a_disabled_key_does_not_comply(state: StepState) -> None:
    outcome = RULE.check(cluster_facts(steps=(a_step(DISABLED, state=state),)))

    assert outcome.compliance is Compliance.NON_COMPLIANT
    assert not outcome.over


@pytest.mark.parametrize("state", FINISHED)
@pytest.mark.parametrize(
    ("key", "notified"),
    [
        (AWS_MANAGED, "managed by AWS"),
        (ANOTHER_KEY, "not one of the approved keys"),
        (ABROAD, f"is in {OTHER_REGION}"),
        (a_key(spec="RSA_4096"), "is a RSA_4096 key"),
    ],
)
def test_violation_of_a_finished_step_is_reported_as_over(
    state: StepState, key: KeyFact, notified: str
) -> None:
    facts = cluster_facts(
        log_key=a_key(arn=key_arn("11111111-0000-4000-8000-000000000000")),
        steps=(a_step(key, state=state),),
        approved_keys=approved(KEY),
    )

    outcome = RULE.check(facts)

    assert (outcome.compliance, outcome.over) == (Compliance.NON_COMPLIANT, True)
    assert outcome.summary.startswith(f"{state.lower()} step s-1 (load-1): ")
    assert notified in outcome.summary


def test_finished_step_that_archived_without_a_key_is_reported_as_over() -> None:
    step = WorkloadFacts(Step("s-1", "load", "s3://elsewhere/", None, StepState.COMPLETED), None)

    outcome = RULE.check(cluster_facts(NOWHERE, log_key=None, steps=(step,)))

    assert (outcome.compliance, outcome.over) == (Compliance.NON_COMPLIANT, True)


def test_unreadable_key_of_a_finished_step_is_undetermined() -> None:
    step = a_step(UNREADABLE, state=StepState.COMPLETED)

    outcome = RULE.check(cluster_facts(steps=(step,)))

    assert outcome.compliance is Compliance.INSUFFICIENT_DATA


@pytest.mark.parametrize("state", WAITING)
def test_one_violating_step_that_may_still_log_makes_the_finding_ongoing(state: StepState) -> None:
    over = a_step(AWS_MANAGED, number=1, state=StepState.COMPLETED)
    active = a_step(AWS_MANAGED, number=2, state=state)

    outcome = RULE.check(cluster_facts(steps=(over, active)))

    assert (outcome.compliance, outcome.over) == (Compliance.NON_COMPLIANT, False)
    assert outcome.summary.startswith(f"{state.lower().replace('_', '-')} step s-2 (load-2): ")
    assert outcome.summary.endswith(" (and 1 more step)")


def test_transient_violation_outweighs_one_that_is_over() -> None:
    over = a_step(AWS_MANAGED, number=1, state=StepState.COMPLETED)
    passing = a_step(NO_SUCH_KEY, number=2)

    outcome = RULE.check(cluster_facts(steps=(over, passing)))

    assert outcome.once_lasting is Compliance.NON_COMPLIANT
    assert not outcome.over
    assert outcome.summary.endswith(" (and 1 more step)")


def test_violation_of_a_step_without_a_known_state_is_undetermined() -> None:
    outcome = RULE.check(cluster_facts(steps=(a_step(AWS_MANAGED, state=None),)))

    assert outcome.compliance is Compliance.INSUFFICIENT_DATA
    assert outcome.once_lasting is None
    assert outcome.summary.startswith("step s-1 (load-1): ")
    assert outcome.summary.endswith("EMR reports no known state of it")
    good = RULE.check(cluster_facts(steps=(a_step(ANOTHER_KEY, state=None),)))
    assert good.compliance is Compliance.COMPLIANT


def test_fix_cancels_only_steps_that_can_be_cancelled() -> None:
    facts = cluster_facts(
        steps=(
            a_step(AWS_MANAGED, number=1, state=StepState.PENDING),
            a_step(AWS_MANAGED, number=2, state=StepState.RUNNING),
            a_step(AWS_MANAGED, number=3, state=StepState.CANCEL_PENDING),
            a_step(AWS_MANAGED, number=4, state=StepState.COMPLETED),
            a_step(AWS_MANAGED, "s3://elsewhere/x", number=5, state=StepState.FAILED),
            a_step(AWS_MANAGED, "no uri", number=6, state=StepState.FAILED),
            a_step(AWS_MANAGED, number=7, state=StepState.CANCELLED, started=False),
            a_step(DISABLED, number=8, state=StepState.COMPLETED),
        )
    )

    text = RULE.remediation(facts)

    assert [line for line in text.splitlines() if line[0] != "#"] == [
        f"aws emr cancel-steps --region {REGION} --cluster-id {CLUSTER_ID} --step-ids s-1 s-2",
        f"aws s3 ls --recursive s3://example-logs/emr/{CLUSTER_ID}/steps/s-4/",
        f"aws s3 ls --recursive s3://elsewhere/x/{CLUSTER_ID}/steps/s-5/",
    ]
    assert "# They are being cancelled already: s-3." in text
    assert "# These steps have finished: s-4 s-5 s-6." in text


def test_fix_cancels_nothing_when_every_step_has_finished() -> None:
    facts = cluster_facts(steps=(a_step(AWS_MANAGED, state=StepState.COMPLETED),))

    assert "cancel-steps" not in RULE.remediation(facts)
    assert "EMRLOG-101" in RULE.remediation(facts)


UPLOADING_NOTHING = dict.fromkeys(LOG_TYPES, "disabled")


@pytest.mark.parametrize("own", [a_step(None, "s3://elsewhere/"), a_step(AWS_MANAGED, "s3://x/")])
def test_step_with_its_own_log_uri_is_undetermined_when_all_uploads_are_disabled(
    own: WorkloadFacts,
) -> None:
    cluster = a_cluster(log_key_identifier=None, log_upload_policies=UPLOADING_NOTHING)

    outcome = RULE.check(cluster_facts(cluster, log_key=None, steps=(own,)))

    assert (outcome.compliance, outcome.once_lasting) == (Compliance.INSUFFICIENT_DATA, None)
    assert outcome.summary.endswith("although the cluster uploads none is not documented")


def test_finished_step_with_its_own_log_uri_is_undetermined_when_all_uploads_are_disabled() -> None:
    own = a_step(AWS_MANAGED, "s3://x/", state=StepState.COMPLETED)
    cluster = a_cluster(log_key_identifier=None, log_upload_policies=UPLOADING_NOTHING)

    outcome = RULE.check(cluster_facts(cluster, log_key=None, steps=(own,)))

    assert outcome.compliance is Compliance.INSUFFICIENT_DATA


def test_step_with_only_its_own_key_is_not_evaluated_when_all_uploads_are_disabled() -> None:
    cluster = a_cluster(log_upload_policies=UPLOADING_NOTHING)

    outcome = RULE.check(cluster_facts(cluster, steps=(a_step(AWS_MANAGED),)))

    assert outcome.compliance is Compliance.NOT_APPLICABLE
