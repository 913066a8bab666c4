"""Mode enforce: what is proven bad is ended within seconds, and nothing else is."""

import json
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest

from emr_log_guard.domain.termination import Stage, Termination
from emr_log_guard.usecases.findings import update_record, update_termination
from sandbox.alert_inbox import AlertInbox
from sandbox.fixtures import LOG_BUCKET
from tests.e2e.deployed import Deployed, batch, cluster_event, object_event
from tests.e2e.operating import Statement, command
from tests.slack import OK, Slack, text_of
from tests.template.stack import ROOT

pytestmark = pytest.mark.xdist_group("enforce_mode")

type Eventually = Callable[..., Any]
PROTECTED = {"KeepJobFlowAliveWhenNoSteps": True, "TerminationProtected": True}
EARLIER = timedelta(seconds=45)
FIRST = [{"itemIdentifier": "m0"}]
"""The batch's first message, to be delivered again."""


def done(stack: Deployed, cluster_id: str) -> list[dict[str, Any]]:
    """The alerts that a cluster's end was reported by."""
    return stack.inbox.about(cluster_id, "enforcement.done")


def test_cluster_without_a_key_is_alerted_terminated_and_reported(
    enforce_mode: Deployed, eventually: Eventually
) -> None:
    cluster_id = enforce_mode.fixtures.launch("no-key")

    eventually(lambda: enforce_mode.fixtures.state_of(cluster_id) == "TERMINATED")
    [end, *_] = eventually(lambda: done(enforce_mode, cluster_id))

    [notified, *_] = enforce_mode.inbox.about(cluster_id, "finding.opened")
    assert notified["next_step"] == "termination_requested"
    assert notified["findings"][0]["deadline"]
    assert end["next_step"] == "terminated"
    assert [finding["rule_id"] for finding in end["findings"]] == ["EMRLOG-002"]


def test_override_lifts_the_protection_of_the_violating_cluster_only(
    enforce_mode: Deployed, eventually: Eventually
) -> None:
    good = enforce_mode.fixtures.launch(
        "protected-good", Instances=PROTECTED, LogEncryptionKmsKeyId=enforce_mode.keys.approved
    )
    bad = enforce_mode.fixtures.launch("protected-bad", Instances=PROTECTED)

    eventually(lambda: enforce_mode.fixtures.state_of(bad) == "TERMINATED")

    eventually(lambda: done(enforce_mode, bad))
    cluster = enforce_mode.account.client("emr").describe_cluster(ClusterId=good)["Cluster"]
    assert cluster["TerminationProtected"] is True


def test_violating_log_object_terminates_its_cluster_if_the_policy_lists_the_rule(
    enforce_mode: Deployed, eventually: Eventually
) -> None:
    cluster_id = enforce_mode.fixtures.launch(
        "bad-log", LogEncryptionKmsKeyId=enforce_mode.keys.approved
    )
    enforce_mode.fixtures.write_log(cluster_id, "node/i-1/log.gz", {})

    eventually(lambda: enforce_mode.fixtures.state_of(cluster_id) == "TERMINATED")

    [end, *_] = eventually(lambda: done(enforce_mode, cluster_id))
    assert [finding["rule_id"] for finding in end["findings"]] == ["EMRLOG-101"]


def test_violation_of_an_unlisted_rule_is_alerted_and_not_enforced(
    enforce_mode: Deployed, eventually: Eventually
) -> None:
    cluster_id = enforce_mode.fixtures.launch("unlisted", LogUri=None)

    [notified, *_] = eventually(lambda: enforce_mode.inbox.about(cluster_id))

    assert [finding["rule_id"] for finding in notified["findings"]] == ["EMRLOG-001"]
    assert notified["next_step"] == "nothing_enforced"
    assert enforce_mode.fixtures.state_of(cluster_id) == "STARTING"


def test_request_for_a_compliant_cluster_causes_a_check_and_no_termination(
    enforce_mode: Deployed, eventually: Eventually
) -> None:
    cluster_id = enforce_mode.fixtures.launch(
        "framed", LogEncryptionKmsKeyId=enforce_mode.keys.approved
    )
    eventually(lambda: enforce_mode.launch_checked(cluster_id))
    before = len(enforce_mode.verdicts(cluster_id))

    requested_end(enforce_mode, cluster_id)

    verdicts = eventually(lambda: enforce_mode.verdicts(cluster_id)[before:])
    assert set(verdicts) == {"COMPLIANT"}
    assert enforce_mode.fixtures.state_of(cluster_id) == "STARTING"
    assert not enforce_mode.inbox.about(cluster_id)


