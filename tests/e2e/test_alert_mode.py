"""Mode alert: violations are found and alerted, and nothing can be terminated."""

import json
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from emr_log_guard.domain.finding_record import SKEW
from sandbox.demo.scenarios import VIOLATIONS, Scenario
from sandbox.fixtures import OTHER_ACCOUNT, OTHER_ACCOUNTS_BUCKET
from sandbox.polling import wait_for
from sandbox.running import DEFAULT_STACK
from tests.e2e.deployed import Deployed, batch, cluster_event, object_event
from tests.template.stack import ROOT

pytestmark = pytest.mark.xdist_group("alert_mode")

DEFAULT_POLICIES = ROOT / "tests/unit/domain/aws_managed_policies"

type Eventually = Callable[..., Any]


@pytest.mark.parametrize("scenario", VIOLATIONS, ids=lambda scenario: scenario.title)
def test_each_scenario_violates_exactly_its_own_rule(
    alert_mode: Deployed, eventually: Eventually, scenario: Scenario
) -> None:
    cluster_id = scenario.launch(alert_mode.fixtures, alert_mode.keys)

    alerts = eventually(lambda: alert_mode.inbox.about(cluster_id))

    # Once for EMR's event, and once for CloudTrail's.
    assert {(f["rule_id"], f["compliance"]) for a in alerts for f in a["findings"]} == {
        (scenario.rule, "NON_COMPLIANT")
    }
    assert {alert["next_step"] for alert in alerts} == {"nothing_in_alert_mode"}


def test_compliant_cluster_and_its_logs_cause_no_alert(
    alert_mode: Deployed, eventually: Eventually
) -> None:
    fixtures, keys = alert_mode.fixtures, alert_mode.keys
    cluster_id = fixtures.launch("made-right", LogEncryptionKmsKeyId="alias/emr-logs")
    for number in range(3):
        fixtures.write_log(cluster_id, f"node/i-{number}/log.gz", keys.encrypt(keys.approved))

    assert set(eventually(lambda: alert_mode.verdicts(cluster_id))) == {"COMPLIANT"}
    logs = eventually(lambda: evaluated_logs(alert_mode, cluster_id, 3))
    assert {record["compliance"] for record in logs} == {"COMPLIANT"}
    assert not alert_mode.inbox.about(cluster_id)


def test_log_bucket_of_another_account_complies_if_the_policy_lists_its_owner(
    alert_mode: Deployed, eventually: Eventually
) -> None:
    ssm, name = alert_mode.account.client("ssm"), alert_mode.outputs["PolicyParameterName"]
    policy = json.loads(ssm.get_parameter(Name=name)["Parameter"]["Value"])

    with alert_mode.policy(json.dumps(policy | {"log_bucket_owners": [OTHER_ACCOUNT]})):
        alert_mode.forget("CheckLogObjectsFunction")
        cluster_id = launch_to_partner(alert_mode)

        assert set(eventually(lambda: alert_mode.verdicts(cluster_id))) == {"COMPLIANT"}
        assert check_partners_log(alert_mode, cluster_id) == "COMPLIANT"
        assert alert_mode.recheck(cluster_id)["rules"]["EMRLOG-013"] == "COMPLIANT"
        assert not alert_mode.inbox.about(cluster_id)
    alert_mode.forget("CheckLogObjectsFunction")


def test_log_in_a_bucket_of_an_unlisted_account_is_not_read(
    alert_mode: Deployed,
) -> None:
    cluster_id = launch_to_partner(alert_mode)

    assert check_partners_log(alert_mode, cluster_id) == "INSUFFICIENT_DATA"
    assert alert_mode.recheck(cluster_id)["rules"]["EMRLOG-013"] == "NON_COMPLIANT"


def launch_to_partner(stack: Deployed) -> str:
    """Launch a cluster that is compliant but for the owner of its log bucket."""
    return stack.fixtures.launch(
        "partner",
        LogUri=f"s3://{OTHER_ACCOUNTS_BUCKET}/clusters/",
        LogEncryptionKmsKeyId=stack.keys.approved,
    )


