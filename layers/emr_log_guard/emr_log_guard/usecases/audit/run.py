"""Audit: read, evaluate and report the clusters of accounts and Regions."""

from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime
from threading import Event, Lock
from typing import Protocol

from emr_log_guard.domain.audit import AuditedCluster, AuditReport, AuditTarget
from emr_log_guard.errors import AuditStoppedError, NotReadableError
from emr_log_guard.rules.evaluation import EvaluationContext
from emr_log_guard.usecases.audit.region import AuditRegion, RegionAccess
from emr_log_guard.usecases.audit.scope import AuditScope
from emr_log_guard.usecases.ports import Progress

ALL_REGIONS = "all Regions"
"""Stands for the Regions of an account whose Regions could not be listed."""
_PLACES = 16
"""How many Regions are audited concurrently."""


class Account(Protocol):
    """An account that an audit may read."""

    def account_id(self) -> str | None:
        """Return the account id; None when unknown."""
        ...

    def enabled_regions(self) -> tuple[str, ...]:
        """Return its enabled Regions, or raise NotReadableError."""
        ...

    def place(self, region: str) -> RegionAccess:
        """Return the access to a Region, or raise NotReadableError."""
        ...


@dataclass(slots=True)
class Audit:
    """Audits once. An error in one Region does not affect the others."""

    open_account: Callable[[str | None], Account]
    """Returns the account of a role, or the caller's for None, or raises NotReadableError."""
    scope: AuditScope
    clock: Callable[[], datetime]
    runbook: Callable[[str], str]
    api_calls: Callable[[], Mapping[str, int]]
    progress: Progress
    stopped: Event
    """Set when the audit is stopped: pending calls are then given up."""
    _places: dict[tuple[str | None, str], AuditTarget] = field(default_factory=dict)
    _clusters: list[AuditedCluster] = field(default_factory=list)
    _lock: Lock = field(default_factory=Lock)

    def __call__(self) -> AuditReport:
        """Audit until everything is read, or until Ctrl-C, which makes the report partial."""
        started = self.clock()
        interrupted = False
        pool = ThreadPoolExecutor(_PLACES, "place")
        try:
            self._audit(
                pool,
                EvaluationContext(self.scope.policy, started, self.runbook, self.scope.selects),
            )
        except KeyboardInterrupt:
            interrupted = True
        finally:
            self.stopped.set()
            pool.shutdown(wait=False, cancel_futures=True)
        return self._report(started, interrupted=interrupted)

    def _audit(self, pool: ThreadPoolExecutor, context: EvaluationContext) -> None:
        roles = tuple(dict.fromkeys(self.scope.role_arns))
        opened = [(role, pool.submit(self._open, role)) for role in roles]
        jobs: list[Future[None]] = []
        for role, opening in opened:
            account, regions = opening.result()
            for region in regions:
                place = AuditTarget(region, role)
                self._note(place)
                if account is not None:
                    jobs.append(pool.submit(self._audit_place, account, place, context))
        for job in jobs:
            job.result()

    def _open(self, role: str | None) -> tuple[Account, tuple[str, ...]] | tuple[None, tuple[()]]:
        try:
            account = self.open_account(role)
            regions = self.scope.regions
            return account, account.enabled_regions() if regions is None else regions
        except NotReadableError as error:
            for region in self.scope.regions or (ALL_REGIONS,):
                self._note(AuditTarget(region, role, problem=str(error)))
        return None, ()

    def _audit_place(
        self, account: Account, place: AuditTarget, context: EvaluationContext
    ) -> None:
        try:
            access = account.place(place.region)
        except NotReadableError as error:
            self._note(replace(place, problem=str(error)))
            return
        audit = AuditRegion(access, self.scope, context, self.progress, self.stopped)
        try:
            audit(place, self._note, self._add)
            known = self._places[place.role_arn, place.region]
            if known.account is None and known.problem is None:
                self._note(replace(known, account=account.account_id()))
        except AuditStoppedError:
            return

    def _note(self, place: AuditTarget) -> None:
        with self._lock:
            self._places[place.role_arn, place.region] = place

    def _add(self, audited: AuditedCluster) -> None:
        with self._lock:
            self._clusters.append(audited)
        self.progress.evaluated()

    def _report(self, started: datetime, *, interrupted: bool) -> AuditReport:
        with self._lock:
            clusters = sorted(self._clusters, key=lambda audited: audited.cluster.arn)
            places = tuple(self._places.values())
        found = {audited.cluster.id for audited in clusters}
        return AuditReport(
            started=started,
            finished=self.clock(),
            places=places,
            clusters=tuple(clusters),
            rules=self.scope.rule_ids,
            not_evaluated=self.scope.not_evaluated,
            api_calls=self.api_calls(),
            interrupted=interrupted,
            missing=tuple(asked for asked in self.scope.cluster_ids if asked not in found),
            exemptions=self.scope.policy.exemptions,
        )