def test_request_for_a_terminated_or_unknown_cluster_succeeds(
    enforce_mode: Deployed, eventually: Eventually
) -> None:
    cluster_id = enforce_mode.fixtures.launch(
        "gone", LogEncryptionKmsKeyId=enforce_mode.keys.approved
    )
    arn = enforce_mode.cluster_arn(cluster_id)
    enforce_mode.account.client("emr").terminate_job_flows(JobFlowIds=[cluster_id])
    eventually(lambda: enforce_mode.fixtures.state_of(cluster_id) == "TERMINATED")
    schema = "emr-log-guard/enforcement/1"
    unknown = arn.replace(cluster_id, "j-0NEVERLAUNCHED")

    for cluster_arn in (arn, unknown):
        request = {"schema": schema, "cluster_arn": cluster_arn}
        assert enforce_mode.invoke("EnforceFunction", batch(request)) == (
            {"batchItemFailures": []},
            None,
        )
        assert not enforce_mode.inbox.about(cluster_arn.rpartition("/")[2])


def test_unreadable_log_is_alerted_and_terminates_nothing(
    enforce_mode: Deployed,
) -> None:
    s3 = enforce_mode.account.client("s3")
    s3.create_bucket(Bucket="closed-logs")
    cluster_id = enforce_mode.fixtures.launch(
        "closed", LogUri="s3://closed-logs/", LogEncryptionKmsKeyId=enforce_mode.keys.approved
    )
    key = f"{cluster_id}/node/log.gz"
    s3.put_object(Bucket="closed-logs", Key=key, Body=b"x")
    enforce_mode.close_bucket("closed-logs")

    enforce_mode.invoke("CheckLogObjectsFunction", batch(object_event("closed-logs", key)))

    [alert] = enforce_mode.about_logs(cluster_id)
    [finding] = alert["findings"]
    assert (finding["rule_id"], finding["compliance"]) == ("EMRLOG-101", "INSUFFICIENT_DATA")
    assert alert["next_step"] == "nothing_enforced"
    assert enforce_mode.fixtures.state_of(cluster_id) == "STARTING"


def posts_about(slack: Slack, cluster_id: str) -> list[tuple[str, dict[str, Any]]]:
    """Give what was posted about a cluster, each with the webhook."""
    return [
        (path.split("/")[3], post)
        for path, post in zip(slack.paths, slack.posts, strict=False)
        if cluster_id in text_of(post)
    ]


def test_alert_reaches_slack_without_active_mentions(
    enforce_mode: Deployed, slack: Slack, eventually: Eventually
) -> None:
    cluster_id = enforce_mode.fixtures.launch("<!channel> *now*", LogUri=None)

    [(webhook, post), *_] = eventually(lambda: posts_about(slack, cluster_id))

    assert webhook == "B0"
    assert "&lt;!channel&gt; *now*" in post["text"]
    assert "<" not in post["text"]
    assert post["mrkdwn"] is False
    header, where_and_next, about, *_ = post["blocks"]
    assert (header["type"], header["text"]["type"]) == ("header", "plain_text")
    assert where_and_next["type"] == about["type"] == "rich_text"
    assert "<!channel> *now*" in text_of(about)


def test_alert_is_routed_by_the_tags_of_its_cluster(
    enforce_mode: Deployed, slack: Slack, eventually: Eventually
) -> None:
    secret = enforce_mode.make_webhook("emr-log-guard/slack/of-data", slack.url_of("DATA"))
    lost = "arn:aws:secretsmanager:us-east-1:000000000000:secret:emr-log-guard/slack/lost-AbCdEf"
    routes = [
        {"tag": {"team": "data"}, "webhook_secret_arn": secret},
        {"tag": {"team": "lost"}, "webhook_secret_arn": lost},
    ]
    policy = stored_policy(enforce_mode) | {
        "mode": "alert",
        "alerts": {"slack": {"routes": routes}},
    }
    with enforce_mode.policy(json.dumps(policy)):
        enforce_mode.forget("NotifySlackFunction")
        clusters = {
            team: enforce_mode.fixtures.launch(
                team, LogUri=None, Tags=[{"Key": "team", "Value": team}]
            )
            for team in ("data", "lost", "other")
        }
        posted = {
            team: eventually(partial(posts_about, slack, cluster_id))[0][0]
            for team, cluster_id in clusters.items()
        }
    enforce_mode.forget("NotifySlackFunction")

    assert posted == {"data": "DATA", "lost": "B0", "other": "B0"}
    eventually(
        lambda: enforce_mode.function_logs.records(
            "notify_slack", message="webhook is unusable", secret=lost
        )
    )


