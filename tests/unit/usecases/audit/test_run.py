import random
import signal
import threading
import tracemalloc
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from threading import Event
from typing import Any, Unpack

import pytest

from emr_log_guard.domain import log_objects
from emr_log_guard.domain.audit import AuditReport, ExitStatus
from emr_log_guard.domain.clusters import Cluster, ClusterSummary
from emr_log_guard.domain.compliance import Compliance
from emr_log_guard.domain.findings import Status
from emr_log_guard.domain.log_objects import Encryption, ObjectVersion
from emr_log_guard.domain.policy import Policy, RuleSettings
from emr_log_guard.domain.unresolved import Unresolved
from emr_log_guard.errors import AuditStoppedError, ClusterNotFoundError, NotReadableError
from emr_log_guard.usecases.audit.region import RegionAccess
from emr_log_guard.usecases.audit.run import ALL_REGIONS, Audit
from emr_log_guard.usecases.audit.scope import ACTIVE, AuditScope
from emr_log_guard.usecases.checks.cluster_facts import ReadClusterFacts
from tests.unit.builders import (
    ACCOUNT,
    ANOTHER_KEY,
    KEY,
    NOW,
    OTHER_ACCOUNT,
    OTHER_REGION,
    REGION,
    ClusterChanges,
    a_cluster,
    an_exemption,
    encrypted,
)
from tests.unit.fakes import (
    NOT_FOUND,
    FakeBuckets,
    FakeClusters,
    FakeKeys,
    FakeLogObjects,
    FakeRoles,
)

SOUND = frozenset({"EMRLOG-001", "EMRLOG-002", "EMRLOG-003", "EMRLOG-004", "EMRLOG-005"})
ROLE = f"arn:aws:iam::{OTHER_ACCOUNT}:role/Audit"
DENIED = "elasticmapreduce:ListClusters on eu-west-1 answered AccessDeniedException"


def named(cluster_id: str, **changes: Unpack[ClusterChanges]) -> Cluster:
    arn = f"arn:aws:elasticmapreduce:{REGION}:{ACCOUNT}:cluster/{cluster_id}"
    return replace(a_cluster(**changes), id=cluster_id, arn=arn)


GOOD = named("j-GOODGOOD1")
KEYLESS = named("j-KEYLESS01", log_key_identifier=None)


class FakeListing:
    """Clusters of a place, as EMR lists and describes them."""

    def __init__(self, *clusters: Cluster, failure: str | None = None) -> None:
        self.clusters = {cluster.id: cluster for cluster in clusters}
        self.failure = failure
        self.answers: dict[str, Unresolved | BaseException] = {}
        self.states: list[Sequence[str]] = []
        self.asked: list[str] = []

    def summaries(self, states: Sequence[str]) -> Iterator[ClusterSummary]:
        self.states.append(states)
        for each in self.clusters.values():
            yield ClusterSummary(each.id, each.name, each.arn, each.state)
        if self.failure:
            raise NotReadableError(self.failure)

    def read(self, cluster_id: str) -> Cluster | Unresolved:
        self.asked.append(cluster_id)
        answer = self.answers.get(cluster_id)
        if isinstance(answer, BaseException):
            raise answer
        if answer is not None:
            return answer
        if cluster_id not in self.clusters:
            raise ClusterNotFoundError(cluster_id)
        return self.clusters[cluster_id]


class FakeObjects(FakeLogObjects):
    """Log objects of a place, as S3 lists and describes them."""

    def __init__(
        self,
        keys: Sequence[str] = (),
        heads: Mapping[str, Encryption | Unresolved | Exception] | None = None,
        failure: str | None = None,
    ) -> None:
        super().__init__(heads)
        self.keys, self.failure = keys, failure
        self.listed: list[tuple[str, str, datetime | None]] = []

    def below(
        self, bucket: str, prefix: str, since: datetime | None, owner: str | None = None
    ) -> Iterator[ObjectVersion]:
        self.owners.add(owner)
        self.listed.append((bucket, prefix, since))
        for key in self.keys:
            yield ObjectVersion(bucket, key)
        if self.failure:
            raise NotReadableError(self.failure)


class Seen:
    """Counts what an audit reports of its progress."""

    def __init__(self) -> None:
        self.clusters = self.judgements = self.objects = 0
        self.lock = threading.Lock()

    def listed(self) -> None:
        with self.lock:
            self.clusters += 1

    def evaluated(self) -> None:
        with self.lock:
            self.judgements += 1

    def checked_object(self) -> None:
        with self.lock:
            self.objects += 1


