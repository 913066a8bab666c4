"""Between evaluating and notifying: what is new, and who notifies of it."""

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from time import sleep
from uuid import uuid4

from emr_log_guard.domain.clusters import Cluster
from emr_log_guard.domain.decide import (
    Action,
    Alert,
    AlertKind,
    CallOffEnforcement,
    RequestEnforcement,
    ScheduleEnforcement,
)
from emr_log_guard.domain.decisions import Decision, grounds_of
from emr_log_guard.domain.findings import Status
from emr_log_guard.domain.ledger import (
    RETENTION,
    Claim,
    Entry,
    Kind,
    Known,
    Memory,
    RuleResult,
    ended,
    enter,
    transition,
    worth_writing,
)
from emr_log_guard.domain.news import News, Situation, news, told_of
from emr_log_guard.domain.policy import Policy
from emr_log_guard.domain.termination import (
    Stage,
    Termination,
    on_cancelled,
    on_request,
    on_request_failed,
    on_scheduled,
    on_scheduling,
)
from emr_log_guard.errors import (
    AlertNotAcceptedError,
    AlertUnderWayError,
    LedgerConflictError,
    StalePolicyError,
)
from emr_log_guard.observability import logger, record_actions
from emr_log_guard.rules import ALL_RULES
from emr_log_guard.rules.evaluation import enabled_rules
from emr_log_guard.usecases.act import Act
from emr_log_guard.usecases.ports import Ledger, PolicyInForce

ATTEMPTS = 12
"""How often a write that somebody else forestalled is made again from what they wrote."""
WAITS = 5
"""How often, a second apart, it is looked whether another invocation has told."""


@dataclass(frozen=True, slots=True)
class CheckResult:
    """All that one check found out about one cluster."""

    cluster_id: str
    cluster: Cluster | None
    """As it was just read, or as it is remembered; None when EMR does not know it here."""
    sightings: Sequence[RuleResult] = ()
    known: Known | None = None
    """What there is to remember of the cluster; None when nothing new was read of it."""
    over: bool = False
    """Whether the cluster was seen to be gone: that resolves what was found of it."""
    since: datetime | None = None
    """When it happened, UTC, what the check was made for; None when no event told."""