def test_post_rejected_by_slack_fails_the_function_without_exposing_the_url(
    enforce_mode: Deployed, slack: Slack
) -> None:
    alert = json.loads((ROOT / "events" / "sns-alert.json").read_text())
    slack.answers = [(410, b"channel_is_archived", {})]
    try:
        answer, error = enforce_mode.invoke("NotifySlackFunction", alert)
    finally:
        slack.answers = [OK]

    assert error == "Unhandled"
    assert "410: channel_is_archived" in answer["errorMessage"]
    assert slack.url not in json.dumps(answer)


def test_alert_reaches_amazon_q_in_its_own_format(
    enforce_mode: Deployed, eventually: Eventually
) -> None:
    inbox = AlertInbox(
        enforce_mode.account, enforce_mode.outputs["AmazonQTopicArn"], name="amazon-q"
    )
    cluster_id = enforce_mode.fixtures.launch("<!here> *now*", LogUri=None)
    arn = enforce_mode.cluster_arn(cluster_id)

    def notified() -> list[dict[str, Any]]:
        inbox.receive()
        return [each for each in inbox.alerts if each["metadata"]["threadId"] == arn]

    [first, *_] = eventually(notified)

    assert (first["version"], first["source"]) == ("1.0", "custom")
    assert "`\u2039!here\u203a *now*`" in first["content"]["description"]


def stored_policy(stack: Deployed) -> dict[str, Any]:
    """The policy that the stack was deployed with."""
    answer = stack.account.client("ssm").get_parameter(Name=stack.outputs["PolicyParameterName"])
    policy: dict[str, Any] = json.loads(answer["Parameter"]["Value"])
    return policy


def requested_end(stack: Deployed, cluster_id: str) -> None:
    """Ask `enforce` for a cluster's end, as a check had done before the policy changed."""
    assert requested(stack, cluster_id) == ({"batchItemFailures": []}, None)


def requested(stack: Deployed, cluster_id: str) -> tuple[Any, str | None]:
    """Ask `enforce` for a cluster's termination: its answer, and the kind of its error."""
    schema = "emr-log-guard/enforcement/1"
    request = {"schema": schema, "cluster_arn": stack.cluster_arn(cluster_id)}
    return stack.invoke("EnforceFunction", batch(request))


def test_policy_written_by_the_template_contains_the_parameters(
    enforce_mode: Deployed,
) -> None:
    policy = stored_policy(enforce_mode)

    assert policy["mode"] == "enforce"
    assert policy["approved_keys"] == enforce_mode.keys.approved_list.split(",")
    assert policy["enforcement"]["rules"][-1] == "EMRLOG-101"
    assert policy["enforcement"]["termination_protection"] == "override"


def test_observe_mode_sends_no_alert_and_terminates_nothing(
    enforce_mode: Deployed, eventually: Eventually
) -> None:
    with enforce_mode.policy(json.dumps(stored_policy(enforce_mode) | {"mode": "observe"})):
        cluster_id = enforce_mode.fixtures.launch("observed")
        verdicts = eventually(lambda: enforce_mode.verdicts(cluster_id))
        assert set(verdicts) == {"NON_COMPLIANT"}
        assert not enforce_mode.inbox.about(cluster_id)

        requested_end(enforce_mode, cluster_id)  # it re-reads the policy each time

        assert not enforce_mode.inbox.about(cluster_id)
        assert enforce_mode.fixtures.state_of(cluster_id) == "STARTING"