@dataclass
class World:
    """Accounts, each with the places of its Regions."""

    places: dict[str, FakeListing] = field(default_factory=lambda: {REGION: FakeListing(GOOD)})
    objects: FakeObjects = field(default_factory=FakeObjects)
    keys: FakeKeys = field(default_factory=FakeKeys)
    roles: FakeRoles = field(default_factory=FakeRoles)
    steps: FakeClusters = field(default_factory=FakeClusters)
    buckets: FakeBuckets = field(default_factory=FakeBuckets)
    refused: dict[str | None, str] = field(default_factory=dict)
    regions_refused: str | None = None
    stopped: Event = field(default_factory=Event)
    progress: Seen = field(default_factory=Seen)

    def account_id(self) -> str | None:
        return ACCOUNT

    def enabled_regions(self) -> tuple[str, ...]:
        if self.regions_refused:
            raise NotReadableError(self.regions_refused)
        return tuple(self.places)

    def place(self, region: str) -> RegionAccess:
        if region not in self.places:
            message = f"there is no {region}"
            raise NotReadableError(message)
        return RegionAccess(
            self.places[region],
            ReadClusterFacts(
                self.keys,
                roles=self.roles,
                workloads=self.steps,
                bucket_owners=self.buckets,
            ),
            self.objects,
            self.steps,
        )

    def open(self, role: str | None) -> "World":
        if role in self.refused:
            raise NotReadableError(self.refused[role])
        return self

    def audit(self, scope: AuditScope | None = None, **changes: Any) -> AuditReport:  # noqa: ANN401
        chosen = replace(scope or AuditScope(Policy(), (REGION,), only=SOUND), **changes)
        self.stopped.clear()
        return Audit(
            open_account=self.open,
            scope=chosen,
            clock=lambda: NOW,
            runbook=lambda rule_id: f"runbooks/{rule_id}",
            api_calls=lambda: {"elasticmapreduce:ListClusters": 1},
            progress=self.progress,
            stopped=self.stopped,
        )()


def compliance(report: AuditReport) -> dict[str, Compliance]:
    return {each.cluster.id: each.compliance for each in report.clusters}


def verdicts(report: AuditReport) -> dict[str, Compliance]:
    [only] = report.clusters
    return {finding.rule_id: finding.compliance for finding in only.findings}


def test_audit_compares_objects_with_the_approved_keys_and_stores_no_alias_targets() -> None:
    aliased = named("j-ALIASED01", log_key_identifier="alias/emr-logs")
    world = World({REGION: FakeListing(aliased)})
    world.keys.facts = {each.arn: each for each in (KEY, ANOTHER_KEY)} | {"alias/emr-logs": KEY}
    log = f"emr/{aliased.id}/node/i-1/a.gz"
    world.objects = FakeObjects([log], {log: encrypted("aws:kms", ANOTHER_KEY.arn)})
    rules = frozenset({"EMRLOG-006", "EMRLOG-103"})

    report = world.audit(AuditScope(Policy(), (REGION,), only=rules, objects=True))
    assert verdicts(report)["EMRLOG-103"] is Compliance.NON_COMPLIANT  # its former key, perhaps

    policy = Policy(approved_keys=(KEY.arn, "alias/gone"))
    world.places = {REGION: FakeListing(replace(aliased, log_key_identifier=None))}
    report = world.audit(AuditScope(policy, (REGION,), only=rules, objects=True))
    assert verdicts(report)["EMRLOG-103"] is Compliance.INSUFFICIENT_DATA

    policy = Policy(approved_keys=(KEY.arn,))
    report = world.audit(AuditScope(policy, (REGION,), only=rules, objects=True))
    assert verdicts(report)["EMRLOG-103"] is Compliance.NON_COMPLIANT


def test_every_listed_cluster_is_evaluated() -> None:
    world = World({REGION: FakeListing(GOOD, KEYLESS)})

    report = world.audit()

    assert compliance(report) == {
        GOOD.id: Compliance.COMPLIANT,
        KEYLESS.id: Compliance.NON_COMPLIANT,
    }
    assert report.exit_status is ExitStatus.NON_COMPLIANT
    assert [(p.region, p.account, p.listed, p.problem) for p in report.places] == [
        (REGION, ACCOUNT, 2, None)
    ]
    assert world.places[REGION].states == [ACTIVE]
    assert (world.progress.clusters, world.progress.judgements) == (2, 2)


def test_requested_states_are_passed_to_the_listing() -> None:
    world = World()

    world.audit(states=("TERMINATED",))

    assert world.places[REGION].states == [("TERMINATED",)]


