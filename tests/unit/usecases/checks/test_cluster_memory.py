"""What cannot change of a cluster is read once; no action is based on stored facts."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from emr_log_guard.domain.clusters import Session, Step, StepState
from emr_log_guard.domain.compliance import Compliance, Mode
from emr_log_guard.domain.finding_record import OTHER_STEPS, STEPS
from emr_log_guard.domain.findings import Status
from emr_log_guard.domain.keys import KeyState
from emr_log_guard.domain.policy import ClusterMatch, RuleSettings
from emr_log_guard.domain.unresolved import Unresolved
from emr_log_guard.events.emr import ClusterCheckRequest
from tests.unit.builders import (
    AWS_MANAGED,
    CLUSTER_ID,
    KEY,
    a_cluster,
    a_key,
    a_policy,
    an_exemption,
)
from tests.unit.usecases.world import World

ADA = "arn:aws:iam::111122223333:user/ada"
OWN = Step("s-OWN", "own", None, AWS_MANAGED.arn, StepState.RUNNING)
STATES = ("STARTING", "STARTING", "RUNNING", "WAITING", "RUNNING", "TERMINATED")
THROTTLED = Unresolved("elasticmapreduce:ListSteps answered ThrottlingException", transient=True)


def event(world: World, **says: Any) -> None:  # noqa: ANN401 - of a request
    """Have a cluster checked because of an event."""
    world.check_cluster(ClusterCheckRequest(CLUSTER_ID, by_event=True, **says))
    world.passes(seconds=10)


def steps(world: World, *step_ids: str) -> None:
    """Have steps added that have no log settings of their own."""
    assert not isinstance(world.clusters.listed, Unresolved)
    world.clusters.listed += tuple(Step(each, each) for each in step_ids)


def seen(world: World, state: str = "RUNNING", **changes: Any) -> None:  # noqa: ANN401
    """Have seen a cluster once."""
    world.clusters.known = {CLUSTER_ID: a_cluster(state=state, **changes)}
    world.keys.facts = {KEY.arn: KEY, AWS_MANAGED.arn: AWS_MANAGED}
    event(world, state=state)
    world.clusters.asked.clear()
    world.clusters.steps_asked.clear()


@pytest.mark.parametrize("log_key", [KEY.arn, None], ids=["compliant", "violation"])
def test_whole_life_of_a_cluster_needs_one_describe_cluster_and_one_list_steps(
    world: World, log_key: str | None
) -> None:
    cluster = a_cluster(state="STARTING", log_key_identifier=log_key)
    world.clusters.known = {CLUSTER_ID: cluster}
    steps(world, "s-1", "s-2", "s-3")

    for state in STATES:
        event(world, state=state)
        event(world, step_ids=("s-1", "s-2", "s-3"))
    event(world, launched_by=ADA)

    assert world.clusters.asked == world.clusters.steps_asked == [CLUSTER_ID]
    assert world.kinds == ([] if log_key else ["finding.opened", "finding.resolved"])


def test_termination_is_stored_in_any_order_of_events(world: World) -> None:
    world.policy = a_policy(Mode.ALERT)
    world.clusters.known = {CLUSTER_ID: a_cluster(state="TERMINATED", log_key_identifier=None)}

    event(world, state="TERMINATED")
    for state in STATES:
        event(world, state=state)

    assert world.clusters.asked == [CLUSTER_ID]
    assert world.kinds == ["finding.opened", "finding.resolved"]
    known = world.repository.read(CLUSTER_ID).known
    assert known is not None
    assert (known.cluster.state, known.expires is not None) == ("TERMINATED", True)


def test_up_to_ten_new_steps_need_one_call_and_known_steps_none(world: World) -> None:
    seen(world)
    new = tuple(f"s-{n}" for n in range(10))
    steps(world, *new)

    event(world, step_ids=new)
    event(world, step_ids=new)

    assert world.clusters.asked == []
    assert world.clusters.steps_asked == [f"{CLUSTER_ID} page 1"]


def test_new_step_with_its_own_key_is_alerted_after_the_cluster_is_described_again(
    world: World,
) -> None:
    seen(world)
    world.clusters.listed = (OWN,)
    world.clusters.known = {CLUSTER_ID: a_cluster(tags={"team": "research"})}

    event(world, step_ids=("s-OWN",))

    assert world.clusters.steps_asked == [f"{CLUSTER_ID} page 1"]
    assert world.clusters.asked == [CLUSTER_ID]
    [alert] = world.alerts.published
    assert (alert.findings[0].rule_id, alert.cluster_tags) == ("EMRLOG-008", {"team": "research"})


def test_step_with_its_own_settings_is_read_again_when_its_state_changes(world: World) -> None:
    world.clusters.listed = (replace(OWN, state=StepState.PENDING),)
    seen(world)
    assert world.kinds == ["finding.opened"]

    world.clusters.listed = (replace(OWN, state=StepState.CANCELLED),)
    event(world, step_ids=("s-OWN",))

    assert world.clusters.steps_asked == [f"{CLUSTER_ID} s-OWN"]
    assert world.kinds == ["finding.opened", "finding.resolved"]


def test_stored_step_is_evaluated_without_being_read_again(world: World) -> None:
    world.clusters.listed = (OWN,)
    seen(world)
    world.clusters.listed = ()

    event(world, state="WAITING")

    assert world.clusters.steps_asked == []
    assert world.kinds == ["finding.opened"]
    assert world.records["EMRLOG-008"].open


def test_unlistable_steps_are_listed_again_at_the_next_event(world: World) -> None:
    world.clusters.listed = THROTTLED
    seen(world)
    world.clusters.listed = (OWN,)

    event(world, state="WAITING")

    assert world.clusters.steps_asked == [CLUSTER_ID]
    assert [f.rule_id for a in world.alerts.published for f in a.findings] == ["EMRLOG-008"]


def test_known_violation_stays_open_while_an_unreadable_new_step_is_retried(
    world: World,
) -> None:
    world.clusters.listed = (OWN,)
    seen(world)
    world.clusters.listed = THROTTLED
    new = ClusterCheckRequest(CLUSTER_ID, by_event=True, step_ids=("s-NEW",))

    unread = world.check_cluster(new)
    world.clusters.listed = (OWN, Step("s-NEW", "s-NEW"))
    read = world.check_cluster(new)

    assert unread.incomplete
    assert not read.incomplete
    assert world.kinds == ["finding.opened"]
    record = world.repository.read(CLUSTER_ID).records["EMRLOG-008"]
    assert record.finding.compliance is Compliance.NON_COMPLIANT


def test_newest_steps_are_read_in_one_call_and_not_again_for_their_events(world: World) -> None:
    seen(world)
    new = tuple(f"s-{n}" for n in range(8))
    steps(world, *new)

    for step in new:
        event(world, step_ids=(step,))

    assert world.clusters.steps_asked == [f"{CLUSTER_ID} page 1"]


@pytest.mark.parametrize("newer", [50, 500, 998])
def test_step_beyond_the_first_page_is_found_by_its_event_and_costs_a_page_per_fifty_steps(
    world: World, newer: int
) -> None:
    seen(world)
    steps(world, "s-KNOWN")
    event(world, step_ids=("s-KNOWN",))
    world.clusters.steps_asked.clear()
    assert not isinstance(world.clusters.listed, Unresolved)
    world.clusters.listed += (OWN,)
    later = tuple(f"s-{n}" for n in range(newer))
    steps(world, *later)
    added = ClusterCheckRequest(CLUSTER_ID, by_event=True, step_ids=("s-OWN",))

    checked = world.check_cluster(added)

    assert not checked.incomplete
    assert world.kinds == ["finding.opened"]
    pages = range(1, (newer + 1) // 50 + 2)
    assert world.clusters.steps_asked == [f"{CLUSTER_ID} page {n}" for n in pages]


def test_all_steps_that_were_read_to_find_one_cost_nothing_more(world: World) -> None:
    seen(world)
    new = tuple(f"s-{n}" for n in range(225))
    steps(world, *new)

    event(world, step_ids=("s-0",))
    assert world.clusters.steps_asked == [f"{CLUSTER_ID} page {n}" for n in range(1, 6)]
    for step in new:
        event(world, step_ids=(step,))

    assert len(world.clusters.steps_asked) == 5


def test_newer_steps_are_read_up_to_the_known_ones(world: World) -> None:
    seen(world)
    steps(world, *(f"s-{n}" for n in range(125)))
    event(world, step_ids=("s-124",))
    world.clusters.steps_asked.clear()
    steps(world, *(f"s-{n}" for n in range(125, 185)))

    event(world, step_ids=("s-184",))
    event(world, step_ids=("s-125",))

    assert world.clusters.steps_asked == [f"{CLUSTER_ID} page 1", f"{CLUSTER_ID} page 2"]


def test_steps_that_two_environments_list_at_once_are_all_known(world: World) -> None:
    seen(world)
    steps(world, *(f"s-{n}" for n in range(60)))
    added = ClusterCheckRequest(CLUSTER_ID, by_event=True, step_ids=("s-59",))

    def rival() -> None:
        steps(world, "s-60")
        event(world, step_ids=("s-60",))

    world.table.before_put = [rival]
    world.check_cluster(added)
    world.clusters.steps_asked.clear()
    event(world, step_ids=("s-0", "s-59", "s-60"))

    assert world.table.before_put == []
    assert world.clusters.steps_asked == []


def test_step_beyond_the_most_pages_is_read_by_its_id(world: World) -> None:
    seen(world)
    world.clusters.most_pages = 2
    world.clusters.listed = (OWN,)
    steps(world, *(f"s-{n}" for n in range(100)))

    event(world, step_ids=("s-OWN",))

    pages = [f"{CLUSTER_ID} page 1", f"{CLUSTER_ID} page 2"]
    assert world.clusters.steps_asked == [*pages, f"{CLUSTER_ID} s-OWN"]
    assert world.kinds == ["finding.opened"]


def test_new_steps_and_known_ones_with_settings_of_their_own_are_read_together(
    world: World,
) -> None:
    world.clusters.listed = (replace(OWN, state=StepState.PENDING),)
    seen(world)
    world.clusters.listed = (replace(OWN, state=StepState.CANCELLED),)
    steps(world, "s-NEW")

    event(world, step_ids=("s-OWN", "s-NEW"))

    assert world.clusters.steps_asked == [f"{CLUSTER_ID} page 1"]
    assert world.kinds == ["finding.opened", "finding.resolved"]


def test_step_with_its_own_settings_is_read_by_its_id(world: World) -> None:
    world.clusters.listed = (OWN,)
    seen(world)

    event(world, step_ids=("s-OWN",))

    assert world.clusters.steps_asked == [f"{CLUSTER_ID} s-OWN"]


def test_newest_steps_that_are_throttled_are_read_again(world: World) -> None:
    seen(world)
    world.clusters.listed = THROTTLED
    added = ClusterCheckRequest(CLUSTER_ID, by_event=True, step_ids=("s-1",))
    assert world.check_cluster(added).incomplete

    world.clusters.listed = ()
    steps(world, "s-1")
    world.passes(seconds=5)

    assert not world.check_cluster(added).incomplete
    assert world.clusters.steps_asked == [f"{CLUSTER_ID} page 1"] * 2


def test_re_scan_reads_cluster_and_steps_again(world: World) -> None:
    seen(world)

    world.check_cluster(ClusterCheckRequest(CLUSTER_ID))

    assert world.clusters.asked == world.clusters.steps_asked == [CLUSTER_ID]


def test_re_scan_of_very_many_steps_keeps_known_ones_and_reads_the_unfinished_by_their_ids(
    world: World,
) -> None:
    """What a list of the newest and the active steps leaves out has finished since."""
    ended = replace(OWN, id="s-ENDED", state=StepState.COMPLETED)
    world.clusters.listed = (ended, replace(OWN, state=StepState.PENDING))
    seen(world)
    world.clusters.most_pages = 1
    world.clusters.listed = (ended, replace(OWN, state=StepState.CANCELLED))
    world.clusters.listed += tuple(Step(f"s-{n}", "", state=StepState.COMPLETED) for n in range(50))

    world.check_cluster(ClusterCheckRequest(CLUSTER_ID))

    assert world.clusters.steps_asked == [CLUSTER_ID, f"{CLUSTER_ID} s-OWN"]
    assert "finding.resolved" not in world.kinds
    finding = world.records["EMRLOG-008"].finding
    assert (finding.status, finding.compliance) == (Status.OPEN, Compliance.NON_COMPLIANT)
    known = world.repository.read(CLUSTER_ID).known
    assert known is not None
    assert {each.id: each.state for each in known.steps} == {
        "s-OWN": StepState.CANCELLED,
        "s-ENDED": StepState.COMPLETED,
    }


def test_re_check_reads_new_steps_and_unfinished_ones_with_settings_of_their_own(
    world: World,
) -> None:
    """Of a cluster with 1,000 steps, a page and not twenty."""
    ended = replace(OWN, id="s-ENDED", state=StepState.COMPLETED)
    world.clusters.listed = (replace(OWN, state=StepState.PENDING), ended)
    steps(world, *(f"s-{n}" for n in range(998)))
    seen(world)
    world.clusters.listed = (replace(OWN, state=StepState.CANCELLED), *world.clusters.listed[1:])
    steps(world, "s-NEW")
    recheck = ClusterCheckRequest(CLUSTER_ID, force_refresh=True)

    world.check_cluster(recheck)

    assert world.clusters.asked == [CLUSTER_ID]
    assert world.clusters.steps_asked == [f"{CLUSTER_ID} page 1", f"{CLUSTER_ID} s-OWN"]
    known = world.repository.read(CLUSTER_ID).known
    assert known is not None
    assert {each.id: each.state for each in known.steps} == {
        "s-OWN": StepState.CANCELLED,
        "s-ENDED": StepState.COMPLETED,
    }
    assert "s-NEW" in known.other_steps


def test_steps_beyond_the_storage_limit_are_listed_at_each_check(world: World) -> None:
    world.clusters.listed = tuple(replace(OWN, id=f"s-{n}") for n in range(STEPS))
    seen(world)
    event(world)
    assert world.clusters.steps_asked == []

    world.clusters.listed += (replace(OWN, id="s-MORE"),)
    event(world, step_ids=("s-MORE",))
    event(world)

    assert world.clusters.steps_asked == [f"{CLUSTER_ID} page 1", CLUSTER_ID]


def test_latest_steps_without_settings_are_stored_up_to_the_limit(world: World) -> None:
    seen(world)
    many = tuple(f"s-{n}" for n in range(OTHER_STEPS + 1))
    steps(world, *many)

    event(world, step_ids=many)

    known = world.repository.read(CLUSTER_ID).known
    assert known is not None
    assert known.other_steps == many[1:]


def test_disabled_key_is_decided_with_the_current_tags_of_the_cluster(world: World) -> None:
    """An exemption by tag was added with the tag, which no event reports."""
    seen(world, tags={})
    exempt = an_exemption(ClusterMatch(tag={"exempt": "yes"}))
    world.policy = a_policy(Mode.ALERT, exemptions=(exempt,))
    world.clusters.known = {CLUSTER_ID: a_cluster(tags={"exempt": "yes"})}
    world.keys.facts = {KEY.arn: a_key(state=KeyState.DISABLED)}

    event(world, state="WAITING")
    event(world, state="RUNNING")

    assert world.clusters.asked == [CLUSTER_ID]
    assert world.kinds == []
    assert {record.finding.status for record in world.records.values()} == {Status.EXEMPT}


def test_violation_after_the_launch_has_the_grace_of_a_running_cluster(world: World) -> None:
    """The event of its RUNNING may have been lost."""
    world.policy = a_policy(grace=timedelta(hours=4))
    seen(world, "STARTING")
    world.clusters.known = {CLUSTER_ID: a_cluster(state="RUNNING")}
    world.keys.facts = {KEY.arn: a_key(state=KeyState.DISABLED)}

    event(world, state="STARTING")

    assert not world.records["EMRLOG-201"].at_launch


def test_observed_finding_on_stored_facts_does_not_count_as_opened_at_launch(world: World) -> None:
    world.policy = replace(a_policy(Mode.OBSERVE), rules={"EMRLOG-005": RuleSettings(enabled=True)})
    seen(world, "STARTING")
    world.keys.facts = {KEY.arn: a_key(state=KeyState.DISABLED)}

    event(world, state="STARTING")

    assert world.clusters.asked == []
    assert not world.records["EMRLOG-201"].at_launch


def test_sessions_are_listed_at_each_check(world: World) -> None:
    seen(world, sessions_enabled=True)
    world.clusters.listed_sessions = (Session("is-1", "ide", None, AWS_MANAGED.arn),)

    event(world, state="WAITING")

    assert world.clusters.sessions_asked == [CLUSTER_ID] * 2
    assert world.kinds == ["finding.opened"]


def test_newer_tags_written_concurrently_are_kept(world: World) -> None:
    seen(world, tags={"team": "old"})
    tagged = a_cluster(state="RUNNING", tags={"team": "new"})

    def rival() -> None:
        known = world.repository.read(CLUSTER_ID).known
        assert known is not None
        world.repository.write_snapshot(replace(known, cluster=tagged), known)

    world.table.before_put = [rival]
    event(world, launched_by=ADA)

    known = world.repository.read(CLUSTER_ID).known
    assert known is not None
    assert (known.cluster.tags, known.launched_by) == ({"team": "new"}, ADA)


def test_reminder_is_sent_after_the_cluster_is_described_again(world: World) -> None:
    world.policy = a_policy(Mode.ALERT)
    seen(world, log_key_identifier=None)
    event(world, state="WAITING")
    assert world.clusters.asked == []

    world.passes(hours=24)
    event(world, state="RUNNING")

    assert world.kinds == ["finding.opened", "finding.reminder"]
    assert world.clusters.asked == [CLUSTER_ID]