def changes_with(stack: Deployed, line: str) -> list[dict[str, Any]]:
    """Receive new alerts, and return those about a change of the policy with this line."""
    stack.inbox.receive()
    return [
        alert
        for alert in stack.inbox.alerts
        if alert["kind"] == "policy.changed" and line in alert["changes"]
    ]


def test_invalid_policy_alerts_by_the_last_valid_one_and_terminates_nothing(
    enforce_mode: Deployed, eventually: Eventually
) -> None:
    good = enforce_mode.fixtures.launch("before", LogEncryptionKmsKeyId=enforce_mode.keys.approved)
    enforce_mode.deliver(cluster_event(good))
    with enforce_mode.policy('{"mode": "enforce", "exemption": []}'):
        cluster_id = enforce_mode.fixtures.launch("while-invalid")
        [notified] = eventually(lambda: enforce_mode.inbox.about(cluster_id))
        assert requested(enforce_mode, cluster_id) == ({"batchItemFailures": FIRST}, None)

        assert [finding["rule_id"] for finding in notified["findings"]] == ["EMRLOG-002"]
        assert notified["next_step"] == "nothing_without_policy"
        assert enforce_mode.fixtures.state_of(cluster_id) == "STARTING"
        [invalid] = [a for a in enforce_mode.inbox.alerts if a["kind"] == "policy.invalid"]
        assert invalid["problems"] == ["exemption: no such field; correct its name, or remove it"]
        [changed] = eventually(lambda: changes_with(enforce_mode, '+  "exemption": []'))
        me = enforce_mode.account.client("sts").get_caller_identity()["Arn"]
        assert changed["changed_by"] == me


def test_exempt_cluster_is_neither_alerted_nor_terminated(
    enforce_mode: Deployed, eventually: Eventually
) -> None:
    exemption = {
        "cluster": {"name": "legacy-*"},
        "rules": ["EMRLOG-002"],
        "until": "2999-12-31",
        "reason": "moves to another account",
        "approved_by": "security@example.com",
    }
    with enforce_mode.policy(json.dumps(stored_policy(enforce_mode) | {"exemptions": [exemption]})):
        cluster_id = enforce_mode.fixtures.launch("legacy-etl")
        eventually(lambda: enforce_mode.verdicts(cluster_id))
        assert not enforce_mode.inbox.about(cluster_id)

        requested_end(enforce_mode, cluster_id)

        assert not enforce_mode.inbox.about(cluster_id)
        assert enforce_mode.fixtures.state_of(cluster_id) == "STARTING"


def graced(stack: Deployed, minutes: int) -> str:
    """The stack's policy with a grace period."""
    policy = stored_policy(stack)
    grace = {"grace_at_launch_minutes": minutes, "grace_running_minutes": minutes}
    return json.dumps(policy | {"enforcement": policy["enforcement"] | grace})


def write_policy(stack: Deployed, text: str) -> None:
    """Change the policy as an operator does, which starts a review of everything that is open."""
    stack.account.client("ssm").put_parameter(
        Name=stack.outputs["PolicyParameterName"], Value=text, Overwrite=True
    )


def test_cluster_is_terminated_at_the_end_of_its_grace(
    enforce_mode: Deployed, eventually: Eventually
) -> None:
    with enforce_mode.policy(graced(enforce_mode, 60)):
        cluster_id = enforce_mode.fixtures.launch("in-grace")
        [scheduled] = eventually(
            lambda: enforce_mode.inbox.about(cluster_id, "enforcement.scheduled")
        )
        [deadline] = {finding["deadline"] for finding in scheduled["findings"]}
        for _ in range(3):
            enforce_mode.deliver(cluster_event(cluster_id))
        eventually(lambda: enforce_mode.scheduled(cluster_id))
        requested_end(enforce_mode, cluster_id)  # before its time: nothing happens
        assert enforce_mode.fixtures.state_of(cluster_id) == "STARTING"
        assert enforce_mode.scheduled(cluster_id)
        [standing] = enforce_mode.repository.read(cluster_id).records.values()
        assert standing.finding.deadline
        assert standing.finding.deadline.replace(microsecond=0) == datetime.fromisoformat(deadline)

        # A minute of waiting is too long for a test: it opened a while before.
        update_record(
            enforce_mode.repository,
            standing,
            lambda current: replace(current, opened_at=current.opened_at - EARLIER),
        )
        write_policy(
            enforce_mode, graced(enforce_mode, 1)
        )  # less time, counted from when it opened
        eventually(lambda: enforce_mode.fixtures.state_of(cluster_id) == "TERMINATED")

        less = timedelta(minutes=59) + EARLIER
        assert datetime.now(UTC) >= datetime.fromisoformat(deadline) - less
        eventually(lambda: done(enforce_mode, cluster_id))
        eventually(lambda: not enforce_mode.scheduled(cluster_id))
        alerts = enforce_mode.inbox.about(cluster_id)
        assert [alert["kind"] for alert in alerts] == [
            "finding.opened",
            "enforcement.scheduled",
            "enforcement.scheduled",
            "enforcement.done",
        ]
        [sooner] = {finding["deadline"] for finding in alerts[2]["findings"]}
        assert datetime.fromisoformat(deadline) - datetime.fromisoformat(sooner) == less