def check_partners_log(stack: Deployed, cluster_id: str) -> str:
    """Check a good log in the other account's bucket, whose events go to that account."""
    good = stack.keys.encrypt(stack.keys.approved)
    key = stack.fixtures.write_log(cluster_id, "node/log.gz", good, bucket=OTHER_ACCOUNTS_BUCKET)
    event = batch(object_event(OTHER_ACCOUNTS_BUCKET, key))
    assert stack.invoke("CheckLogObjectsFunction", event) == ({"batchItemFailures": []}, None)
    [record] = wait_for(lambda: evaluated_logs(stack, cluster_id, 1))
    compliance: str = record["compliance"]
    return compliance


@pytest.mark.parametrize("policy", ["AmazonElasticMapReduceRole", "AmazonEMRServicePolicy_v2"])
def test_service_role_with_the_default_policy_and_a_region_lock_complies(
    alert_mode: Deployed, eventually: Eventually, policy: str
) -> None:
    fixtures = alert_mode.fixtures
    roles = fixtures.make_roles(suffix=f"-{policy}")
    document = json.loads((DEFAULT_POLICIES / f"{policy}.json").read_text())
    fixtures.attach_policy(roles["ServiceRole"], policy, document)
    region_lock = {
        "Effect": "Deny",
        "NotAction": "iam:*",
        "Resource": "*",
        "Condition": {"StringNotEquals": {"aws:RequestedRegion": "us-east-1"}},
    }
    for role, name in zip(roles.values(), ("service", "nodes"), strict=True):
        lock = {"Version": "2012-10-17", "Statement": [region_lock]}
        fixtures.attach_policy(role, f"{policy}-{name}-lock", lock)

    cluster_id = fixtures.launch("usual-roles", LogEncryptionKmsKeyId="alias/emr-logs", **roles)

    assert set(eventually(lambda: alert_mode.verdicts(cluster_id))) == {"COMPLIANT"}
    assert not alert_mode.inbox.about(cluster_id)


def evaluated_logs(stack: Deployed, cluster_id: str, count: int) -> list[dict[str, Any]]:
    """What was logged of a cluster's log objects, once so many were evaluated."""
    records = stack.function_logs.records(
        "check_log_objects", message="log objects checked", cluster_id=cluster_id
    )
    return records if sum(record["objects"] for record in records) >= count else []


def test_many_violating_objects_in_a_batch_cause_one_finding_in_one_alert(
    alert_mode: Deployed,
) -> None:
    cluster_id = alert_mode.fixtures.launch("many", LogEncryptionKmsKeyId=alert_mode.keys.approved)
    alert_mode.account.client("s3").create_bucket(Bucket="quiet-logs")
    quiet = alert_mode.fixtures.launch(
        "quiet", LogUri="s3://quiet-logs/clusters/", LogEncryptionKmsKeyId=alert_mode.keys.approved
    )
    events = [
        object_event(
            "quiet-logs",
            alert_mode.fixtures.write_log(quiet, f"node/{number}.gz", {}, bucket="quiet-logs"),
        )
        for number in range(20)
    ]

    assert alert_mode.invoke("CheckLogObjectsFunction", batch(*events)) == (
        {"batchItemFailures": []},
        None,
    )

    [alert] = alert_mode.about_logs(quiet)
    [finding] = alert["findings"]
    assert (finding["rule_id"], finding["occurrences"]) == ("EMRLOG-101", 20)
    assert len(finding["evidence"]["samples"]) == 5
    assert not alert_mode.inbox.about(cluster_id)