@dataclass(frozen=True, slots=True)
class KeepLedger:
    """Writes down what a judgement changed, tells what people do not know, writes that down.

    Whoever dies on the way leaves an entry whose alert is owed; for CLAIM it is left to them, for
    they may only be slow. Then whoever comes next, the retry first of all, tells.
    """

    ledger: Ledger
    act: Act
    clock: Callable[[], datetime]
    by: str
    """The function whose decisions these are."""
    wait: Callable[[float], None] = sleep
    policy: PolicyInForce | None = None
    """Read again before a termination is announced; None where none can be."""

    def __call__(
        self, judged: CheckResult, policy: Policy, memory: Memory | None = None
    ) -> tuple[Action, ...]:
        """Enter a judgement, tell, and have the cluster ended, now or later, where that is due.

        Args:
            judged: What was found out.
            policy: What security wants.
            memory: What the ledger holds, if it was read a moment ago.

        Returns:
            What was done.

        Raises:
            AlertUnderWayError: Something is owed that another invocation is about to tell; to be
                tried again, for it may have died.
            LedgerConflictError: Too many others wrote at once; to be tried again.
            StalePolicyError: A policy that was stored later has decided about the cluster, or would
                decide about its termination; to be evaluated again under the policy as it is now.

        """
        owner = uuid4().hex
        written: set[str] = set()
        for _ in range(ATTEMPTS):
            held = memory if memory is not None else self.ledger.read(judged.cluster_id)
            memory = None
            if held.decided_under_newer(policy):
                message = f"a newer policy than version {policy.version} decided about the cluster"
                raise StalePolicyError(message)
            try:
                fresh = self._enter(judged, policy, held, owner, written)
                break
            except LedgerConflictError:
                continue
        else:
            message = f"the ledger of {judged.cluster_id} is written to by too many at once"
            raise LedgerConflictError(message)
        if fresh.actions:
            self._record(judged, fresh, policy, owner)
        alerts = [action for action in fresh.actions if isinstance(action, Alert)]
        others = [action for action in fresh.actions if not isinstance(action, Alert)]
        self._tell(judged.cluster_id, fresh, alerts, policy, owner)
        announced = {finding.rule_id for alert in alerts for finding in alert.findings}
        for action in others:
            self._hand_on(judged.cluster_id, action, fresh, policy, announced)
        record_actions(fresh.actions, self.clock() - judged.since if judged.since else None)
        if fresh.theirs and self._still_claimed(judged.cluster_id, fresh.theirs, owner):
            message = f"another invocation is about to tell of {', '.join(sorted(fresh.theirs))}"
            raise AlertUnderWayError(message)
        return fresh.actions

    def _enter(
        self, judged: CheckResult, policy: Policy, memory: Memory, owner: str, written: set[str]
    ) -> News:
        """Write down what changed, claims included."""
        before, now = memory.entries, self.clock()
        self._remember(judged, memory, now)
        # What was written before somebody forestalled the rest must not be counted twice.
        cluster = _as_known(judged.cluster, memory.known)
        after = _entered(before, replace(judged, cluster=cluster), policy, written, now)
        fresh = news(Situation(after, cluster, policy, now, memory.termination), owner)
        self._is_current(policy, fresh)
        entries = dict(fresh.entries)
        for rule_id, entry in fresh.entries.items():
            known = before.get(rule_id)
            if worth_writing(known, entry):
                entries[rule_id] = self.ledger.write(_under(entry, policy))
                written.add(rule_id)
                _log(known, entry)
        return replace(fresh, entries=entries)

    def _is_current(self, policy: Policy, fresh: News) -> None:
        """See that no policy that was read a moment ago announces a termination."""
        announced = any(
            isinstance(a, RequestEnforcement | ScheduleEnforcement) for a in fresh.actions
        )
        if announced and self.policy is not None and self.policy(afresh=True) != policy:
            message = f"the policy has changed since version {policy.version} was read"
            raise StalePolicyError(message)

    def _remember(self, judged: CheckResult, memory: Memory, now: datetime) -> None:
        if judged.known is None:
            return
        known = judged.known.merged_into(memory.known)
        if known.cluster.gone and known.expires is None:
            known = replace(known, expires=now + RETENTION)
        if known.says_more_than(memory.known):
            self.ledger.remember(known, memory.known)

    def _record(self, judged: CheckResult, fresh: News, policy: Policy, owner: str) -> None:
        """Write down the decision before it is acted on."""
        standing = [entry.finding for entry in fresh.entries.values() if entry.open]
        told = [f for a in fresh.actions if isinstance(a, Alert) for f in a.findings]
        self.ledger.record(
            Decision(
                cluster_id=judged.cluster_id,
                at=self.clock(),
                by=self.by,
                invocation=owner,
                cluster_state=judged.cluster.state if judged.cluster else None,
                mode=policy.mode,
                policy_version=policy.version,
                decided=tuple(map(_in_words, fresh.actions)),
                grounds=grounds_of({f.rule_id: f for f in (*told, *standing)}.values()),
            )
        )

    def _still_claimed(self, cluster_id: str, theirs: Collection[str], owner: str) -> bool:
        """Give whoever is about to tell a few seconds, which is plenty unless it died."""
        for _ in range(WAITS):
            self.wait(1)
            entries = self.ledger.read(cluster_id).entries
            claims = [entries[rule_id].claim for rule_id in theirs]
            if not any(claim and claim.owner != owner for claim in claims):
                return False
        return True

    def _tell(
        self, cluster_id: str, fresh: News, alerts: Sequence[Alert], policy: Policy, owner: str
    ) -> None:
        """Publish alerts, and write down at once which of them were accepted.

        What was refused is given back, so that the next try need not wait. Where SNS did not answer
        it may have accepted: then it is left for CLAIM to whoever is trying.
        """
        accepted: defaultdict[str, list[AlertKind]] = defaultdict(list)
        try:
            for alert in alerts:
                self.act.publish(alert)
                for finding in alert.findings:
                    accepted[finding.rule_id].append(alert.kind)
        except AlertNotAcceptedError:
            for rule_id, former in fresh.former_claims.items():
                if rule_id not in accepted:
                    given_back = partial(_released, owner=owner, former=former)
                    note(self.ledger, fresh.entries[rule_id], given_back)
            raise
        finally:
            now = self.clock()
            for rule_id, kinds in accepted.items():
                self._note(fresh.entries[rule_id], kinds, policy, now, owner)
        ours = fresh.termination
        if ours is not None and any(a.kind is AlertKind.ENFORCEMENT_DONE for a in alerts):
            account(self.ledger, cluster_id, lambda now_: replace(now_ or ours, stage=Stage.DONE))

    def _note(
        self,
        entry: Entry,
        kinds: Sequence[AlertKind],
        policy: Policy,
        now: datetime,
        owner: str,
    ) -> None:
        """Note what was told of an entry, whatever others have made of it since."""
        word = told_of(entry, kinds, now)

        def noted(current: Entry) -> Entry:
            return replace(
                _released(current, owner),
                told=word.told,
                notifications=max(current.notifications, word.notifications),
                ever_told=True,
                end_notified=word.end_notified,
                pending_since=None,
                decided_under=_under(current, policy).decided_under,
            )

        note(self.ledger, entry, noted)

    def _hand_on(
        self,
        cluster_id: str,
        action: RequestEnforcement | ScheduleEnforcement | CallOffEnforcement,
        fresh: News,
        policy: Policy,
        announced: Collection[str],
    ) -> None:
        """Request, schedule or cancel a termination; what begins is written down before it does.

        Who dies on the way leaves an account from which the next check goes on.
        """
        now = self.clock()
        begun = Termination(
            cluster_id=cluster_id,
            stage=Stage.SCHEDULING,
            at=now,
            rules=fresh.grounds,
            policy_version=policy.version,
        )
        anew = any(rule_id in announced for rule_id in fresh.grounds)
        match action:
            case RequestEnforcement(verify=True):
                self.act.hand_on(action)
            case RequestEnforcement():
                if fresh.termination is not None and fresh.termination.scheduled:
                    self.act.hand_on(CallOffEnforcement(action.cluster_arn))
                account(
                    self.ledger, cluster_id, lambda now_: on_request(now_, begun, announced=anew)
                )
                sent = False
                try:
                    self.act.hand_on(action)
                    sent = True
                finally:
                    if not sent:  # so it does not keep the next check from asking
                        account(
                            self.ledger, cluster_id, lambda now_: on_request_failed(now_, begun)
                        )
            case ScheduleEnforcement(at=at):
                intent = replace(begun, due=at)
                account(
                    self.ledger,
                    cluster_id,
                    lambda now_: on_scheduling(now_, intent, announced=anew),
                )
                self.act.hand_on(action)
                stands = account(self.ledger, cluster_id, lambda now_: on_scheduled(now_, intent))
                if not stands.scheduled and not stands.under_way:  # cancelled meanwhile
                    self.act.hand_on(CallOffEnforcement(action.request.cluster_arn))
            case CallOffEnforcement():
                self.act.hand_on(action)
                account(self.ledger, cluster_id, lambda now_: on_cancelled(now_, begun))


