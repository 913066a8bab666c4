"""Lost, double, false and left over, each with an example."""

from dataclasses import replace

from sandbox.chaos.comparison import Comparison, Delivered, Observed, compare
from sandbox.chaos.truth import Expectation

OPENED = Delivered("finding.opened", "j-1", ("EMRLOG-002",), "termination_requested")
DONE = Delivered("enforcement.done", "j-1", ("EMRLOG-002",), "terminated")
RIGHT = {
    "j-1": Expectation(
        frozenset({("finding.opened", "EMRLOG-002"), ("enforcement.done", "EMRLOG-002")}),
        terminated=True,
        cluster="etl",
    ),
    "j-2": Expectation(cluster="good"),
}


def compared(*delivered: Delivered, **observed: tuple[str, ...]) -> Comparison:
    return compare(RIGHT, Observed(delivered, **{"over": ("j-1",), **observed}))


def counts(comparison: Comparison) -> tuple[int, int, int, int]:
    return (
        len(comparison.lost),
        len(comparison.double),
        len(comparison.false),
        len(comparison.left_over),
    )


def test_comparison_of_expected_alerts_is_clean() -> None:
    comparison = compared(OPENED, DONE)

    assert comparison == Comparison()
    assert comparison.clean


def test_missing_alert_is_lost() -> None:
    comparison = compared(DONE)

    assert counts(comparison) == (1, 0, 0, 0)
    assert comparison.lost[0].what == "finding.opened EMRLOG-002 of etl"
    assert not comparison.clean


def test_alert_sent_twice_is_double_with_any_next_step() -> None:
    again = replace(OPENED, next_step="nothing_enforced")

    assert counts(compared(OPENED, again, OPENED, DONE)) == (0, 2, 0, 0)


def test_alert_with_the_same_id_is_repeated_and_with_another_id_double() -> None:
    first, other = replace(OPENED, id="a"), replace(OPENED, id="b")

    comparison = compared(first, first, DONE)
    assert (counts(comparison), len(comparison.repeated)) == ((0, 0, 0, 0), 1)
    assert comparison.clean
    assert counts(compared(first, other, DONE)) == (0, 1, 0, 0)


def test_alert_with_a_further_rule_is_not_double() -> None:
    right = {
        "j-1": Expectation(
            frozenset({("finding.opened", "EMRLOG-002"), ("finding.opened", "EMRLOG-101")})
        )
    }
    both = replace(OPENED, rules=("EMRLOG-002", "EMRLOG-101"))

    assert compare(right, Observed((OPENED, both))).clean


def test_alert_about_a_compliant_cluster_or_of_a_wrong_kind_is_false() -> None:
    about_good = replace(OPENED, cluster_id="j-2")
    skipped = replace(OPENED, kind="enforcement.skipped")
    about_nothing = replace(OPENED, rules=())

    assert counts(compared(OPENED, DONE, about_good, skipped, about_nothing)) == (0, 0, 3, 0)


def test_scheduled_alert_overtaken_by_the_grace_is_lost_only_if_opened_in_time() -> None:
    scheduled = ("enforcement.scheduled", "EMRLOG-002")
    right = {"j-1": replace(RIGHT["j-1"], overtaken=frozenset({scheduled}))}

    def lost(at: float) -> int:
        delivered = (replace(OPENED, at=at), DONE)
        return len(compare(right, Observed(delivered, over=("j-1",))).lost)

    assert (lost(59), lost(61)) == (1, 0)
    # Delivered again with the same id: the first invocation died before it was recorded.
    first, again = (replace(OPENED, at=at, id="same") for at in (59, 200))
    assert not compare(right, Observed((first, again, DONE), over=("j-1",))).lost
    announced = replace(OPENED, kind="enforcement.scheduled")
    assert compare(right, Observed((OPENED, announced, DONE), over=("j-1",))).clean


def test_allowed_alert_is_neither_lost_nor_false() -> None:
    right = {"j-1": Expectation(allowed=frozenset({("finding.opened", "EMRLOG-002")}))}

    assert compare(right, Observed(())).clean
    assert compare(right, Observed((OPENED,))).clean


def test_wrong_termination_is_false_and_missing_termination_is_left_over() -> None:
    comparison = compare(RIGHT, Observed((OPENED, DONE), over=("j-2",)))

    assert counts(comparison) == (0, 0, 1, 1)
    assert comparison.false[0].what == "TERMINATED, but should not be: good"
    assert comparison.left_over[0].what == "still running: etl"


def test_undetermined_termination_is_never_wrong() -> None:
    right = {"j-1": Expectation(terminated=None)}

    assert compare(right, Observed(())).clean
    assert compare(right, Observed((), over=("j-1",))).clean


def test_dead_letters_and_unannounced_schedules_are_left_over() -> None:
    comparison = compared(OPENED, DONE, scheduled=("j-1",), dead_letters=("{}",))

    assert [each.what for each in comparison.left_over] == [
        "dead letter: {}",
        "scheduled without a notification: etl",
    ]
    announced = replace(OPENED, kind="enforcement.scheduled")
    assert counts(compared(OPENED, DONE, announced, scheduled=("j-1",))) == (0, 0, 1, 0)


def test_policy_alert_is_false_or_double_unless_expected_once() -> None:
    alert = Delivered("policy.invalid", "", (), "", text="version 2")
    other = replace(alert, text="version 3")

    assert counts(compare({}, Observed((alert,)))) == (0, 0, 1, 0)
    observed = Observed((alert, other, alert))
    assert counts(compare({}, observed, policy_alerts=True)) == (0, 1, 0, 0)


def test_alerts_about_clusters_of_other_trials_are_ignored() -> None:
    assert compared(OPENED, DONE, replace(OPENED, cluster_id="j-9")).clean


def test_alert_is_printed_as_a_line() -> None:
    alert = replace(OPENED, at=2.5, id="abc")

    assert str(alert) == "   2.5 s  finding.opened EMRLOG-002 termination_requested abc"