def test_account_without_clusters_is_compliant_and_named() -> None:
    report = World({REGION: FakeListing()}).audit()

    assert report.exit_status is ExitStatus.COMPLIANT
    assert report.places[0].account == ACCOUNT


def test_unreadable_region_does_not_stop_the_others() -> None:
    places = {REGION: FakeListing(failure=DENIED), OTHER_REGION: FakeListing(GOOD)}

    report = World(places).audit(regions=(REGION, OTHER_REGION))

    assert compliance(report) == {GOOD.id: Compliance.COMPLIANT}
    assert report.problems == (f"{REGION}: {DENIED}",)
    assert report.exit_status is ExitStatus.UNDETERMINED


def test_region_without_a_client_does_not_stop_the_others() -> None:
    report = World().audit(regions=("eu west", REGION))

    assert compliance(report) == {GOOD.id: Compliance.COMPLIANT}
    assert report.problems == ("eu west: there is no eu west",)


def test_clusters_listed_before_a_failure_are_evaluated() -> None:
    report = World({REGION: FakeListing(KEYLESS, failure=DENIED)}).audit()

    assert compliance(report) == {KEYLESS.id: Compliance.NON_COMPLIANT}
    assert report.problems


def test_audit_without_any_access_exits_with_no_access() -> None:
    assert World({REGION: FakeListing(failure=DENIED)}).audit().exit_status is ExitStatus.NO_ACCESS


def test_a_role_that_cannot_be_assumed_is_reported_for_each_region() -> None:
    refused = f"sts:AssumeRole on {ROLE} answered AccessDenied"
    world = World(refused={ROLE: refused})

    report = world.audit(role_arns=(None, ROLE, ROLE))

    assert compliance(report) == {GOOD.id: Compliance.COMPLIANT}
    assert report.problems == (f"{REGION} as {ROLE}: {refused}",)


def test_all_enabled_regions_are_audited_when_none_is_named() -> None:
    other = replace(KEYLESS, arn=KEYLESS.arn.replace(REGION, OTHER_REGION))
    world = World({REGION: FakeListing(GOOD), OTHER_REGION: FakeListing(other)})

    report = world.audit(regions=None)

    assert set(compliance(report)) == {GOOD.id, KEYLESS.id}
    assert {place.region for place in report.places} == {REGION, OTHER_REGION}


def test_unlistable_regions_are_reported() -> None:
    report = World(regions_refused="ec2:DescribeRegions answered Denied").audit(regions=None)

    assert report.problems == (f"{ALL_REGIONS}: ec2:DescribeRegions answered Denied",)
    assert report.exit_status is ExitStatus.NO_ACCESS


def test_a_cluster_that_cannot_be_described_is_undetermined() -> None:
    world = World({REGION: FakeListing(GOOD, KEYLESS, named("j-VANISHED1"))})
    denied = Unresolved("elasticmapreduce:DescribeCluster on it answered AccessDeniedException")
    world.places[REGION].answers = {
        GOOD.id: denied,
        "j-VANISHED1": ClusterNotFoundError("Cluster id 'j-VANISHED1' is not valid."),
    }

    report = world.audit()

    assert compliance(report) == {
        GOOD.id: Compliance.INSUFFICIENT_DATA,
        KEYLESS.id: Compliance.NON_COMPLIANT,
        "j-VANISHED1": Compliance.INSUFFICIENT_DATA,
    }
    reasons = {each.cluster.id: each.unresolved for each in report.clusters}
    assert reasons[GOOD.id] == (denied.reason,)
    assert "is not valid" in reasons["j-VANISHED1"][0]


def test_named_clusters_are_found_in_any_region() -> None:
    other = replace(GOOD, arn=GOOD.arn.replace(REGION, OTHER_REGION), state="TERMINATED")
    world = World({REGION: FakeListing(KEYLESS), OTHER_REGION: FakeListing(other)})

    report = world.audit(
        regions=(REGION, OTHER_REGION),
        cluster_ids=(GOOD.id, "j-NOWHERE01"),
        only=frozenset({"EMRLOG-002"}),
    )

    assert compliance(report) == {GOOD.id: Compliance.COMPLIANT}
    assert report.missing == ("j-NOWHERE01",)
    assert report.exit_status is ExitStatus.UNDETERMINED
    assert world.places[REGION].states == []
    assert world.places[OTHER_REGION].asked == [GOOD.id, "j-NOWHERE01"]


def test_named_cluster_that_cannot_be_described_is_a_problem_of_its_region() -> None:
    world = World()
    world.places[REGION].answers[GOOD.id] = Unresolved(DENIED)

    assert world.audit(cluster_ids=(GOOD.id,)).problems[0] == f"{REGION}: {DENIED}"


