"""What a report page shows: audits and re-scans fill the same page.

The page follows https://www.w3.org/TR/WCAG22/: it works with a keyboard and a screen reader.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from emr_log_guard.domain.audit import RuleNotEvaluated
from emr_log_guard.domain.compliance import Compliance
from emr_log_guard.domain.findings import Finding, Status
from emr_log_guard.domain.policy import ClusterMatch, Exemption
from emr_log_guard.rendering.reports.trend import Trend
from emr_log_guard.rules import ALL_RULES

EXEMPT = "EXEMPT"
"""Counted beside the compliance types: non-compliant, but exempt."""
LABELS: Mapping[str, str] = {
    Compliance.NON_COMPLIANT: "Non-compliant",
    Compliance.INSUFFICIENT_DATA: "Not determined",
    EXEMPT: "Exempt",
    Compliance.COMPLIANT: "Compliant",
    Compliance.NOT_APPLICABLE: "Not applicable",
}
"""The labels of results, the worst first."""
STATEMENTS: Mapping[Compliance, str] = {
    Compliance.NON_COMPLIANT: "Logs are not protected as required.",
    Compliance.INSUFFICIENT_DATA: (
        "No violation was found, but something could not be determined."
    ),
    Compliance.COMPLIANT: "Everything that was evaluated is compliant.",
    Compliance.NOT_APPLICABLE: "There was nothing to evaluate.",
}
_ORDER = [*LABELS]
_NAMED = 5
"""How many clusters are named for one reason."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A headline number."""

    label: str
    number: str
    result: str = ""
    """The result whose colour it has; empty for none."""


@dataclass(frozen=True, slots=True)
class CountRow:
    """A row of counts."""

    title: str
    counts: Mapping[str, int]
    detail: str = ""

    @property
    def share(self) -> str:
        """The compliant share of what applied, in whole percent, rounded down."""
        applied = (Compliance.NON_COMPLIANT, Compliance.INSUFFICIENT_DATA, Compliance.COMPLIANT)
        total = sum(self.counts.get(each, 0) for each in applied)
        return f"{100 * self.counts.get(Compliance.COMPLIANT, 0) // total} %" if total else ""


@dataclass(frozen=True, slots=True)
class CountTable:
    """A table of counts."""

    title: str
    counted: str
    """What is counted, such as `clusters`."""
    columns: tuple[str, ...]
    """The results that have a column."""
    rows: tuple[CountRow, ...]
    first: str
    """The header of its first column."""


@dataclass(frozen=True, slots=True)
class ShownCluster:
    """A cluster in the table."""

    id: str
    name: str
    account: str
    region: str
    state: str
    """Empty where it is not known."""
    compliance: Compliance
    findings: tuple[Finding, ...]
    """Those that need attention, the most severe first."""
    unresolved: tuple[str, ...] = ()

    @property
    def rank(self) -> int:
        """The highest severity, from 1 to 4; 0 without findings. Exempt ones do not count."""
        return max((f.severity.rank + 1 for f in self.findings if not _exempt(f)), default=0)

    @property
    def severity(self) -> str:
        """The highest severity by name; empty without findings."""
        return next((f.severity.value for f in self.findings if not _exempt(f)), "")

    @property
    def rules(self) -> str:
        """The rules that it has findings of, separated by spaces."""
        return " ".join(finding.rule_id for finding in self.findings)


@dataclass(frozen=True, slots=True)
class Undetermined:
    """What could not be determined, and why."""

    why: str
    about: str
    """Which clusters, some of them by name."""
    rule_id: str = ""


@dataclass(frozen=True, slots=True)
class ShownExemption:
    """An exemption, and its effect."""

    exemption: Exemption
    clusters: str
    in_force: bool
    days: int
    """Days left after today; negative once it has expired."""
    findings: int
    """How many findings of this report it covers."""


