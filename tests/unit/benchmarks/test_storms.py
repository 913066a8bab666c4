"""What a storm counts: the first alert of each violation, and what should not be alerted."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from benchmarks.contestants import WrongResultError
from benchmarks.stack import CALLS, Stack
from benchmarks.storms import HEAD, Watch
from sandbox import Sandbox
from sandbox.calls import EmrCalls


def an_alert(
    cluster_id: str, compliance: str = "NON_COMPLIANT", kind: str = "finding.opened"
) -> dict[str, Any]:
    finding = {"id": f"{cluster_id}#2", "cluster_id": cluster_id, "compliance": compliance}
    return {"kind": kind, "findings": [finding]}


def a_watch() -> Watch:
    return Watch(began={"j-BAD1": 100.0, "j-BAD2": 101.0}, good={"j-GOOD"})


def cells(watch: Watch, calls: EmrCalls | None = None) -> dict[str, str]:
    calls = calls or EmrCalls(Counter(), Counter())
    return dict(zip(HEAD, watch.row("a storm", "last 60 s", 50, calls), strict=True))


def test_time_to_alert_is_measured_to_the_first_alert_of_each_violation() -> None:
    watch = a_watch()
    watch.see([an_alert("j-BAD1"), an_alert("j-BAD2")], 104)
    watch.see([an_alert("j-BAD1", kind="finding.reminder")], 120)

    row = cells(watch)
    assert row["violations alerted"] == "2 of 2"
    assert row["time to alert, median"] == "3.5 s"
    assert row["last"] == "4.0 s"
    assert (row["target"], row["the quota's minimum"]) == ("last 60 s", "50 s")
    assert row["repeated alerts"] == "0"


def test_violation_without_an_alert_has_no_last_alert() -> None:
    watch = a_watch()
    watch.see([an_alert("j-BAD1"), an_alert("j-BAD2", "INSUFFICIENT_DATA")], 104)

    row = cells(watch)
    assert (row["violations alerted"], row["last"]) == ("1 of 2", "never")


def test_equal_alert_counts_as_repeated() -> None:
    watch = a_watch()
    for now in (104, 105):
        watch.see([an_alert("j-BAD1"), {"kind": "rescan.done"}], now)

    assert cells(watch)["repeated alerts"] == "1"


def test_undetermined_facts_count_for_compliant_clusters_only() -> None:
    watch = a_watch()
    watch.see([an_alert("j-GOOD", "INSUFFICIENT_DATA")], 104)
    watch.see([an_alert("j-BAD1", "INSUFFICIENT_DATA")], 104)

    assert cells(watch)["INSUFFICIENT_DATA alerts"] == "1"


def test_alert_about_a_compliant_cluster_raises() -> None:
    with pytest.raises(WrongResultError, match="j-GOOD"):
        a_watch().see([an_alert("j-GOOD")], 104)


def test_calls_are_counted_per_cluster_and_throttled_calls_separately(tmp_path: Path) -> None:
    described, listed = "ElasticMapReduce.DescribeCluster", "ElasticMapReduce.ListSteps"
    lines = [
        *[f"{described} 200"] * 6,
        *[f"{listed} 200"] * 3,
        f"{listed} 400 ThrottlingException",
        f"{listed} 400 InvalidRequestException",
        "ElasticMapReduce.ListSessions 200",
        "DynamoDB_20120810.GetItem 400 ThrottlingException",
    ]
    (tmp_path / CALLS).write_text("\n".join(lines))
    stack = Stack(Sandbox(port=1, region="us-east-1", pid=1, log=tmp_path), tmp_path)
    before = EmrCalls(Counter(DescribeCluster=3), Counter())

    row = cells(a_watch(), stack.emr_calls() - before)

    assert row["DescribeCluster per cluster"] == "1.00"
    assert row["ListSteps per cluster"] == "1.33"
    assert row["other calls"] == "1"
    assert row["refused"] == "1 (11%)"