def _under(entry: Entry, policy: Policy) -> Entry:
    """Note under which policy an entry was decided."""
    if policy.stored_at is None:
        return entry
    stored_at = max(policy.stored_at, entry.decided_under or policy.stored_at)
    return replace(entry, decided_under=stored_at)


def _released(entry: Entry, owner: str, former: Claim | None = None) -> Entry:
    """Give back what its owner took upon itself."""
    mine = entry.claim is not None and entry.claim.owner == owner
    return replace(entry, claim=former) if mine else entry


def account(
    ledger: Ledger, cluster_id: str, change: Callable[[Termination | None], Termination]
) -> Termination:
    """Change the account of a cluster's termination, whatever others have made of it since.

    Returns:
        The account as it stands now.

    Raises:
        LedgerConflictError: Too many others wrote at once.

    """
    for _ in range(ATTEMPTS):
        current = ledger.read(cluster_id).termination
        changed = change(current)
        if changed == current:
            return changed
        try:
            return ledger.write_termination(changed)
        except LedgerConflictError:
            continue
    message = f"the account of the termination of {cluster_id} could not be written"
    raise LedgerConflictError(message)


def note(ledger: Ledger, entry: Entry, change: Callable[[Entry], Entry]) -> None:
    """Change an entry, whatever others have made of it since it was read.

    Raises:
        LedgerConflictError: Too many others wrote at once.

    """
    current = entry
    for _ in range(ATTEMPTS):
        try:
            ledger.write(change(current))
        except LedgerConflictError:
            current = ledger.read(entry.finding.cluster_id).entries[entry.finding.rule_id]
            continue
        return
    message = f"what became of {entry.finding.id} could not be written down"
    raise LedgerConflictError(message)


