"""With SecurityHub=true: it shows the recorded findings, and suppressed ones terminate nothing.

The emulated account has no Security Hub: moto's answers on an endpoint of its own. It asks for no
permissions, so that those of Security Hub are tested as the template writes them, and no further.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from emr_log_guard.domain.compliance import Compliance
from emr_log_guard.domain.finding_record import LastNotified
from emr_log_guard.usecases.findings import update_record
from tests.e2e.deployed import Deployed, batch, cluster_event, deployed
from tests.security_hub import SecurityHub, security_hub

pytestmark = pytest.mark.xdist_group("security_hub")

type Eventually = Callable[..., Any]
BUS = "arn:aws:events:us-east-1:111122223333:event-bus/security"


@pytest.fixture(scope="module")
def hub() -> Iterator[SecurityHub]:
    """A Security Hub of this stack's own: another stack's findings would be unknown to it."""
    with security_hub() as server:
        yield server


@pytest.fixture(scope="module")
def stack(built: Path, hub: SecurityHub) -> Iterator[Deployed]:
    with deployed(
        built,
        Mode="enforce",
        EnforcementAllowed="true",
        SecurityHub="true",
        EventBusArn=BUS,
        GraceAtLaunchMinutes="60",
    ) as stack:
        stack.point("ImportFindingsFunction", "SECURITYHUB", hub.url)
        stack.point("EnforceFunction", "SECURITYHUB", hub.url)
        yield stack


def finding_id(stack: Deployed, cluster_id: str) -> str:
    return f"{stack.cluster_arn(cluster_id)}#EMRLOG-002"


def shown(hub: SecurityHub, found: str) -> tuple[str, str, str] | None:
    """How Security Hub shows a finding."""
    finding = hub.findings.get(found)
    if finding is None:
        return None
    return finding["Compliance"]["Status"], finding["Workflow"]["Status"], finding["RecordState"]


@contextmanager
def policy(stack: Deployed, **changes: object) -> Iterator[None]:
    """Have a policy with changes for a while; each change has what is open looked at again."""
    ssm, name = stack.account.client("ssm"), stack.outputs["PolicyParameterName"]
    usual = ssm.get_parameter(Name=name)["Parameter"]["Value"]
    other = json.dumps(json.loads(usual) | changes)
    ssm.put_parameter(Name=name, Value=other, Overwrite=True)
    stack.forget("CheckClusterFunction")
    try:
        yield
    finally:
        ssm.put_parameter(Name=name, Value=usual, Overwrite=True)
        stack.forget("CheckClusterFunction")


def enforce_now(stack: Deployed, cluster_id: str) -> object:
    """Have the grace be over that was announced, and `enforce` asked."""
    [record] = stack.repository.read(cluster_id).records.values()
    before = datetime.now(UTC) - timedelta(hours=2)
    announced = LastNotified(before, Compliance.NON_COMPLIANT, before)
    # The guard may be writing, too.
    update_record(
        stack.repository,
        record,
        lambda current: replace(current, opened_at=before, last_notified=announced),
    )
    arn = stack.cluster_arn(cluster_id)
    request = {"schema": "emr-log-guard/enforcement/1", "cluster_arn": arn}
    return stack.invoke("EnforceFunction", batch(request))


def test_finding_is_imported_and_archived_when_its_cluster_terminates(
    stack: Deployed, hub: SecurityHub, eventually: Eventually
) -> None:
    cluster_id = stack.fixtures.launch("shown")
    found = finding_id(stack, cluster_id)

    eventually(lambda: shown(hub, found) == ("FAILED", "NEW", "ACTIVE"))
    assert hub.findings[found]["Severity"]["Label"] == "HIGH"
    assert hub.findings[found]["ProductFields"]["emr-log-guard/cluster_name"] == "shown"

    stack.account.client("emr").terminate_job_flows(JobFlowIds=[cluster_id])
    eventually(lambda: shown(hub, found) == ("NOT_AVAILABLE", "RESOLVED", "ARCHIVED"))


def test_suppressed_or_unreadable_finding_skips_the_termination_and_is_alerted(
    stack: Deployed, hub: SecurityHub, eventually: Eventually
) -> None:
    skipped, doubted, ended = (stack.fixtures.launch(name) for name in ("s", "d", "e"))
    for cluster_id in (skipped, doubted, ended):
        found = finding_id(stack, cluster_id)
        eventually(lambda found=found: shown(hub, found) == ("FAILED", "NEW", "ACTIVE"))
    hub.suppress(finding_id(stack, skipped))

    assert enforce_now(stack, skipped) == ({"batchItemFailures": []}, None)
    [alert, *_] = eventually(lambda: stack.inbox.about(skipped, "enforcement.skipped"))
    assert alert["next_step"] == "skipped_suppressed"

    hub.failure = 403
    assert enforce_now(stack, doubted) == ({"batchItemFailures": []}, None)
    hub.failure = None
    [alert, *_] = eventually(lambda: stack.inbox.about(doubted, "enforcement.skipped"))
    assert alert["next_step"] == "skipped_undetermined"
    assert "InvalidAccessException" in alert["detail"]

    assert enforce_now(stack, ended) == ({"batchItemFailures": []}, None)
    eventually(lambda: stack.fixtures.state_of(ended) == "TERMINATED")
    assert stack.fixtures.state_of(skipped) == stack.fixtures.state_of(doubted) == "STARTING"


def test_finding_is_imported_after_an_outage_of_security_hub(
    stack: Deployed, hub: SecurityHub, eventually: Eventually
) -> None:
    hub.failure = 403
    cluster_id = stack.fixtures.launch("away")
    found = finding_id(stack, cluster_id)
    calls = len(hub.calls)
    eventually(lambda: len(hub.calls) > calls)
    assert found not in hub.findings

    hub.failure = None
    eventually(lambda: shown(hub, found) == ("FAILED", "NEW", "ACTIVE"))


def test_full_import_restores_every_finding(
    stack: Deployed, hub: SecurityHub, eventually: Eventually
) -> None:
    cluster_id = stack.fixtures.launch("anew")
    found = finding_id(stack, cluster_id)
    eventually(lambda: found in hub.findings)
    hub.backend.findings.clear()

    answer, error = stack.invoke(
        "ImportFindingsFunction", {"schema": "emr-log-guard/import-findings/1"}
    )

    assert (error, answer["refused"], answer["unknown"]) == (None, 0, 0)
    assert shown(hub, found) == ("FAILED", "NEW", "ACTIVE")


def test_events_are_put_on_the_named_bus(stack: Deployed, eventually: Eventually) -> None:
    events, sqs = stack.account.client("events"), stack.account.client("sqs")
    events.create_event_bus(Name="security")
    url = sqs.create_queue(QueueName="built-on-events")["QueueUrl"]
    events.put_rule(
        Name="all",
        EventBusName="security",
        EventPattern=json.dumps({"source": ["emr-log-guard"]}),
    )
    arn = "arn:aws:sqs:us-east-1:111122223333:built-on-events"
    events.put_targets(Rule="all", EventBusName="security", Targets=[{"Id": "q", "Arn": arn}])
    allow = {
        "Effect": "Allow",
        "Principal": {"Service": "events.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": arn,
    }
    policy = {"Version": "2012-10-17", "Statement": [allow]}
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": json.dumps(policy)})
    cluster_id = stack.fixtures.launch("emitted")
    seen: dict[str, dict[str, Any]] = {}

    def both() -> bool:
        answer = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)
        for message in answer.get("Messages", []):
            event = json.loads(message["Body"])
            if event["detail"]["cluster_id"] == cluster_id:
                seen[event["detail-type"]] = event
        return {"Finding Opened", "Enforcement Scheduled"} <= set(seen)

    eventually(both)
    opened = seen["Finding Opened"]
    assert opened["source"] == "emr-log-guard"
    assert opened["resources"] == [stack.cluster_arn(cluster_id)]
    assert opened["detail"]["id"] == finding_id(stack, cluster_id)
    assert seen["Enforcement Scheduled"]["detail"]["findings"][0]["deadline"]


def test_exemption_suppresses_the_finding_and_its_end_restores_it(
    stack: Deployed, hub: SecurityHub, eventually: Eventually
) -> None:
    cluster_id = stack.fixtures.launch("exempted")
    found = finding_id(stack, cluster_id)
    eventually(lambda: shown(hub, found) == ("FAILED", "NEW", "ACTIVE"))
    exemption = {
        "cluster": {"id": cluster_id},
        "rules": ["*"],
        "until": "2999-12-31",
        "reason": "moves",
        "approved_by": "ana",
    }

    with policy(stack, exemptions=[exemption]):
        eventually(lambda: shown(hub, found) == ("FAILED", "SUPPRESSED", "ACTIVE"))

    eventually(lambda: shown(hub, found) == ("FAILED", "NEW", "ACTIVE"))


def test_resolved_finding_passes_and_reopened_finding_fails(
    stack: Deployed, hub: SecurityHub, eventually: Eventually
) -> None:
    cluster_id = stack.fixtures.launch("resolved")
    found = finding_id(stack, cluster_id)
    eventually(lambda: shown(hub, found) == ("FAILED", "NEW", "ACTIVE"))

    with policy(stack, rules={"EMRLOG-002": {"enabled": False}}):
        eventually(lambda: shown(hub, found) == ("PASSED", "RESOLVED", "ACTIVE"))

    stack.deliver(cluster_event(cluster_id))
    eventually(lambda: shown(hub, found) == ("FAILED", "NEW", "ACTIVE"))
