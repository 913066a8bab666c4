from dataclasses import replace
from datetime import timedelta

import pytest

from emr_log_guard.domain.compliance import Mode
from emr_log_guard.domain.decisions import CONCURRENT, Decision, distinct, finding_states
from tests.unit.builders import CLUSTER_ID, NOW, a_finding

FIRST = Decision(
    cluster_id=CLUSTER_ID,
    at=NOW,
    by="check_cluster",
    invocation="one",
    cluster_state="RUNNING",
    mode=Mode.ALERT,
    policy_version=7,
    decided=("alert", "schedule"),
    findings=finding_states([a_finding()]),
)
AGAIN = replace(FIRST, at=NOW + timedelta(seconds=2), invocation="two", decided=("schedule",))


def test_equal_decisions_made_concurrently_count_as_one() -> None:
    third = replace(AGAIN, at=AGAIN.at + timedelta(seconds=1), invocation="three")

    assert list(distinct([AGAIN, third, FIRST])) == [FIRST]


@pytest.mark.parametrize(
    "other",
    [
        replace(AGAIN, at=NOW + CONCURRENT),
        replace(AGAIN, by="enforce"),
        replace(AGAIN, policy_version=8),
        replace(AGAIN, decided=("schedule", "cancel")),
        replace(AGAIN, findings=()),
    ],
)
def test_decisions_that_differ_are_kept_apart(other: Decision) -> None:
    assert list(distinct([FIRST, other])) == [FIRST, other]