def test_object_with_a_customer_provided_key_is_alerted(
    alert_mode: Deployed, eventually: Eventually
) -> None:
    cluster_id = alert_mode.fixtures.launch("sse-c", LogEncryptionKmsKeyId=alert_mode.keys.approved)
    own_key = {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": "0" * 32}
    alert_mode.fixtures.write_log(cluster_id, "node/i-1/log.gz", own_key)

    [alert] = eventually(lambda: alert_mode.inbox.about(cluster_id))

    assert "SSE-C" in alert["findings"][0]["summary"]


def test_old_version_is_evaluated_by_its_own_encryption(alert_mode: Deployed) -> None:
    s3 = alert_mode.account.client("s3")
    s3.create_bucket(Bucket="versioned-logs")
    s3.put_bucket_versioning(Bucket="versioned-logs", VersioningConfiguration={"Status": "Enabled"})
    approved = alert_mode.keys.approved
    cluster_id = alert_mode.fixtures.launch(
        "versioned", LogUri="s3://versioned-logs/", LogEncryptionKmsKeyId=approved
    )
    key = f"{cluster_id}/node/log.gz"
    bad = s3.put_object(Bucket="versioned-logs", Key=key, Body=b"old")["VersionId"]
    s3.put_object(
        Bucket="versioned-logs", Key=key, Body=b"new", **alert_mode.keys.encrypt(approved)
    )

    alert_mode.invoke("CheckLogObjectsFunction", batch(object_event("versioned-logs", key, bad)))

    [alert] = alert_mode.about_logs(cluster_id)
    assert alert["findings"][0]["rule_id"] == "EMRLOG-101"
    assert alert["findings"][0]["evidence"]["samples"][0].endswith(bad)


def test_repeated_event_causes_one_alert_and_termination_resolves_it(
    alert_mode: Deployed, eventually: Eventually
) -> None:
    cluster_id = alert_mode.fixtures.launch("again-and-again")
    eventually(lambda: alert_mode.inbox.about(cluster_id))

    for _ in range(20):
        alert_mode.deliver(cluster_event(cluster_id))
    alert_mode.account.client("emr").terminate_job_flows(JobFlowIds=[cluster_id])

    [resolved] = eventually(lambda: alert_mode.inbox.about(cluster_id, "finding.resolved"))
    assert [finding["status"] for finding in resolved["findings"]] == ["RESOLVED"]
    kinds = [alert["kind"] for alert in alert_mode.inbox.about(cluster_id)]
    assert kinds == ["finding.opened", "finding.resolved"]


def test_settings_of_a_checked_cluster_are_stored(alert_mode: Deployed) -> None:
    cluster_id = alert_mode.fixtures.launch("known", LogEncryptionKmsKeyId=alert_mode.keys.approved)
    alert_mode.deliver(cluster_event(cluster_id))

    items = alert_mode.account.client("dynamodb").query(
        TableName=alert_mode.outputs["FindingsTableName"],
        KeyConditionExpression="pk = :pk",
        ExpressionAttributeValues={":pk": {"S": cluster_id}},
    )["Items"]

    stored = {item["sk"]["S"]: item for item in items}
    reading = stored.pop("reading")  # the lease of its first reading
    assert "expires" in reading
    assert stored.keys() == {"cluster"}


def test_stack_in_alert_mode_cannot_terminate_clusters(alert_mode: Deployed) -> None:
    assert not {name for name in alert_mode.resources() if name.startswith("Enforce")}
    iam = alert_mode.account.client("iam")
    policies = [
        policy
        for page in iam.get_paginator("get_account_authorization_details").paginate()
        for role in page["RoleDetailList"]
        if role["RoleName"].startswith("emr-log-guard")
        for policy in role["RolePolicyList"]
    ]
    assert policies
    assert "TerminateJobFlows" not in str(policies)


def test_forged_event_about_a_compliant_cluster_has_no_effect(alert_mode: Deployed) -> None:
    cluster_id = alert_mode.fixtures.launch(
        "innocent", LogEncryptionKmsKeyId=alert_mode.keys.approved
    )
    forged = cluster_event(cluster_id)
    forged["detail"] |= {"state": "RUNNING", "severity": "CRITICAL", "message": "no log key!"}

    summary = alert_mode.deliver(forged)

    assert (summary["compliance"], summary["actions"]) == ("COMPLIANT", [])
    assert not alert_mode.inbox.about(cluster_id)


def test_invalid_event_becomes_a_dead_letter(alert_mode: Deployed, eventually: Eventually) -> None:
    unreadable = '{"source": "aws.emr", "detail-type": "EMR Cluster State Change", "detail": {}}'
    with alert_mode.given_up_at_once("ClusterEventsQueue"):
        alert_mode.account.client("sqs").send_message(
            QueueUrl=alert_mode.resource("ClusterEventsQueue"), MessageBody=unreadable
        )

        assert eventually(lambda: alert_mode.dead_letters(unreadable))


def test_invalid_record_becomes_a_dead_letter_without_blocking_others(
    alert_mode: Deployed, eventually: Eventually
) -> None:
    sqs, queue = alert_mode.account.client("sqs"), alert_mode.resource("LogObjectsQueue")
    alert_mode.account.client("s3").create_bucket(Bucket="batched-logs")  # it sends no events
    cluster_id = alert_mode.fixtures.launch(
        "batched",
        LogUri="s3://batched-logs/clusters/",
        LogEncryptionKmsKeyId=alert_mode.keys.approved,
    )
    key = alert_mode.fixtures.write_log(cluster_id, "node/i-1/log.gz", {}, bucket="batched-logs")
    good = object_event("batched-logs", key)

    failures, error = alert_mode.invoke(
        "CheckLogObjectsFunction", batch("{not JSON", good, {"source": "aws.s3"})
    )

    assert error is None
    assert failures["batchItemFailures"] == [{"itemIdentifier": "m0"}, {"itemIdentifier": "m2"}]
    assert alert_mode.about_logs(cluster_id)
    with alert_mode.given_up_at_once("LogObjectsQueue"):
        sqs.send_message(QueueUrl=queue, MessageBody="{not JSON, number 2")
        assert eventually(lambda: alert_mode.dead_letters("{not JSON, number 2"))


def test_launcher_from_cloudtrail_is_recorded(alert_mode: Deployed, eventually: Eventually) -> None:
    cluster_id = alert_mode.fixtures.launch("whose")

    def launcher() -> str | None:
        """EMR's event may come first: then the alert does not have it, and the record does."""
        record = alert_mode.repository.read(cluster_id).records.get("EMRLOG-002")
        return record.finding.launched_by if record else None

    assert eventually(launcher).startswith("arn:aws:")
    [alert] = eventually(lambda: alert_mode.inbox.about(cluster_id))
    assert alert["kind"] == "finding.opened"


def test_disabled_key_alerts_for_its_clusters_and_is_resolved_when_enabled(
    alert_mode: Deployed, eventually: Eventually
) -> None:
    kms = alert_mode.account.client("kms")
    key = alert_mode.fixtures.make_key("to-be-lost")
    cluster_id = alert_mode.fixtures.launch(
        "loses-its-key", LogEncryptionKmsKeyId="alias/to-be-lost"
    )

    def known_to_work() -> bool:
        known = alert_mode.repository.read(cluster_id).known
        return known is not None and known.log_key_worked

    eventually(known_to_work)
    assert alert_mode.repository.using_key(key) == (cluster_id,)
    # Neither event of the launch comes late, and finds the key lost.
    eventually(lambda: alert_mode.launch_checked(cluster_id))
    eventually(lambda: alert_mode.inbox.about(cluster_id))

    def about(kind: str) -> list[dict[str, Any]]:
        alerts = alert_mode.inbox.about(cluster_id, kind)[:]
        return [a for a in alerts if a["findings"][0]["rule_id"] == "EMRLOG-201"]

    kms.disable_key(KeyId="alias/to-be-lost")
    [lost] = eventually(lambda: about("finding.opened"))
    assert (lost["findings"][0]["severity"], lost["next_step"]) == (
        "CRITICAL",
        "nothing_in_alert_mode",
    )
    time.sleep(SKEW.total_seconds())  # what is read sooner may have been read in either order
    kms.enable_key(KeyId=key)
    [back] = eventually(lambda: about("finding.resolved"))

    assert back["findings"][0]["status"] == "RESOLVED"
    assert [
        (alert["kind"], [finding["rule_id"] for finding in alert["findings"]])
        for alert in alert_mode.inbox.about(cluster_id)
    ] == [
        ("finding.opened", ["EMRLOG-006"]),  # the key is not approved
        ("finding.opened", ["EMRLOG-201"]),
        ("finding.resolved", ["EMRLOG-201"]),
    ]


def test_alias_moved_to_a_disabled_key_alerts_for_clusters_launched_with_it(
    alert_mode: Deployed, eventually: Eventually
) -> None:
    kms = alert_mode.account.client("kms")
    lost = alert_mode.fixtures.make_key("lost-from-the-start")
    alert_mode.fixtures.disable_key(lost)
    alert_mode.fixtures.make_key("moves")
    cluster_id = alert_mode.fixtures.launch("follows", LogEncryptionKmsKeyId="alias/moves")

    def known_to_work() -> bool:
        known = alert_mode.repository.read(cluster_id).known
        return known is not None and known.log_key_worked

    eventually(known_to_work)
    eventually(lambda: alert_mode.launch_checked(cluster_id))

    kms.update_alias(AliasName="alias/moves", TargetKeyId=lost)

    def notified() -> list[dict[str, Any]]:
        alerts = alert_mode.inbox.about(cluster_id, "finding.opened")[:]
        return [a for a in alerts if a["findings"][0]["rule_id"] == "EMRLOG-201"]

    [alert] = eventually(notified)
    assert lost in alert["findings"][0]["summary"]


def test_log_re_encrypted_with_another_key_is_alerted(
    alert_mode: Deployed, eventually: Eventually
) -> None:
    """Its bucket sends no events: only CloudTrail reports the object."""
    s3, approved = alert_mode.account.client("s3"), alert_mode.keys.approved
    s3.create_bucket(Bucket="silent-logs")
    cluster_id = alert_mode.fixtures.launch(
        "re-keyed", LogUri="s3://silent-logs/clusters/", LogEncryptionKmsKeyId=approved
    )
    good = alert_mode.keys.encrypt(approved)
    log = alert_mode.fixtures.write_log(cluster_id, "node/a b.gz", good, bucket="silent-logs")

    s3.update_object_encryption(
        Bucket="silent-logs",
        Key=log,
        ObjectEncryption={"SSEKMS": {"KMSKeyArn": alert_mode.fixtures.make_key("of-nobody")}},
    )

    alerts = eventually(lambda: alert_mode.about_logs(cluster_id))
    found = {finding["rule_id"]: finding for alert in alerts for finding in alert["findings"]}
    assert found["EMRLOG-103"]["compliance"] == "NON_COMPLIANT"
    assert found["EMRLOG-103"]["evidence"]["samples"] == [f"s3://silent-logs/{log}"]


def test_recheck_request_causes_a_check(alert_mode: Deployed, eventually: Eventually) -> None:
    cluster_id = alert_mode.fixtures.launch("again", LogEncryptionKmsKeyId=alert_mode.keys.approved)
    eventually(lambda: alert_mode.launch_checked(cluster_id))
    before = alert_mode.verdicts(cluster_id)

    alert_mode.account.client("events").put_events(
        Entries=[
            {
                "Source": "emr-log-guard",
                "DetailType": "Recheck Requested",
                "Detail": json.dumps({"stack": DEFAULT_STACK, "cluster_id": cluster_id}),
            }
        ]
    )

    assert eventually(lambda: len(alert_mode.verdicts(cluster_id)) > len(before))


def test_added_step_that_overrides_the_key_is_alerted(
    alert_mode: Deployed, eventually: Eventually
) -> None:
    cluster_id = alert_mode.fixtures.launch(
        "overridden", LogEncryptionKmsKeyId=alert_mode.keys.approved
    )
    key = alert_mode.fixtures.make_key("step-key")
    alert_mode.fixtures.make_log_bucket("elsewhere")
    logs = {"LogUri": "s3://elsewhere/", "EncryptionKeyArn": key}
    step = {
        "Name": "own-key",
        "HadoopJarStep": {"Jar": "command-runner.jar"},
        "StepMonitoringConfiguration": {"S3MonitoringConfiguration": logs},
    }

    emr = alert_mode.account.client("emr")
    [step_id] = emr.add_job_flow_steps(JobFlowId=cluster_id, Steps=[step])["StepIds"]
    [alert, *_] = eventually(lambda: alert_mode.inbox.about(cluster_id))

    [finding] = alert["findings"]
    assert (finding["rule_id"], finding["compliance"]) == ("EMRLOG-008", "NON_COMPLIANT")
    assert finding["evidence"]["steps"] == [f"{step_id}: s3://elsewhere/, {key}, PENDING"]


def test_log_bucket_without_events_causes_one_alert_about_the_bucket(
    alert_mode: Deployed, eventually: Eventually
) -> None:
    alert_mode.account.client("s3").create_bucket(Bucket="silent-logs")
    bucket = "arn:aws:s3:::silent-logs"
    clusters = [
        alert_mode.fixtures.launch(
            name, LogUri="s3://silent-logs/", LogEncryptionKmsKeyId=alert_mode.keys.approved
        )
        for name in ("silent", "as-silent")
    ]

    for cluster_id in clusters:
        alert_mode.launch_checked(cluster_id)
    [alert] = eventually(lambda: alert_mode.inbox.about(bucket))

    assert [alert_mode.inbox.about(cluster_id) for cluster_id in clusters] == [[], []]
    [finding] = alert["findings"]
    assert (finding["rule_id"], finding["compliance"]) == ("EMRLOG-009", "NON_COMPLIANT")
    assert "silent-logs sends no events to EventBridge" in finding["summary"]


@pytest.mark.parametrize(("own", "compliance"), [(True, "COMPLIANT"), (False, "NON_COMPLIANT")])
def test_log_of_a_step_is_evaluated_by_the_key_of_the_step(
    alert_mode: Deployed, eventually: Eventually, *, own: bool, compliance: str
) -> None:
    fixtures, keys = alert_mode.fixtures, alert_mode.keys
    bucket = f"step-logs-{compliance.lower().replace('_', '-')}"
    fixtures.make_log_bucket(bucket)
    key = fixtures.make_key(bucket)
    logs = {"LogUri": f"s3://{bucket}/clusters/", "EncryptionKeyArn": keys.approved}
    step = {
        "Name": "own-key",
        "HadoopJarStep": {"Jar": "command-runner.jar"},
        "StepMonitoringConfiguration": {"S3MonitoringConfiguration": logs},
    }
    cluster_id = fixtures.launch("stepped", LogEncryptionKmsKeyId=key, Steps=[step])
    [listed] = alert_mode.account.client("emr").list_steps(ClusterId=cluster_id)["Steps"]
    name = f"steps/{listed['Id']}/stderr.gz"

    fixtures.write_log(cluster_id, name, keys.encrypt(keys.approved if own else key), bucket=bucket)

    [record] = eventually(lambda: evaluated_logs(alert_mode, cluster_id, 1))
    assert record["compliance"] == compliance
    # Violations are alerted after they are evaluated.
    found = partial(alert_mode.about_logs, cluster_id)
    alerts = found() if own else eventually(found)
    rules = {finding["rule_id"] for alert in alerts for finding in alert["findings"]}
    assert rules == (set() if own else {"EMRLOG-103"})