def test_added_exemption_cancels_the_scheduled_termination(
    enforce_mode: Deployed, eventually: Eventually
) -> None:
    with enforce_mode.policy(graced(enforce_mode, 60)):
        cluster_id = enforce_mode.fixtures.launch("to-be-exempted")
        eventually(lambda: enforce_mode.scheduled(cluster_id))
        exemption = {
            "cluster": {"id": cluster_id},
            "rules": ["EMRLOG-002"],
            "until": "2999-12-31",
            "reason": "moves to another account",
            "approved_by": "security@example.com",
        }
        policy = json.loads(graced(enforce_mode, 60)) | {"exemptions": [exemption]}
        # The functions have the policy of a moment ago cached, and no event of EMR's comes.
        write_policy(enforce_mode, json.dumps(policy))
        [alert] = eventually(lambda: enforce_mode.inbox.about(cluster_id, "enforcement.skipped"))
        assert alert["findings"][0]["status"] == "EXEMPT"
        eventually(lambda: not enforce_mode.scheduled(cluster_id))
        requested_end(enforce_mode, cluster_id)
        assert enforce_mode.fixtures.state_of(cluster_id) == "STARTING"


def test_cluster_still_running_at_verification_is_alerted(
    enforce_mode: Deployed, eventually: Eventually
) -> None:
    with enforce_mode.policy(graced(enforce_mode, 60)):
        cluster_id = enforce_mode.fixtures.launch("stuck")
        eventually(lambda: enforce_mode.inbox.about(cluster_id, "enforcement.scheduled"))
        eventually(lambda: enforce_mode.launch_checked(cluster_id))
        accepted = Termination(
            cluster_id=cluster_id,
            stage=Stage.ACCEPTED,
            at=datetime.now(UTC),
            rules=("EMRLOG-002",),
        )
        # A check may still write down what it scheduled.
        update_termination(
            enforce_mode.repository,
            cluster_id,
            lambda now: replace(now or accepted, stage=Stage.ACCEPTED),
        )
        request = {
            "schema": "emr-log-guard/enforcement/1",
            "cluster_arn": enforce_mode.cluster_arn(cluster_id),
            "verify": True,
        }
        assert enforce_mode.invoke("EnforceFunction", batch(request)) == (
            {"batchItemFailures": []},
            None,
        )

        [alert] = enforce_mode.inbox.about(cluster_id, "enforcement.failed")
        assert alert["next_step"] == "still_running"


def test_violating_log_objects_are_reencrypted_without_terminating_their_cluster(
    enforce_mode: Deployed, eventually: Eventually
) -> None:
    key = enforce_mode.keys.approved
    policy = {"mode": "alert", "reencryption": {"enabled": True, "default_key": key}}
    with enforce_mode.policy(json.dumps(policy)):
        enforce_mode.forget("CheckLogObjectsFunction")
        cluster_id = enforce_mode.fixtures.launch("no-key")
        eventually(lambda: enforce_mode.launch_checked(cluster_id))
        logs = [
            enforce_mode.fixtures.write_log(cluster_id, f"node/i-1/log-{n}.gz", {})
            for n in range(20)
        ]

        def reencrypted() -> bool:
            records = enforce_mode.repository.read(cluster_id).records
            record = records.get("EMRLOG-101")
            return record is not None and record.reencryption.count == 20 and not record.open

        eventually(reencrypted)

        [done] = enforce_mode.inbox.about(cluster_id, "remediation.done")
        assert done["next_step"] == "logs_reencrypted"
        opened = enforce_mode.inbox.about(cluster_id, "finding.opened")
        rules = {finding["rule_id"] for alert in opened for finding in alert["findings"]}
        assert rules == {"EMRLOG-002"}
        assert enforce_mode.fixtures.state_of(cluster_id) == "STARTING"
    enforce_mode.forget("CheckLogObjectsFunction")
    assert_encrypted(enforce_mode, logs, key)


