"""What a report shows, whatever it is of: an audit and a re-scan fill the same page.

https://www.w3.org/TR/WCAG22/ is kept to: the page is read with a keyboard and a screen reader.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from emr_log_guard.domain.audit import UnjudgedRule
from emr_log_guard.domain.compliance import Compliance
from emr_log_guard.domain.findings import Finding, Status
from emr_log_guard.domain.policy import ClusterMatch, Exemption
from emr_log_guard.rendering.reports.trend import Trend
from emr_log_guard.rules import ALL_RULES

EXEMPT = "EXEMPT"
"""Stands beside the compliance types where results are counted: broken, and allowed to be."""
WORDS: Mapping[str, str] = {
    Compliance.NON_COMPLIANT: "Non-compliant",
    Compliance.INSUFFICIENT_DATA: "Not determined",
    EXEMPT: "Exempt",
    Compliance.COMPLIANT: "Compliant",
    Compliance.NOT_APPLICABLE: "Not applicable",
}
"""What results are called, the worst first."""
STATEMENTS: Mapping[Compliance, str] = {
    Compliance.NON_COMPLIANT: "Logs are not protected as they have to be.",
    Compliance.INSUFFICIENT_DATA: (
        "Nothing is provably wrong, but something could not be determined."
    ),
    Compliance.COMPLIANT: "All that was looked at is compliant.",
    Compliance.NOT_APPLICABLE: "There was nothing to judge.",
}
_ORDER = [*WORDS]
_NAMED = 5
"""How many clusters a doubt names that is the same about several."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A headline number."""

    label: str
    number: str
    result: str = ""
    """The result whose colour it has; empty for none."""


@dataclass(frozen=True, slots=True)
class TallyRow:
    """What is counted of one thing."""

    title: str
    counts: Mapping[str, int]
    detail: str = ""

    @property
    def share(self) -> str:
        """Say how much of what applied is compliant, in whole percent, never rounded up."""
        applied = (Compliance.NON_COMPLIANT, Compliance.INSUFFICIENT_DATA, Compliance.COMPLIANT)
        total = sum(self.counts.get(each, 0) for each in applied)
        return f"{100 * self.counts.get(Compliance.COMPLIANT, 0) // total} %" if total else ""


@dataclass(frozen=True, slots=True)
class Tally:
    """A table of counts."""

    title: str
    counted: str
    """What is counted, such as `clusters`."""
    columns: tuple[str, ...]
    """The results that it has a column for."""
    rows: tuple[TallyRow, ...]
    first: str
    """What its first column is called."""


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
    """Those that need attention, the gravest first."""
    unresolved: tuple[str, ...] = ()

    @property
    def rank(self) -> int:
        """Say how grave the gravest finding is: from 1 to 4; 0 without any, exempt ones aside."""
        return max((f.severity.rank + 1 for f in self.findings if not _exempt(f)), default=0)

    @property
    def severity(self) -> str:
        """Name the gravest finding's severity; empty without any."""
        return next((f.severity.value for f in self.findings if not _exempt(f)), "")

    @property
    def rules(self) -> str:
        """Name the rules that it has findings of, with blanks between them."""
        return " ".join(finding.rule_id for finding in self.findings)


@dataclass(frozen=True, slots=True)
class Doubt:
    """What could not be determined, and why."""

    why: str
    about: str
    """Which clusters, some of them by name."""
    rule_id: str = ""


@dataclass(frozen=True, slots=True)
class ShownExemption:
    """An exemption, and what it does."""

    exemption: Exemption
    clusters: str
    in_force: bool
    days: int
    """How many more days it holds, today not counted; below 0 it has ended."""
    findings: int
    """How many findings of this report it covers."""


@dataclass(frozen=True, slots=True)
class Coverage:
    """A table of what was looked at."""

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportPage:
    """All that the page shows."""

    title: str
    about: tuple[tuple[str, str], ...]
    """What it is a report of, as names and values."""
    verdict: Compliance
    warnings: tuple[str, ...]
    figures: tuple[Figure, ...]
    trend: Trend | None
    tallies: tuple[Tally, ...]
    clusters: Sequence[ShownCluster]
    clusters_note: str
    new: frozenset[str]
    """The ids of the findings that the last run did not know."""
    remembers: bool
    """Whether findings have a history: an audit sees them for the first time."""
    resolved: tuple[str, ...]
    doubts: tuple[Doubt, ...]
    exemptions: tuple[ShownExemption, ...]
    coverage: tuple[Coverage, ...]
    unjudged: tuple[UnjudgedRule, ...]
    advice: tuple[str, ...] = ()

    @property
    def rules(self) -> Sequence[str]:
        """Name the rules that a cluster in the table has findings of."""
        return sorted({f.rule_id for cluster in self.clusters for f in cluster.findings})

    @property
    def places(self) -> Sequence[str]:
        """Name the accounts and Regions of the clusters in the table."""
        return sorted({f"{cluster.account} {cluster.region}" for cluster in self.clusters})

    @property
    def states(self) -> bool:
        """Say whether any cluster's state is known."""
        return any(cluster.state for cluster in self.clusters)

    def order(self, cluster: ShownCluster) -> int:
        """Say where a cluster's result stands, from the worst on."""
        return _ORDER.index(cluster.compliance)


def gravest_first(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Order the findings that need attention: exempt ones last, and proof before doubt."""
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
    """Order clusters as the table begins: by their result, and then by their gravest finding."""
    return tuple(
        sorted(clusters, key=lambda c: (_ORDER.index(c.compliance), -c.rank, c.name, c.id))
    )


def by_rule(findings: Iterable[Finding], columns: tuple[str, ...]) -> Tally:
    """Count what each rule says; rules that said nothing of these columns are left out."""
    counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for finding in findings:
        exempt = _exempt(finding) and finding.needs_attention
        counts[finding.rule_id][EXEMPT if exempt else finding.compliance] += 1
    return Tally(
        title="By rule",
        counted="clusters",
        columns=columns,
        first="Rule",
        rows=tuple(
            TallyRow(f"{rule.id} {rule.name}", counts[rule.id], rule.why)
            for rule in ALL_RULES
            if any(counts[rule.id][column] for column in columns)
        ),
    )


def doubts(clusters: Iterable[ShownCluster]) -> Iterator[Doubt]:
    """Say what could not be determined; the same of several clusters is said once."""
    about: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for cluster in clusters:
        for why in cluster.unresolved:
            about["", why].append(cluster.id)
        for finding in cluster.findings:
            if finding.compliance is Compliance.INSUFFICIENT_DATA:
                about[finding.rule_id, finding.summary].append(cluster.id)
    for (rule_id, why), ids in about.items():
        more = f" and {len(ids) - _NAMED:,} more" if len(ids) > _NAMED else ""
        yield Doubt(why, ", ".join(ids[:_NAMED]) + more, rule_id)


def shown_exemptions(
    exemptions: Iterable[Exemption], findings: Iterable[Finding], now: datetime
) -> tuple[ShownExemption, ...]:
    """Show exemptions, those that end first before the others, and ended ones last of all."""
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
    """Write a moment for people, in UTC."""
    return f"{value.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def _whose(match: ClusterMatch) -> str:
    tags = ", ".join(f"{name}={value}" for name, value in (match.tag or {}).items())
    parts = {"id": match.id, "name": match.name, "tag": tags or None}
    return ", ".join(f"{part} {value}" for part, value in parts.items() if value is not None)


def _exempt(finding: Finding) -> bool:
    return finding.status is Status.EXEMPT
