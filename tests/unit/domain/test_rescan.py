from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emr_log_guard.domain.compliance import Compliance, Severity
from emr_log_guard.domain.findings import Finding, Status
from emr_log_guard.domain.rescan import (
    LATE_LOGS,
    Folder,
    FolderCheckpoint,
    Rescan,
    RescanCheckpoint,
    Scope,
    Shard,
    ShardFailed,
    cut,
)
from emr_log_guard.domain.rescan_report import Difference, RescanReport
from tests.unit.builders import CLUSTER_ID, NOW, a_finding

FOLDER = Folder(CLUSTER_ID, "logs", f"emr/{CLUSTER_ID}/", since=NOW, active=False)
RUN = Rescan(execution="arn:aws:states:eu-west-1:111122223333:execution:x-rescan:1", started=NOW)
NAMES = st.text(st.sampled_from("ab/~ö\U0001f4a5"), min_size=1, max_size=4)


@pytest.mark.parametrize(
    ("scope", "clusters", "log_objects"),
    [
        (Scope.ALL, True, True),
        (Scope.CLUSTERS, True, False),
        (Scope.LOG_OBJECTS, False, True),
    ],
)
def test_scope_says_whether_it_includes_clusters_and_log_objects(
    scope: Scope,
    clusters: bool,  # noqa: FBT001
    log_objects: bool,  # noqa: FBT001
) -> None:
    assert (scope.clusters, scope.log_objects) == (clusters, log_objects)


def test_rescan_has_the_name_of_its_step_functions_execution() -> None:
    assert RUN.name == "1"


def test_folder_that_cannot_be_split_is_one_range() -> None:
    assert cut(FOLDER, ()) == cut(FOLDER, (f"{FOLDER.prefix}node/",)) == (FOLDER,)


@given(st.lists(NAMES, unique=True), st.lists(NAMES))
def test_every_key_is_in_exactly_one_range(below: list[str], keys: list[str]) -> None:
    ranges = cut(FOLDER, tuple(below))

    for key in keys:
        holding = [
            each for each in ranges if key > each.after and (not each.until or key <= each.until)
        ]
        assert len(holding) == 1
    assert all(replace(each, after="", until="") == FOLDER for each in ranges)


@pytest.mark.parametrize(
    ("shard", "title"),
    [
        (Shard(id="1", known=("a",), clusters=("b", "c")), "3 clusters"),
        (Shard(id="1", clusters=("b",)), "1 cluster"),
        (
            Shard(id="1", folder=FOLDER),
            f"log objects of {CLUSTER_ID} s3://logs/emr/{CLUSTER_ID}/",
        ),
        (Shard(id="1", folder=Folder(CLUSTER_ID)), f"log objects of {CLUSTER_ID}"),
    ],
)
def test_shard_title_describes_its_clusters_or_folder(shard: Shard, title: str) -> None:
    assert shard.title == title


@pytest.mark.parametrize(
    ("missed", "over"),
    [(None, False), (NOW, True), (NOW + timedelta(seconds=1), False)],
)
def test_folder_is_followed_until_its_late_logs_have_arrived(
    missed: datetime | None,
    over: bool,  # noqa: FBT001
) -> None:
    followed = replace(FolderCheckpoint("logs", "emr/", NOW), missed=missed)

    assert followed.over(NOW + LATE_LOGS) is over


LOW = a_finding("EMRLOG-009", severity=Severity.LOW)
HIGH = a_finding("EMRLOG-002")
DOUBT = a_finding("EMRLOG-005", compliance=Compliance.INSUFFICIENT_DATA)
EXEMPT = a_finding("EMRLOG-006", status=Status.EXEMPT)


def test_difference_lists_the_most_severe_findings_first() -> None:
    history = RescanCheckpoint(execution="last", open=(LOW.id, "gone"))

    difference = Difference.between(history, [LOW, DOUBT, EXEMPT, HIGH])

    assert difference.new == (HIGH, DOUBT)
    assert difference.still_open == (LOW,)
    assert difference.resolved == ("gone",)
    assert difference.undetermined == (DOUBT,)
    assert difference.exempt == (EXEMPT,)
    assert difference.last == "last"


def test_open_finding_that_becomes_exempt_is_neither_open_nor_resolved() -> None:
    difference = Difference.between(RescanCheckpoint(execution="last", open=(EXEMPT.id,)), [EXEMPT])

    assert (difference.open, difference.resolved) == ((), ())
    assert difference.exempt == difference.unresolved == (EXEMPT,)


@pytest.mark.parametrize(
    ("open_", "failed", "compliance"),
    [
        ((), False, Compliance.COMPLIANT),
        ((EXEMPT,), False, Compliance.COMPLIANT),
        ((), True, Compliance.INSUFFICIENT_DATA),
        ((DOUBT,), False, Compliance.INSUFFICIENT_DATA),
        ((DOUBT, HIGH), True, Compliance.NON_COMPLIANT),
    ],
)
def test_report_has_the_worst_compliance_of_findings_and_shards(
    open_: tuple[Finding, ...],
    failed: bool,  # noqa: FBT001
    compliance: Compliance,
) -> None:
    report = RescanReport(
        rescan=RUN,
        finished=NOW,
        place="s3://reports/1",
        shards=1,
        failed=(ShardFailed("1", "2 clusters", "it left no result"),) if failed else (),
        difference=Difference.between(RescanCheckpoint(), open_),
    )

    assert report.compliance is compliance


@pytest.mark.parametrize(
    ("shards", "failed", "coverage"), [(8, 0, 100), (8, 2, 75), (1, 1, 0), (0, 0, 100)]
)
def test_coverage_is_the_percentage_of_scanned_shards(
    shards: int, failed: int, coverage: float
) -> None:
    report = RescanReport(
        rescan=RUN,
        finished=NOW,
        place="s3://reports/report.json",
        shards=shards,
        failed=tuple(ShardFailed(str(n), "clusters", "it left no result") for n in range(failed)),
        difference=Difference.between(RescanCheckpoint(), []),
    )

    assert report.coverage == coverage