def assert_encrypted(stack: Deployed, logs: Iterable[str], key: str) -> None:
    s3 = stack.account.client("s3")
    for log in logs:
        head = s3.head_object(Bucket=LOG_BUCKET, Key=log)
        assert (head["ServerSideEncryption"], head["SSEKMSKeyId"]) == ("aws:kms", key)


def dry_run(stack: Deployed, cluster_id: str) -> dict[str, Any]:
    """Count as an operator does, with the permissions that docs/operations.md names."""
    actions = [
        "cloudformation:ListStackResources",
        "ssm:GetParameter",
        "states:StartExecution",
        "states:DescribeExecution",
        "s3:GetObject",
        "kms:Decrypt",
        "kms:GetKeyPolicy",
    ]
    allow: Statement = {"Effect": "Allow", "Action": actions, "Resource": "*"}
    arguments = ("--batch-job", "--json", "--quiet", "--cluster", cluster_id)
    result = command(stack, [allow], "reencrypt", *arguments)
    assert (result.returncode, result.stderr) == (1, "")
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def test_logs_from_before_are_reencrypted_by_a_rescan(
    enforce_mode: Deployed, eventually: Eventually
) -> None:
    key = enforce_mode.keys.approved
    states = enforce_mode.account.client("stepfunctions")
    with enforce_mode.policy(json.dumps({"mode": "alert"})):
        enforce_mode.forget("CheckLogObjectsFunction")
        cluster_id = enforce_mode.fixtures.launch("from-before")
        eventually(lambda: enforce_mode.launch_checked(cluster_id))
        logs = [
            enforce_mode.fixtures.write_log(cluster_id, f"{folder}/log-{n}.gz", {})
            for folder in ("node", "steps")
            for n in range(20)
        ]

        def violations() -> int:
            record = enforce_mode.repository.read(cluster_id).records.get("EMRLOG-101")
            return record.finding.occurrences if record else 0

        eventually(lambda: violations() == 40)
        reencrypting = {"mode": "alert", "reencryption": {"enabled": True, "default_key": key}}
        with enforce_mode.policy(json.dumps(reencrypting)):  # which deletes the open findings
            asked = {"scope": "log_objects", "reencrypt": True, "cluster": cluster_id}

            def rescanned() -> dict[str, Any]:
                execution = states.start_execution(
                    stateMachineArn=enforce_mode.outputs["RescanStateMachineArn"],
                    input=json.dumps(asked),
                )["executionArn"]

                def ended() -> dict[str, Any] | None:
                    found: dict[str, Any] = states.describe_execution(executionArn=execution)
                    return None if found["status"] == "RUNNING" else found

                end = eventually(ended)
                assert end["status"] == "SUCCEEDED", end
                answer: dict[str, Any] = json.loads(end["output"])
                return answer

            def reencrypted() -> bool:
                record = enforce_mode.repository.read(cluster_id).records.get("EMRLOG-101")
                return record is not None and record.reencryption.count == 40 and not record.open

            found = dry_run(enforce_mode, cluster_id)
            assert (found["to_reencrypt"], found["refused"]) == (40, [])
            [job] = found["batch_operations"]["jobs"]
            assert (job["bucket"], job["former"], job["key_arn"]) == (LOG_BUCKET, "SSE-S3", key)
            assert (job["objects"], job["prefix"].endswith(f"/{cluster_id}/")) == (40, True)
            [readers] = found["readers"]
            assert (readers["former"], readers["key_arn"]) == ("SSE-S3", key)
            assert readers["unread"] == []
            assert violations() == 40
            assert rescanned()["to_reencrypt"] == 40
            eventually(reencrypted)
    enforce_mode.forget("CheckLogObjectsFunction")
    assert_encrypted(enforce_mode, logs, key)