def _entered(
    before: Mapping[str, Entry],
    judged: CheckResult,
    policy: Policy,
    written: Collection[str],
    now: datetime,
) -> dict[str, Entry]:
    """Enter each judgement; a cluster that is gone has its findings resolved by that."""
    if judged.over:
        return {rule_id: ended(entry, now) for rule_id, entry in before.items()}
    after = dict(before)
    for seen in judged.sightings:
        rule_id = seen.finding.rule_id
        entry = None if rule_id in written else enter(after.get(rule_id), seen, policy.enforcement)
        if entry is not None:
            after[rule_id] = entry
    if judged.cluster is not None and judged.cluster.gone:
        after |= {r: ended(e, now) for r, e in after.items() if e.kind is Kind.LOG_OBJECTS}
    judged_by = {rule.id for rule in enabled_rules(ALL_RULES, policy)}
    switched_off = [e for rule_id, e in after.items() if e.open and rule_id not in judged_by]
    return after | {each.finding.rule_id: _switched_off(each, now) for each in switched_off}


def _as_known(cluster: Cluster | None, known: Known | None) -> Cluster | None:
    """Take a cluster that is remembered as running for gone where the record knows of its end."""
    if cluster is None or known is None or not known.cluster.gone:
        return cluster
    return replace(cluster, state=known.cluster.state)


def _switched_off(entry: Entry, now: datetime) -> Entry:
    """Resolve what the policy no longer judges by."""
    finding = replace(entry.finding, status=Status.RESOLVED, deadline=None)
    return replace(entry, finding=finding, judged_at=now, expires=now + RETENTION)


def _in_words(action: Action) -> str:
    match action:
        case Alert():
            rules = ", ".join(finding.rule_id for finding in action.findings)
            return f"tell {action.kind} of {rules}: {action.next_step}"
        case RequestEnforcement():
            return "have it looked at again and terminated now"
        case ScheduleEnforcement():
            return f"have it looked at again and terminated at {action.at:%Y-%m-%d %H:%M:%S} UTC"
        case CallOffEnforcement():
            return "call its termination off"


def _log(before: Entry | None, after: Entry) -> None:
    change = transition(before, after)
    if change is not None and (before is None or before.open is not after.open):
        finding = after.finding
        logger.info(
            "finding changed",
            transition=change,
            cluster_id=finding.cluster_id,
            rule_id=finding.rule_id,
            compliance=finding.compliance,
        )