def test_only_facts_needed_by_the_selected_rules_are_read() -> None:
    world = World({REGION: FakeListing(GOOD)})

    report = world.audit(only=frozenset({"EMRLOG-001", "EMRLOG-002", "EMRLOG-003"}))
    assert verdicts(report) == dict.fromkeys(report.rules, Compliance.COMPLIANT)
    assert (world.keys.asked, world.roles.asked, world.steps.steps_asked) == ([], [], [])

    world.audit(only=frozenset({"EMRLOG-004"}))
    assert (world.keys.asked, world.roles.asked, world.steps.steps_asked) == ([KEY.arn], [], [])

    world.audit(only=frozenset(), skipped=frozenset({"EMRLOG-007"}))
    assert (world.roles.asked, world.steps.steps_asked) == ([], [GOOD.id])

    world.audit(only=frozenset())
    assert world.roles.asked


def test_fix_names_the_approved_key_although_no_rule_reads_keys() -> None:
    world = World({REGION: FakeListing(a_cluster(log_key_identifier=None))})
    policy = Policy(approved_keys=(KEY.arn,))

    report = world.audit(AuditScope(policy, (REGION,), only=frozenset({"EMRLOG-002"})))

    (finding,) = report.clusters[0].findings
    assert KEY.arn in finding.remediation
    assert world.keys.asked == []


def test_rules_not_evaluated_are_reported_with_the_reason() -> None:
    policy = Policy(rules={"EMRLOG-001": RuleSettings(enabled=False)})
    scope = AuditScope(policy, (REGION,), skipped=frozenset({"EMRLOG-008"}))

    report = World().audit(scope)

    assert {rule.id: rule.reason for rule in report.not_evaluated} == {
        "EMRLOG-001": "disabled by the policy",
        "EMRLOG-008": "excluded by --rule or --skip-rule",
        "EMRLOG-009": "needs the deployed stack",
        "EMRLOG-011": "disabled by the policy",
        "EMRLOG-012": "disabled by the policy",
        "EMRLOG-101": "needs --objects",
        "EMRLOG-102": "needs --objects",
        "EMRLOG-103": "needs --objects",
        "EMRLOG-201": "needs the deployed stack",
    }
    assert set(verdicts(report)) == set(report.rules)


def test_exempt_findings_do_not_count() -> None:
    world = World({REGION: FakeListing(KEYLESS)})
    policy = Policy(
        exemptions=(
            replace(an_exemption(), cluster=replace(an_exemption().cluster, id=KEYLESS.id)),
        )
    )

    report = world.audit(policy=policy)

    assert {finding.status for finding in report.clusters[0].findings} == {Status.EXEMPT}
    assert report.exit_status is ExitStatus.COMPLIANT


LOG = f"emr/{GOOD.id}/node/i-1/daemon.gz"


def logs(count: int) -> list[str]:
    return [f"emr/{GOOD.id}/node/i-{number}/daemon.gz" for number in range(count)]


def test_log_objects_in_the_folder_of_the_cluster_are_listed_and_evaluated() -> None:
    heads = {LOG: encrypted("AES256")}
    world = World(objects=FakeObjects([*logs(1000)], heads))
    since = datetime(2026, 3, 1, tzinfo=UTC)

    report = world.audit(only=SOUND | {"EMRLOG-101"}, objects=True, since=since)

    assert world.objects.listed == [("example-logs", f"emr/{GOOD.id}/", since)]
    assert verdicts(report)["EMRLOG-101"] is Compliance.NON_COMPLIANT
    assert world.objects.owners == {ACCOUNT}
    assert report.clusters[0].objects == world.progress.objects == 1000
    assert report.rules[-1] == "EMRLOG-101"


