import pytest

from emr_log_guard.domain.clusters import Step, WorkloadFacts
from emr_log_guard.domain.compliance import Compliance
from emr_log_guard.domain.keys import KeyFact, KeyState
from emr_log_guard.domain.policy import Policy
from emr_log_guard.rules import CLUSTER_RULES
from emr_log_guard.rules import emrlog_005_log_key_usable as usable
from emr_log_guard.rules import emrlog_008_steps_keep_the_cluster_key as steps_keep_key
from emr_log_guard.rules.emrlog_201_log_key_available import RULE
from emr_log_guard.rules.evaluation import EvaluationContext, Subject, cluster_findings
from tests.unit.builders import (
    ANOTHER_KEY,
    AWS_MANAGED,
    KEY,
    NO_SUCH_KEY,
    NOW,
    UNREADABLE,
    a_key,
    cluster_facts,
)

LOST = [
    (KeyState.DISABLED, "was disabled", "enable-key"),
    (KeyState.PENDING_DELETION, "is scheduled for deletion", "cancel-key-deletion"),
    (KeyState.PENDING_REPLICA_DELETION, "is scheduled for deletion", "describe-key"),
    (KeyState.PENDING_IMPORT, "lost its key material", "import-key-material"),
    (KeyState.UNAVAILABLE, "became Unavailable", "describe-key"),
]


@pytest.mark.parametrize(("state", "words", "fix"), LOST)
def test_unusable_key_that_worked_is_reported_by_emrlog_201_only(
    state: KeyState, words: str, fix: str
) -> None:
    facts = cluster_facts(log_key=a_key(state=state), log_key_worked=True)
    outcome = RULE.check(facts)

    assert outcome.broken
    assert (outcome.once_lasting is None) is (state is not KeyState.UNAVAILABLE)
    assert words in outcome.summary
    assert fix in RULE.remediation(facts)
    context = EvaluationContext(Policy(), NOW, str)
    subject, rules = Subject.of(facts.cluster), context.rules(CLUSTER_RULES)
    findings = cluster_findings(subject, facts, rules, context)
    found = [finding.rule_id for finding in findings if finding.needs_attention]
    assert found == ["EMRLOG-201"]


def test_unusable_key_of_a_step_is_reported_by_emrlog_008_although_the_cluster_key_worked() -> None:
    disabled = a_key(arn=ANOTHER_KEY.arn, state=KeyState.DISABLED)
    step = WorkloadFacts(Step("s-1", "load", None, disabled.arn), disabled)
    facts = cluster_facts(steps=(step,), log_key_worked=True)

    assert steps_keep_key.check(facts).compliance is Compliance.NON_COMPLIANT


@pytest.mark.parametrize("state", [state for state, _, _ in LOST])
def test_unusable_key_that_never_worked_is_reported_by_emrlog_005_only(state: KeyState) -> None:
    facts = cluster_facts(log_key=a_key(state=state))

    assert RULE.check(facts).compliance is Compliance.NOT_APPLICABLE
    assert usable.check(facts).broken


@pytest.mark.parametrize(
    ("key", "compliance"),
    [
        (KEY, Compliance.COMPLIANT),
        (UNREADABLE, Compliance.INSUFFICIENT_DATA),
        (AWS_MANAGED, Compliance.NOT_APPLICABLE),
        (NO_SUCH_KEY, Compliance.NOT_APPLICABLE),
        (None, Compliance.NOT_APPLICABLE),
    ],
)
def test_key_that_worked_is_evaluated_by_its_present_state(
    key: KeyFact | None, compliance: Compliance
) -> None:
    facts = cluster_facts(log_key=key, log_key_worked=True)

    assert RULE.check(facts).compliance is compliance


def test_missing_key_has_no_fix() -> None:
    assert RULE.remediation(cluster_facts(log_key=NO_SUCH_KEY)) == ""
