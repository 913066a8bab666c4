"""What each handler measures, as CloudWatch reads it from the functions' logs.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest

from emr_log_guard.bootstrap import shared
from emr_log_guard.domain.rescan import ShardKind
from emr_log_guard.errors import InvalidWebhookError
from emr_log_guard.observability import Metric
from tests.unit.builders import NOW
from tests.unit.functions.test_handlers import (
    MACHINE,
    POLICY,
    ROOT,
    Log,
    Reports,
    a_batch_of,
    an_account,
    an_account_with_one_cluster,
    an_event,
    describe_cluster,
    invoke,
    load,
    reencrypting,
    without_a_key,
)
from tests.unit.stubbed_aws import AwsError, StubbedAws

pytestmark = pytest.mark.filterwarnings("ignore:No application metrics to publish")

type Measured = dict[str, float]
type Scenario = Callable[[StubbedAws], object]

LATE = timedelta(seconds=42)
NOTHING_OPEN: Measured = {
    "OpenCriticalFindings": 0,
    "OpenHighFindings": 0,
    "OpenMediumFindings": 0,
    "OpenLowFindings": 0,
    "UndeterminedFindings": 0,
    "ExemptFindings": 0,
}


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[StubbedAws]:
    monkeypatch.setattr(shared, "utc_now", lambda: NOW)
    yield from an_account(monkeypatch)


def records(printed: str) -> list[dict[str, Any]]:
    """The lines that CloudWatch takes metrics from."""
    lines = (json.loads(line) for line in printed.splitlines() if line.startswith("{"))
    return [line for line in lines if "_aws" in line]


def measured(printed: str) -> Measured:
    """The sum of each metric, as CloudWatch would come to."""
    sums: Measured = {}
    for record in records(printed):
        for directive in record["_aws"]["CloudWatchMetrics"]:
            for metric in directive["Metrics"]:
                name = metric["Name"]
                sums[name] = sums.get(name, 0) + sum(record[name])
    return sums


def happened(name: str, ago: timedelta = LATE) -> dict[str, Any]:
    """An event of some time ago."""
    return an_event(name) | {"time": (NOW - ago).isoformat()}


def objects_created() -> dict[str, Any]:
    """A batch of one, created some time ago."""
    event = an_event("sqs-s3-object-created")
    [record] = event["Records"] = event["Records"][:1]
    record["body"] = json.dumps(json.loads(record["body"]) | {"time": (NOW - LATE).isoformat()})
    return event


def with_policy(aws: StubbedAws, **changes: object) -> None:
    document = json.dumps(POLICY | changes)
    aws.answer(
        "GetParameter",
        {"Parameter": {"Name": "p", "Value": document, "Version": 2, "LastModifiedDate": NOW}},
    )


def a_good_cluster(_: StubbedAws) -> None:
    invoke(load("check_cluster"), happened("emr-cluster-state-change-running"))


def a_bad_cluster(aws: StubbedAws) -> None:
    aws.answer("DescribeCluster", without_a_key)
    invoke(load("check_cluster"), happened("emr-cluster-state-change-running"))


def a_launch_that_emr_throttles(aws: StubbedAws) -> None:
    aws.answer("DescribeCluster", AwsError("ThrottlingException"))
    invoke(load("check_cluster"), a_batch_of(happened("emr-cluster-state-change-starting")))


def a_poison_message(_: StubbedAws) -> None:
    invoke(load("check_cluster"), a_batch_of({"source": "unknown"}))


def a_bad_log_object(aws: StubbedAws) -> None:
    just_now = {"ServerSideEncryption": "AES256", "LastModified": NOW}
    aws.answer("HeadObject", just_now)
    invoke(load("check_log_objects"), objects_created())


def a_termination_that_comes_to_its_end(aws: StubbedAws) -> None:
    a_bad_cluster(aws)
    invoke(load("enforce"), an_event("sqs-enforcement-request"))
    aws.answer("DescribeCluster", lambda asked: describe_cluster(asked, Status=TERMINATED))
    invoke(load("check_cluster"), happened("emr-cluster-state-change-terminated"))


def a_termination_that_emr_refuses(aws: StubbedAws) -> None:
    a_bad_cluster(aws)
    aws.answer("TerminateJobFlows", AwsError("ValidationException"))
    invoke(load("enforce"), an_event("sqs-enforcement-request"))


def a_request_for_a_protected_cluster(aws: StubbedAws) -> None:
    a_bad_cluster(aws)
    aws.answer(
        "DescribeCluster",
        lambda asked: describe_cluster(asked, LogEncryptionKmsKeyId="", TerminationProtected=True),
    )
    invoke(load("enforce"), an_event("sqs-enforcement-request"))


def a_review_of_nothing(_: StubbedAws) -> None:
    invoke(load("review_findings"), an_event("scheduled-review"))


def a_review_of_what_is_late(_: StubbedAws) -> None:
    invoke(load("review_findings"), {"review": "late"})


def a_review(aws: StubbedAws) -> None:
    """Of a proven finding, one in doubt, and one that is exempt."""
    a_bad_cluster(aws)
    event = happened("emr-cluster-state-change-running")
    event["detail"]["clusterId"] = "j-DOUBT"
    aws.answer("DescribeCluster", describe_cluster)
    aws.answer("DescribeKey", AwsError("AccessDeniedException"))
    invoke(load("check_cluster"), event)
    exemption = {"until": "2026-12-31", "reason": "it ends", "approved_by": "security"}
    with_policy(aws, exemptions=[exemption | {"cluster": {"id": "j-EXEMPT"}, "rules": ["*"]}])
    aws.answer("DescribeCluster", without_a_key)
    event["detail"]["clusterId"] = "j-EXEMPT"
    invoke(load("check_cluster"), event)
    invoke(load("review_findings"), an_event("scheduled-review"))


def a_policy_that_is_none(aws: StubbedAws) -> None:
    with_policy(aws, mode="lenient")
    aws.answer(
        "GetKeyRotationStatus", {"KeyRotationEnabled": True}
    )  # the strict defaults ask, and find
    a_good_cluster(aws)


def a_rescan(aws: StubbedAws) -> None:
    """Of one cluster and one log object, which takes as long as an event was late."""
    run = {
        "execution": f"{MACHINE}:1",
        "started": (NOW - LATE).isoformat(),
        "scope": "all",
        "deep": False,
    }
    reports = an_account_with_one_cluster(aws)
    invoke(load("plan_rescan"), {"execution": run["execution"], "input": {}})
    for kind in ShardKind:
        [shard] = reports.objects[f"rescans/1/shards/{kind}.jsonl"].splitlines()
        invoke(load("scan_shard"), {"rescan": run, "shard": json.loads(shard)})
    del reports.objects[next(key for key in reports.objects if key.startswith(LOST))]
    invoke(load("finish_rescan"), {"rescan": run})


def a_rescan_after_an_event_was_missed(aws: StubbedAws) -> None:
    a_rescan_that_finds_nothing(aws)
    invoke(load("plan_rescan"), {"execution": f"{MACHINE}:2", "input": {}})


def a_rescan_that_finds_nothing(aws: StubbedAws) -> None:
    """And is over when the first cluster is launched."""
    first = Reports(aws)
    aws.answer("ListClusters", {"Clusters": []})
    aws.answer("ListObjectsV2", first.list)
    planned = invoke(load("plan_rescan"), {"execution": f"{MACHINE}:1", "input": {}})
    invoke(load("finish_rescan"), {"rescan": planned["rescan"]})
    an_account_with_one_cluster(aws).objects.update(first.objects)
    over = {"executionArn": f"{MACHINE}:1", "stateMachineArn": "arn", "startDate": NOW}
    aws.answer("DescribeExecution", over | {"status": "SUCCEEDED"})


TERMINATED = {"State": "TERMINATED", "StateChangeReason": {}}
LOST = "rescans/1/done/"
OPENED: Measured = {"ClustersChecked": 1, "AlertLatency": 42, "EnforcementScheduled": 1}


def a_webhook_of_no_use(aws: StubbedAws) -> None:
    aws.answer("GetSecretValue", AwsError("AccessDeniedException"))
    with pytest.raises(InvalidWebhookError):
        invoke(load("notify_slack"), an_event("sns-alert"))


def a_log_that_is_reencrypted(aws: StubbedAws) -> None:
    Log(aws)
    reencrypting(aws)
    invoke(load("reencrypt"), an_event("sqs-reencryption-request"))


def a_log_that_cannot_be_reencrypted(aws: StubbedAws) -> None:
    a_log = Log(aws)
    a_log.head = {}
    reencrypting(aws)
    invoke(load("reencrypt"), an_event("sqs-reencryption-request"))


SCENARIOS: dict[Scenario, Measured] = {
    a_log_that_is_reencrypted: {"LogObjectsReencrypted": 1, "EmrApiCalls": 1},
    a_log_that_cannot_be_reencrypted: {
        "LogObjectsReencrypted": 0,
        "RemediationFailed": 1,
        "EmrApiCalls": 1,
    },
    a_good_cluster: {"ClustersChecked": 1, "EmrApiCalls": 2},
    a_bad_cluster: OPENED | {"EmrApiCalls": 2},
    a_launch_that_emr_throttles: {
        "EmrApiCalls": 1,
        "EmrApiThrottled": 1,
        "OldestUncheckedLaunch": 42,
    },
    a_poison_message: {"MessagesFailed": 1},
    a_bad_log_object: {
        "LogObjectsChecked": 1,
        "AlertLatency": 42,
        "EnforcementScheduled": 1,
        "EmrApiCalls": 1,
    },
    a_termination_that_comes_to_its_end: OPENED
    | {"ClustersChecked": 2, "EnforcementDone": 1, "EmrApiCalls": 6},
    a_termination_that_emr_refuses: OPENED | {"EnforcementFailed": 1, "EmrApiCalls": 6},
    a_request_for_a_protected_cluster: OPENED | {"EnforcementSkipped": 1, "EmrApiCalls": 5},
    a_review_of_what_is_late: {"NotificationsPending": 0},
    a_review_of_nothing: NOTHING_OPEN,
    a_review: NOTHING_OPEN
    | {
        "ClustersChecked": 3,
        "AlertLatency": 84,
        "EmrApiCalls": 6,
        "EnforcementScheduled": 1,
        "OpenHighFindings": 1,
        "UndeterminedFindings": 3,  # the rules that need the key
        "ExemptFindings": 1,
    },
    a_policy_that_is_none: {
        "ClustersChecked": 1,
        "PolicyInvalid": 1,
        "AlertLatency": 42,
        "EmrApiCalls": 2,
    },
    a_webhook_of_no_use: {"WebhooksUnusable": 1},
    a_rescan: {
        "EmrApiCalls": 3,
        "ClustersChecked": 1,
        "ClustersRescanned": 1,
        "LogObjectsRescanned": 1,
        "RescanDuration": 42,
        "RescanCoverage": 50,
    },
    a_rescan_after_an_event_was_missed: {
        "EmrApiCalls": 3,
        "RescanDuration": 0,
        "RescanCoverage": 100,
        "ClustersMissedByEvents": 1,
    },
}


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.__name__)
def test_each_scenario_emits_its_metrics(
    aws: StubbedAws, capsys: pytest.CaptureFixture[str], scenario: Scenario
) -> None:
    scenario(aws)

    assert measured(capsys.readouterr().out) == SCENARIOS[scenario]


def test_every_metric_is_emitted_by_a_scenario() -> None:
    assert {name for found in SCENARIOS.values() for name in found} == set(Metric)


def test_metrics_have_one_namespace_and_dimension(
    aws: StubbedAws, capsys: pytest.CaptureFixture[str]
) -> None:
    a_review(aws)

    found = [d for r in records(capsys.readouterr().out) for d in r["_aws"]["CloudWatchMetrics"]]
    assert found
    for directive in found:
        assert (directive["Namespace"], directive["Dimensions"]) == ("EmrLogGuard", [["service"]])


def test_service_dimension_is_the_same_for_every_function(
    aws: StubbedAws, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "check_cluster")
    a_good_cluster(aws)

    [record] = records(capsys.readouterr().out)
    assert record["service"] == "emr-log-guard"


def test_cluster_known_from_an_event_is_not_missed_by_events(
    aws: StubbedAws, capsys: pytest.CaptureFixture[str]
) -> None:
    a_rescan_that_finds_nothing(aws)
    a_good_cluster(aws)
    capsys.readouterr()
    invoke(load("plan_rescan"), {"execution": f"{MACHINE}:2", "input": {}})

    assert measured(capsys.readouterr().out) == {"EmrApiCalls": 2, "ClustersMissedByEvents": 0}


def test_partial_rescan_measures_only_its_coverage(
    aws: StubbedAws, capsys: pytest.CaptureFixture[str]
) -> None:
    reports = Reports(aws)
    aws.answer("ListClusters", {"Clusters": []})
    aws.answer("ListObjectsV2", reports.list)
    event = {"execution": f"{MACHINE}:1", "input": {"scope": "clusters"}}
    planned = invoke(load("plan_rescan"), event)
    invoke(load("finish_rescan"), {"rescan": planned["rescan"]})

    assert measured(capsys.readouterr().out) == {"EmrApiCalls": 1, "RescanCoverage": 100}


def test_no_function_emits_a_cold_start_metric() -> None:
    """Lambda reports them in its logs, and X-Ray shows them."""
    for app in (ROOT / "functions").glob("*/app.py"):
        assert "capture_cold_start_metric" not in app.read_text()
