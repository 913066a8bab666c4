"""Random events, repeats, reordering and crashes against the repository and a simple model."""

from contextlib import suppress
from datetime import datetime, timedelta

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from emr_log_guard.domain.compliance import Compliance, Mode
from emr_log_guard.domain.decide import Alert
from emr_log_guard.domain.finding_record import (
    LEASE,
    SKEW,
    ClusterSnapshot,
    FindingRecord,
    Kind,
    RuleResult,
)
from emr_log_guard.domain.notification_plan import Situation, pending_alerts
from emr_log_guard.errors import AlertInProgressError, AlertNotAcceptedError
from emr_log_guard.usecases.findings import CheckResult
from tests.histories import histories
from tests.unit.builders import CLUSTER_ID, NOW, a_cluster, a_finding, a_policy
from tests.unit.usecases.world import World

VERDICTS = st.sampled_from(Compliance)
LAGS = st.integers(0, 20)
BAD = (Compliance.NON_COMPLIANT, Compliance.INSUFFICIENT_DATA)


class CrashError(BaseException):
    """The function dies."""


class Model:
    """One finding, as anybody would say that it stands."""

    def __init__(self) -> None:
        self.open: bool | None = None
        self.at = NOW
        self.proven = False
        self.over = False

    def evaluate(self, verdict: Compliance, at: datetime) -> None:
        proven = verdict is Compliance.NON_COMPLIANT
        if verdict in BAD:
            if self.open is None:
                self.open, self.at, self.proven = True, at, proven
            elif not self.open and not self.over and at >= self.at - SKEW:
                self.open, self.at, self.proven = True, max(self.at, at), proven
            elif self.open:
                self.proven = self.proven or proven
        elif self.open and at > self.at + SKEW:
            self.open, self.at = False, at

    def end(self, at: datetime) -> None:
        if self.open is not None and not self.over:
            self.over = True
            if self.open:
                self.open, self.at = False, max(self.at, at)


class FindingRepository(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.world = World(policy=a_policy(Mode.ALERT))
        self.world.repository.write_snapshot(ClusterSnapshot(a_cluster()), None)
        self.model = Model()
        self.last_notified: list[tuple[datetime, Alert]] = []
        self.crash = ""
        self.world.alerts.publish = self.publish  # type: ignore[method-assign]

    def publish(self, alert: Alert) -> None:
        crash, self.crash = self.crash, ""
        if crash == "refused":
            message = "SNS refuses"
            raise AlertNotAcceptedError(message)
        if crash != "after write":
            self.last_notified.append((self.world.now, alert))
        if crash:
            raise CrashError

    def check(self, verdict: Compliance, at: datetime, state: str = "RUNNING") -> None:
        finding = a_finding(compliance=verdict)
        cluster = a_cluster(state=state)
        over = cluster.terminated
        results = () if over else (RuleResult(finding, Kind.CLUSTER, at),)
        result = CheckResult(CLUSTER_ID, cluster, results, over=over)
        # Lambda tries again: any later check may be that.
        with suppress(AlertInProgressError, AlertNotAcceptedError, CrashError):
            self.world.record(result, self.world.policy)

    @property
    def record(self) -> FindingRecord | None:
        return self.world.records.get("EMRLOG-002")

    def written_down(self) -> None:
        """Take from the repository which of several faults was the last to be written down."""
        if self.record and self.record.open:
            self.model.at = self.record.evaluated_at

    @rule(verdict=VERDICTS, lag=LAGS, times=st.integers(1, 3))
    def event(self, verdict: Compliance, lag: int, times: int) -> None:
        at = self.world.now - timedelta(seconds=lag)
        for _ in range(times):
            self.check(verdict, at)
            self.model.evaluate(verdict, at)
            self.written_down()

    @rule(verdict=VERDICTS, rival=VERDICTS, lag=LAGS, rival_lag=LAGS)
    def two_at_once(self, verdict: Compliance, rival: Compliance, lag: int, rival_lag: int) -> None:
        at, rival_at = (self.world.now - timedelta(seconds=n) for n in (lag, rival_lag))

        def other() -> None:
            self.check(rival, rival_at)
            self.model.evaluate(rival, rival_at)
            self.written_down()

        self.world.table.before_put.append(other)
        self.check(verdict, at)
        self.world.table.before_put.clear()
        self.model.evaluate(verdict, at)
        self.written_down()

    @rule(verdict=VERDICTS, crash=st.sampled_from(["after write", "after publish", "refused"]))
    def dies(self, verdict: Compliance, crash: str) -> None:
        self.crash = crash
        self.event(verdict, 0, 1)
        self.crash = ""

    @rule(seconds=st.sampled_from([1, 4, 60, 149, 151, 301, 3600, 90_000]))
    def time_passes(self, seconds: int) -> None:
        self.world.now += timedelta(seconds=seconds)

    @rule(lag=LAGS)
    def ends(self, lag: int) -> None:
        at = self.world.now - timedelta(seconds=lag)
        self.check(Compliance.COMPLIANT, at, "TERMINATED")
        self.model.end(at)

    @invariant()
    def what_stands_is_what_the_model_says(self) -> None:
        record = self.record
        assert (record and record.open) is self.model.open
        if record and record.open:
            proven = record.finding.compliance is Compliance.NON_COMPLIANT
            assert proven is self.model.proven

    @invariant()
    def nobody_is_told_the_same_twice_within_the_window(self) -> None:
        for (before, first), (after, second) in zip(
            self.last_notified, self.last_notified[1:], strict=False
        ):
            same = (first.kind, first.findings[0].compliance) == (
                second.kind,
                second.findings[0].compliance,
            )
            assert not same or after - before >= LEASE

    def teardown(self) -> None:
        """No alert is lost: once the lease is over, one more check of any kind alerts."""
        self.world.now += LEASE
        self.event(Compliance.NON_COMPLIANT, 0, 1)
        record = self.world.records["EMRLOG-002"]
        shown = record.finding if record.open else None
        situation = Situation(self.world.records, None, self.world.policy, self.world.now)
        assert pending_alerts(record, shown, situation) == ()
        if self.model.open:
            assert self.last_notified[-1][1].kind != "finding.resolved"
        elif self.last_notified:
            assert self.last_notified[-1][1].kind == "finding.resolved"


FindingRepository.TestCase.settings = histories(75, 25)
TestFindingRepository = FindingRepository.TestCase