@dataclass(frozen=True, slots=True)
class Coverage:
    """A table of what was covered."""

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportPage:
    """All that the page shows."""

    title: str
    about: tuple[tuple[str, str], ...]
    """What the report is about, as names and values."""
    verdict: Compliance
    warnings: tuple[str, ...]
    figures: tuple[Figure, ...]
    trend: Trend | None
    count_tables: tuple[CountTable, ...]
    clusters: Sequence[ShownCluster]
    clusters_note: str
    new: frozenset[str]
    """The ids of the findings that are new since the last run."""
    has_history: bool
    """Whether findings have a history; those of an audit have none."""
    resolved: tuple[str, ...]
    undetermined: tuple[Undetermined, ...]
    exemptions: tuple[ShownExemption, ...]
    coverage: tuple[Coverage, ...]
    not_evaluated: tuple[RuleNotEvaluated, ...]
    advice: tuple[str, ...] = ()

    @property
    def rules(self) -> Sequence[str]:
        """The rules that clusters in the table have findings of."""
        return sorted({f.rule_id for cluster in self.clusters for f in cluster.findings})

    @property
    def places(self) -> Sequence[str]:
        """The accounts and Regions of the clusters in the table."""
        return sorted({f"{cluster.account} {cluster.region}" for cluster in self.clusters})

    @property
    def states(self) -> bool:
        """Whether any cluster's state is known."""
        return any(cluster.state for cluster in self.clusters)

    def order(self, cluster: ShownCluster) -> int:
        """The sort position of a cluster's result, the worst first."""
        return _ORDER.index(cluster.compliance)


def most_severe_first(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Order the findings that need attention: exempt ones last, confirmed ones first."""
    return tuple(
        sorted(
            (finding for finding in findings if finding.needs_attention),
            key=lambda f: (
                _exempt(f),
                -f.severity.rank,
                f.compliance is not Compliance.NON_COMPLIANT,
                f.rule_id,
            ),
        )
    )


def worst_first(clusters: Iterable[ShownCluster]) -> tuple[ShownCluster, ...]:
    """Order clusters for the table: by result, then by their most severe finding."""
    return tuple(
        sorted(clusters, key=lambda c: (_ORDER.index(c.compliance), -c.rank, c.name, c.id))
    )


def by_rule(findings: Iterable[Finding], columns: tuple[str, ...]) -> CountTable:
    """Count the results of each rule; rules with none in these columns are left out."""
    counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for finding in findings:
        exempt = _exempt(finding) and finding.needs_attention
        counts[finding.rule_id][EXEMPT if exempt else finding.compliance] += 1
    return CountTable(
        title="By rule",
        counted="clusters",
        columns=columns,
        first="Rule",
        rows=tuple(
            CountRow(f"{rule.id} {rule.name}", counts[rule.id], rule.why)
            for rule in ALL_RULES
            if any(counts[rule.id][column] for column in columns)
        ),
    )


def undetermined(clusters: Iterable[ShownCluster]) -> Iterator[Undetermined]:
    """List what could not be determined; one entry per reason, for any number of clusters."""
    about: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for cluster in clusters:
        for why in cluster.unresolved:
            about["", why].append(cluster.id)
        for finding in cluster.findings:
            if finding.compliance is Compliance.INSUFFICIENT_DATA:
                about[finding.rule_id, finding.summary].append(cluster.id)
    for (rule_id, why), ids in about.items():
        more = f" and {len(ids) - _NAMED:,} more" if len(ids) > _NAMED else ""
        yield Undetermined(why, ", ".join(ids[:_NAMED]) + more, rule_id)


def shown_exemptions(
    exemptions: Iterable[Exemption], findings: Iterable[Finding], now: datetime
) -> tuple[ShownExemption, ...]:
    """Show exemptions by expiry, expired ones last."""
    covered = Counter(
        tuple(finding.evidence.get(f"exempt_{name}") for name in ("until", "reason", "approved_by"))
        for finding in findings
        if _exempt(finding)
    )
    shown = [
        ShownExemption(
            exemption=each,
            clusters=_whose(each.cluster),
            in_force=each.in_force(now),
            days=(each.until - now.astimezone(UTC).date()).days,
            findings=covered[each.until.isoformat(), each.reason, each.approved_by],
        )
        for each in exemptions
    ]
    return tuple(sorted(shown, key=lambda each: (not each.in_force, each.exemption.until)))


def moment(value: datetime) -> str:
    """Format a time, in UTC."""
    return f"{value.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def _whose(match: ClusterMatch) -> str:
    tags = ", ".join(f"{name}={value}" for name, value in (match.tag or {}).items())
    parts = {"id": match.id, "name": match.name, "tag": tags or None}
    return ", ".join(f"{part} {value}" for part, value in parts.items() if value is not None)


def _exempt(finding: Finding) -> bool:
    return finding.status is Status.EXEMPT