class Endless(FakeObjects):
    """A prefix with too many objects to hold in memory."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size

    def below(
        self, bucket: str, prefix: str, since: datetime | None, owner: str | None = None
    ) -> Iterator[ObjectVersion]:
        assert since is None
        self.owners.add(owner)
        for number in range(self.size):
            yield ObjectVersion(bucket, f"{prefix}node/i-1/application-{number:08}.gz")

    def encryption(self, version: ObjectVersion, owner: str | None = None) -> Encryption:
        assert version.version_id is None
        assert owner == ACCOUNT
        return encrypted("AES256")


@pytest.mark.parametrize(
    ("objects", "sample", "checked"), [(100_000, 50, 50), (10_000, None, 10_000)]
)
def test_memory_does_not_grow_with_the_number_of_objects(
    objects: int, sample: int | None, checked: int
) -> None:
    world = World(objects=Endless(objects))
    scope = AuditScope(
        Policy(), (REGION,), only=frozenset({"EMRLOG-101"}), objects=True, sample=sample
    )
    world.audit(replace(scope, cluster_ids=("j-NONE",)))  # what is imported and cached only once

    tracemalloc.start()
    report = world.audit(scope)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert report.clusters[0].objects == checked
    [found] = [f for f in report.clusters[0].findings if f.rule_id == "EMRLOG-101"]
    assert found.occurrences == checked
    assert peak < 1_000_000  # bytes; the keys alone of 10,000 objects have more


def test_deleted_object_is_left_out() -> None:
    report = World(objects=FakeObjects([LOG], {LOG: NOT_FOUND})).audit(
        only=SOUND | {"EMRLOG-101"}, objects=True
    )

    assert report.clusters[0].objects == 0
    assert "EMRLOG-101" not in verdicts(report)
    assert report.exit_status is ExitStatus.COMPLIANT


def test_objects_that_cannot_be_listed_leave_the_cluster_undetermined() -> None:
    failure = "s3:ListBucket on s3://example-logs/emr/ answered NoSuchBucket"
    report = World(objects=FakeObjects([LOG], failure=failure)).audit(
        only=SOUND | {"EMRLOG-101"}, objects=True
    )

    assert report.clusters[0].unresolved == (failure,)
    assert report.clusters[0].objects == 1
    assert report.exit_status is ExitStatus.UNDETERMINED


@pytest.mark.parametrize(
    ("log_uri", "unresolved"),
    [(None, ()), ("hdfs:///logs", ("the log URI 'hdfs:///logs' is not an S3 URI",))],
)
def test_no_objects_are_listed_for_a_cluster_without_a_usable_log_uri(
    log_uri: str | None, unresolved: tuple[str, ...]
) -> None:
    world = World({REGION: FakeListing(replace(GOOD, log_uri=log_uri))})

    report = world.audit(only=frozenset({"EMRLOG-004", "EMRLOG-101"}), objects=True)

    assert world.objects.listed == []
    assert report.clusters[0].unresolved == unresolved


def test_sample_is_taken_from_all_objects(monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = random.Random(7)  # noqa: S311 - the same sample every time
    monkeypatch.setattr(random, "randrange", chosen.randrange)
    world = World(objects=FakeObjects(logs(500)))

    report = world.audit(only=SOUND | {"EMRLOG-101"}, objects=True, sample=20)

    heads = {version.key for version in world.objects.asked}
    assert report.clusters[0].objects == len(heads) == 20
    assert not heads <= set(logs(100))


@pytest.mark.parametrize("sample", [None, 1])
def test_large_buckets_are_counted_by_listed_objects_with_or_without_a_sample(
    sample: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_objects, "LARGE_BUCKET", 6)
    world = World({REGION: FakeListing(GOOD, KEYLESS)}, objects=FakeObjects(logs(3)))

    report = world.audit(only=SOUND | {"EMRLOG-101"}, objects=True, sample=sample)

    [advice] = report.advice
    assert advice.startswith("6 log objects were listed in example-logs: ")
    one = world.audit(objects=True, only=SOUND | {"EMRLOG-101"}, cluster_ids=(GOOD.id,))
    assert one.advice == ()


def test_sample_larger_than_the_number_of_objects_contains_all() -> None:
    report = World(objects=FakeObjects(logs(3))).audit(
        only=SOUND | {"EMRLOG-101"}, objects=True, sample=20
    )

    assert report.clusters[0].objects == 3


def interrupting(world: World) -> Callable[[str], Cluster]:
    """Press Ctrl-C while a cluster is read; the next read stops."""
    main = threading.main_thread()

    def read(cluster_id: str) -> Cluster:
        if cluster_id == GOOD.id:
            return GOOD
        assert main.ident is not None
        signal.pthread_kill(main.ident, signal.SIGINT)
        assert world.stopped.wait(10)
        raise AuditStoppedError

    return read


def test_interrupted_audit_returns_a_partial_report(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World({REGION: FakeListing(GOOD, KEYLESS)})
    monkeypatch.setattr(world.places[REGION], "read", interrupting(world))

    report = world.audit(threads=1)

    assert report.interrupted
    assert compliance(report) == {GOOD.id: Compliance.COMPLIANT}
    assert "1 of 2 clusters" in report.problems[0]
    assert report.exit_status is ExitStatus.UNDETERMINED
    assert world.stopped.is_set()
