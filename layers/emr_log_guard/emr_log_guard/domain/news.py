"""What is news: what people were told of each finding, held against what stands.

An alert is owed for as long as the two differ: nothing is lost when a function dies between
writing and telling, for whoever comes next sees the difference. docs/adr/0010-the-ledger.md
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import chain

from emr_log_guard.domain.clusters import Cluster
from emr_log_guard.domain.compliance import Mode
from emr_log_guard.domain.decide import (
    Action,
    Alert,
    AlertKind,
    CallOffEnforcement,
    NextStep,
    RequestEnforcement,
    ScheduleEnforcement,
    decide,
    exempted,
    grounds,
)
from emr_log_guard.domain.findings import Finding, Status
from emr_log_guard.domain.ledger import CLAIM, Claim, Entry, Told
from emr_log_guard.domain.policy import Policy

REQUEST_AGAIN = timedelta(minutes=10)
"""How long a request for enforcement is not repeated."""

_STANDING = (AlertKind.FINDING_OPENED, AlertKind.FINDING_REOPENED, AlertKind.FINDING_REMINDER)
_OVER = {
    AlertKind.ENFORCEMENT_SKIPPED: NextStep.TERMINATION_CALLED_OFF,
    AlertKind.FINDING_RESOLVED: NextStep.RESOLVED,
    AlertKind.ENFORCEMENT_DONE: NextStep.TERMINATED,
}


@dataclass(frozen=True, slots=True)
class News:
    """What is to be written down, told and done about one cluster."""

    entries: Mapping[str, Entry]
    """What stands, by rule id, with the claims of whoever is about to tell."""
    actions: tuple[Action, ...]
    theirs: frozenset[str]
    """The rules of which another invocation is about to tell."""

    @property
    def told(self) -> frozenset[str]:
        """The rules that the alerts are about."""
        alerts = (action for action in self.actions if isinstance(action, Alert))
        return frozenset(f.rule_id for alert in alerts for f in alert.findings)

    def asked(self, policy: Policy) -> frozenset[str]:
        """The rules for which `enforce` is asked to look now."""
        if not any(isinstance(action, RequestEnforcement) for action in self.actions):
            return frozenset()
        standing = [entry.finding for entry in self.entries.values()]
        return frozenset(finding.rule_id for finding in grounds(standing, policy))


def news(
    entries: Mapping[str, Entry],
    cluster: Cluster | None,
    policy: Policy,
    now: datetime,
    owner: str,
) -> News:
    """Say what follows from what stands about a cluster, and is not known yet.

    Args:
        entries: All that is remembered of the cluster, by rule id, the newest judgement entered.
        cluster: The cluster as last read; None when EMR does not know it here.
        policy: What security wants.
        now: The present moment, UTC.
        owner: Who is about to tell.

    """
    decided = _decide(entries.values(), cluster, policy, now)
    shown = {
        f.rule_id: f for action in decided if isinstance(action, Alert) for f in action.findings
    }
    marked = {
        rule_id: replace(
            entry,
            finding=_stored(entry, shown.get(rule_id), cluster, policy, now),
            told=_unsaid(entry, policy),
        )
        for rule_id, entry in entries.items()
    }
    due = {
        rule_id: kinds
        for rule_id, entry in marked.items()
        if (kinds := owed(entry, shown.get(rule_id), policy, now))
    }
    theirs = frozenset(rule_id for rule_id in due if marked[rule_id].claimed_by_another(owner, now))
    mine = {rule_id: kinds for rule_id, kinds in due.items() if rule_id not in theirs}
    claim = Claim(owner, now + CLAIM)
    return News(
        entries={
            rule_id: replace(entry, claim=claim) if rule_id in mine else entry
            for rule_id, entry in marked.items()
        },
        actions=(
            *_standing(decided, mine),
            *_over(marked, mine, cluster, policy),
            *_enforcement(decided, entries, marked, mine, policy, now),
        ),
        theirs=theirs,
    )


def owed(
    entry: Entry, shown: Finding | None, policy: Policy, now: datetime
) -> tuple[AlertKind, ...]:
    """Say what people should hear of a finding; nothing when they know how it stands.

    Args:
        entry: What is remembered of it.
        shown: The finding as people are to see it now; None when it is resolved, exempt, or not to
            be shown by the policy.
        policy: What security wants.
        now: The present moment, UTC.

    """
    told = entry.told
    if entry.terminated_at and entry.final:
        return (AlertKind.ENFORCEMENT_DONE,)
    if not entry.open:
        # Who claimed to tell may have told before it died: better a word too much.
        known = told is not None or (entry.claim is not None and not _silent(entry, policy))
        return (AlertKind.FINDING_RESOLVED,) if known else ()
    deadline = told.deadline if told else None
    if shown is None or (shown.deadline is None and deadline is not None):
        called_off = deadline is not None and not entry.final
        return (AlertKind.ENFORCEMENT_SKIPPED,) if called_off else ()
    kinds = []
    if told is None:
        again = entry.ever_told
        kinds.append(AlertKind.FINDING_REOPENED if again else AlertKind.FINDING_OPENED)
    elif told.compliance is not shown.compliance:
        kinds.append(AlertKind.FINDING_OPENED)  # what was in doubt is proven now
    elif now - told.at >= policy.alerts.remind_every:
        kinds.append(AlertKind.FINDING_REMINDER)
    if shown.deadline and shown.deadline != deadline and (told or shown.deadline > now):
        kinds.append(AlertKind.ENFORCEMENT_SCHEDULED)
    return tuple(kinds)


def told_of(entry: Entry, now: datetime) -> Entry:
    """Write down that people know how it stands."""
    return replace(
        entry,
        told=Told(now, entry.finding.compliance, entry.finding.deadline) if entry.open else None,
        terminated_at=None if entry.final else entry.terminated_at,
        ever_told=True,
        claim=None,
    )


def _decide(
    entries: Iterable[Entry], cluster: Cluster | None, policy: Policy, now: datetime
) -> tuple[Action, ...]:
    """Decide as if nobody knew anything."""
    standing = [entry for entry in entries if entry.open]
    findings = [replace(entry.finding, status=Status.OPEN) for entry in standing]
    grace_ends = {each.finding.id: each.grace_ends(policy.enforcement) for each in standing}
    lethal = {finding.rule_id for finding in grounds(findings, policy)}
    objects = chain.from_iterable(e.objects for e in standing if e.finding.rule_id in lethal)
    return decide(
        findings,
        cluster,
        policy,
        now,
        grace_ends,
        tuple(dict.fromkeys(objects)),
    )


def _stored(
    entry: Entry, shown: Finding | None, cluster: Cluster | None, policy: Policy, now: datetime
) -> Finding:
    """Mark a finding as exempt or not, and with its deadline, as other tools read it."""
    if not entry.open:
        return entry.finding
    standing = replace(entry.finding, status=Status.OPEN)
    (marked,) = exempted((standing,), cluster, policy, now)
    return replace(entry.finding, status=marked.status, deadline=shown.deadline if shown else None)


def _silent(entry: Entry, policy: Policy) -> bool:
    return policy.mode_of(entry.finding.rule_id) is Mode.OBSERVE


def _unsaid(entry: Entry, policy: Policy) -> Told | None:
    """Forget without a word what was told, where nobody is to hear, or need hear, of it."""
    told = entry.told
    if told is None or not (_silent(entry, policy) or (entry.open and entry.final)):
        return told
    return replace(told, deadline=None) if entry.open else None


def _standing(
    decided: Sequence[Action], mine: Mapping[str, Sequence[AlertKind]]
) -> Iterable[Alert]:
    """Tell of what stands and is not known, an alert for each kind of news."""
    for action in decided:
        if isinstance(action, Alert):
            for kind in (*_STANDING, AlertKind.ENFORCEMENT_SCHEDULED):
                found = tuple(f for f in action.findings if kind in mine.get(f.rule_id, ()))
                if found:
                    yield replace(action, kind=kind, findings=found)


def _over(
    entries: Mapping[str, Entry],
    mine: Mapping[str, Sequence[AlertKind]],
    cluster: Cluster | None,
    policy: Policy,
) -> Iterable[Alert]:
    """Tell of what people need not worry about any more."""
    for kind, step in _OVER.items():
        found = sorted(
            (entries[rule_id].finding for rule_id, kinds in mine.items() if kind in kinds),
            key=lambda f: (-f.severity.rank, f.rule_id),
        )
        if not found:
            continue
        ended = kind is AlertKind.FINDING_RESOLVED and cluster is not None and cluster.ended
        yield Alert(
            kind,
            found[0].cluster_arn,
            found[0].cluster_name,
            tuple(found),
            NextStep.CLUSTER_ENDED if ended else step,
            policy.mode,
            f"The cluster is {cluster.state}." if cluster is not None and ended else "",
            cluster_tags=cluster.tags if cluster else {},
        )


def _enforcement(  # noqa: PLR0913, PLR0917 - what was, what is, and what is news
    decided: Sequence[Action],
    before: Mapping[str, Entry],
    after: Mapping[str, Entry],
    mine: Mapping[str, Sequence[AlertKind]],
    policy: Policy,
    now: datetime,
) -> Iterable[Action]:
    """Ask for enforcement, schedule it, or call it off, where that is not done already."""
    wanted = next((action for action in decided if not isinstance(action, Alert)), None)
    match wanted:
        case RequestEnforcement():
            lethal = grounds((entry.finding for entry in after.values()), policy)
            if _request_due((after[finding.rule_id] for finding in lethal), now):
                yield wanted
        case ScheduleEnforcement():
            if any(AlertKind.ENFORCEMENT_SCHEDULED in kinds for kinds in mine.values()):
                yield wanted
        case _:
            for entry in before.values():
                # Also when it is due: a schedule may fire a minute late.
                if entry.told and entry.told.deadline:
                    yield CallOffEnforcement(entry.finding.cluster_arn)
                    return


def _request_due(entries: Iterable[Entry], now: datetime) -> bool:
    """Say whether `enforce` was not asked for any of these lately."""
    asked = [entry.requested_at for entry in entries if entry.requested_at]
    return not asked or now - max(asked) >= REQUEST_AGAIN
