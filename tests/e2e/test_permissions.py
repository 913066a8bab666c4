"""Every permission in the template is needed: without it, the function does something else."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from emr_log_guard.domain.findings import Status
from emr_log_guard.domain.log_objects import ObjectVersion
from emr_log_guard.domain.rescan import ShardKind
from emr_log_guard.domain.termination import Stage, Termination
from sandbox.polling import wait_for
from sandbox.running import ACCOUNT_ID
from tests.e2e.deployed import Deployed, batch, cluster_event, enforcing, object_event
from tests.security_hub import REFUSED, SecurityHub
from tests.slack import Slack
from tests.template.stack import EVERYTHING, ROOT, Stack

pytestmark = pytest.mark.xdist_group("permissions")

STACK = Stack(EVERYTHING)
EVENTS = ROOT / "events"
TAKING = "TakeFromQueue"
ONLY_FOR_NAMED_BUCKETS = ("PlanRescanFunction", "DistinguishMissingCheckpoint")
PERMISSIONS = [
    (function, statement["Sid"], action)
    for function in sorted(STACK.functions)
    for statement in STACK.statements(function)
    for action in statement["Action"]
    # Taking from a queue is Lambda's doing, before any of our code runs: see below. And Secrets
    # Manager decrypts with its caller's permission, but the emulator does not ask for it. And the
    # next is only there where LogBuckets are named, which they are not here. Lambda reads streams,
    # and Security Hub is not the emulator's: it asks for no permissions.
    if (function, statement["Sid"]) != ONLY_FOR_NAMED_BUCKETS
    and statement["Sid"]
    not in {
        TAKING,
        "DecryptWebhooks",
        "ReadStream",
        "FindStream",
    }
    and not action.startswith("securityhub:")
]
OUTCOMES = ("enforcement.done", "enforcement.skipped", "enforcement.failed")
BUCKETS = ("plain-logs", "versioned-logs")

fresh = count()


@pytest.fixture(scope="module")
def quiet(built: Path, slack: Slack, hub: SecurityHub) -> Iterator[Deployed]:
    """A stack of its own that no event or alert reaches: only the tests invoke its functions."""
    with enforcing(built, slack, hub) as stack:
        silence(stack)
        s3 = stack.account.client("s3")
        for bucket in BUCKETS:
            s3.create_bucket(Bucket=bucket)
        s3.put_bucket_versioning(
            Bucket="versioned-logs", VersioningConfiguration={"Status": "Enabled"}
        )
        with stack.policy(policy_with_routes(stack, slack)):
            stack.forget("CheckLogObjectsFunction")
            yield stack


def silence(stack: Deployed) -> None:
    """Have events and alerts reach no function."""
    events, sns = stack.account.client("events"), stack.account.client("sns")
    rules = [
        stack.resource(name)
        for name in STACK.of_type("AWS::Events::Rule")
        if name != "LogObjectCreatedRule"
    ]
    functions = [
        subscription
        for subscription in sns.list_subscriptions_by_topic(
            TopicArn=stack.outputs["AlertsTopicArn"]
        )["Subscriptions"]
        if subscription["Protocol"] == "lambda"
    ]
    stream = stack.resource("ImportFindingsMapping")
    stack.account.client("lambda").update_event_source_mapping(UUID=stream, Enabled=False)
    for rule in rules:
        events.disable_rule(Name=rule)
    for each in functions:
        sns.unsubscribe(SubscriptionArn=each["SubscriptionArn"])


def policy_with_routes(stack: Deployed, slack: Slack) -> str:
    """Write the stack's policy with a grace period and a Slack route."""
    stored = stack.account.client("ssm").get_parameter(Name=stack.outputs["PolicyParameterName"])
    policy = json.loads(stored["Parameter"]["Value"])
    graced = {"grace_at_launch_minutes": 60, "grace_running_minutes": 60}
    route = {
        "tag": {"team": "data"},
        "webhook_secret_arn": stack.make_webhook("emr-log-guard/slack/data", slack.url_of("DATA")),
    }
    changes = {
        "alerts": {"slack": {"routes": [route]}},
        "rules": {"EMRLOG-011": {"enabled": True}},
        "reencryption": {"enabled": True, "rules": ["EMRLOG-102"]},
        "enforcement": policy["enforcement"] | graced,
    }
    return json.dumps(policy | changes)


@contextmanager
def without(stack: Deployed, function: str, sid: str, action: str) -> Iterator[None]:
    """Take one action out of one statement of a function's role, and give it back.

    A managed policy is replaced by an inline one without the action: other functions keep it.
    """
    iam = stack.account.client("iam")
    role = (
        stack.account.client("lambda")
        .get_function(FunctionName=stack.resource(function))["Configuration"]["Role"]
        .rpartition("/")[2]
    )
    inline = {
        name: iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]
        for name in iam.list_role_policies(RoleName=role)["PolicyNames"]
    }
    managed = {
        arn: iam.get_policy_version(PolicyArn=arn, VersionId=version)["PolicyVersion"]["Document"]
        for name in STACK.managed_policies(function)
        if (arn := stack.resource(name))
        and (version := iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"])
    }
    [(name, document)] = [
        (name, document)
        for name, document in (inline | managed).items()
        if any(statement.get("Sid") == sid for statement in document["Statement"])
    ]
    changed = json.loads(json.dumps(document))
    statement = next(each for each in changed["Statement"] if each.get("Sid") == sid)
    actions = (
        statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
    )
    assert action in actions
    statement["Action"] = [each for each in actions if each != action] or ["none:None"]
    place = "changed" if name in managed else name
    iam.put_role_policy(RoleName=role, PolicyName=place, PolicyDocument=json.dumps(changed))
    if name in managed:
        iam.detach_role_policy(RoleName=role, PolicyArn=name)
    try:
        yield
    finally:
        if name in managed:
            iam.attach_role_policy(RoleName=role, PolicyArn=name)
            iam.delete_role_policy(RoleName=role, PolicyName=place)
        else:
            iam.put_role_policy(RoleName=role, PolicyName=name, PolicyDocument=json.dumps(document))


def notified(
    stack: Deployed, cluster_id: str, *kinds: str
) -> list[tuple[str, str, list[tuple[str, str]]]]:
    """What was said of a cluster: the alerts of these kinds, each with its findings."""
    return [
        (
            alert["kind"],
            alert["next_step"],
            [(finding["rule_id"], finding["compliance"]) for finding in alert["findings"]],
        )
        for alert in stack.inbox.about(cluster_id)
        if alert["kind"] in kinds
    ]


def make_roles(stack: Deployed, suffix: int) -> dict[str, str]:
    """Make roles of which one has a condition that the simulation is not given, as EMR's has."""
    roles = stack.fixtures.make_roles(suffix=f"-{suffix}")
    stack.fixtures.attach_conditional_policy(roles["ServiceRole"])
    return roles


def check_cluster(stack: Deployed) -> object:
    """Have a good cluster and a bad one checked, with roles, key and bucket never seen before."""
    suffix = next(fresh)
    stack.fixtures.make_log_bucket(f"logs-{suffix}")
    roles = make_roles(stack, suffix)
    key = stack.fixtures.make_key(f"key-{suffix}")
    stack.account.client("kms").enable_key_rotation(KeyId=key)
    good = stack.fixtures.launch(
        "good",
        LogUri=f"s3://logs-{suffix}/",
        LogEncryptionKmsKeyId=key,
        SessionEnabled=True,
        **roles,
    )
    bad, scheduled, overdue = (stack.fixtures.launch("bad") for _ in range(3))
    stack.schedule(scheduled)
    stack.opened_long_ago(overdue, "EMRLOG-002")
    summary, error = stack.invoke("CheckClusterFunction", cluster_event(good))
    errors = [stack.check(each) for each in (bad, scheduled, overdue)]
    alerts = notified(stack, bad, "finding.opened")
    stack.account.client("emr").terminate_job_flows(JobFlowIds=[good, bad])
    wait_for(lambda: stack.fixtures.state_of(bad) == "TERMINATED" == stack.fixtures.state_of(good))
    ended = [stack.check(each, "TERMINATED") for each in (good, bad)]
    bucket = notified(stack, f"arn:aws:s3:::logs-{suffix}", "finding.opened")
    return summary.get("rules"), error, errors, alerts, bucket, ended, stack.scheduled(bad)


def check_log_objects(stack: Deployed) -> object:
    """Have log objects checked: of both kinds of buckets, a missing one, and a bad one."""
    s3 = stack.account.client("s3")
    key = stack.fixtures.make_key(f"key-{next(fresh)}")
    seen: list[object] = []
    for bucket in BUCKETS:
        cluster_id = stack.fixtures.launch(
            "logs", LogUri=f"s3://{bucket}/", LogEncryptionKmsKeyId=key
        )
        log = f"{cluster_id}/node/log.gz"
        version = s3.put_object(Bucket=bucket, Key=log, Body=b"x", **stack.keys.encrypt(key))
        good = object_event(bucket, log, version.get("VersionId"))
        gone = object_event(bucket, f"{cluster_id}/node/gone.gz")
        seen += [
            stack.invoke("CheckLogObjectsFunction", batch(good, gone)),
            notified(stack, cluster_id, "finding.opened"),
        ]
        s3.put_object(Bucket=bucket, Key=f"{cluster_id}/node/bad.gz", Body=b"x")
        bad = object_event(bucket, f"{cluster_id}/node/bad.gz")
        _, error = stack.invoke("CheckLogObjectsFunction", batch(bad))
        seen += [error, notified(stack, cluster_id, "finding.opened")]
    return [
        *seen,
        *check_log_of_step(stack),
        *check_logs_in_grace(stack),
        check_log_to_reencrypt(stack),
    ]


def check_log_to_reencrypt(stack: Deployed) -> object:
    """Have a log checked whose key is AWS-managed, which is then to be re-encrypted."""
    good = {"LogEncryptionKmsKeyId": stack.keys.approved, "LogUri": "s3://plain-logs/"}
    log = f"{stack.fixtures.launch('logs', **good)}/node/log.gz"
    stack.account.client("s3").put_object(
        Bucket="plain-logs", Key=log, Body=b"x", ServerSideEncryption="aws:kms"
    )
    return stack.invoke("CheckLogObjectsFunction", batch(object_event("plain-logs", log)))


def check_logs_in_grace(stack: Deployed) -> Iterator[object]:
    """Have bad logs checked whose cluster's end is to be scheduled, moved, cancelled, or due."""
    s3 = stack.account.client("s3")
    good = {"LogEncryptionKmsKeyId": stack.keys.approved, "LogUri": "s3://plain-logs/"}
    for case in ("new", "scheduled", "overdue", "remediated"):
        cluster_id = stack.fixtures.launch("logs", **good)
        log = f"{cluster_id}/node/bad.gz"
        s3.put_object(Bucket="plain-logs", Key=log, Body=b"x")
        if case == "scheduled":
            stack.schedule(cluster_id)
        if case == "overdue":
            stack.opened_long_ago(cluster_id, "EMRLOG-101")
        yield stack.invoke("CheckLogObjectsFunction", batch(object_event("plain-logs", log)))
        if case == "remediated":
            s3.delete_object(Bucket="plain-logs", Key=log)
            again = {
                "schema": "emr-log-guard/recheck-log-object/1",
                "account": "000000000000",
                "region": "us-east-1",
                "cluster_id": cluster_id,
                "bucket": "plain-logs",
                "key": log,
            }
            yield stack.invoke("CheckLogObjectsFunction", batch(again))
        yield stack.scheduled(cluster_id)


def check_key(stack: Deployed) -> object:
    """Have a key and its alias looked at, which a cluster logs with, and a key store."""
    alias = f"key-{next(fresh)}"
    key = stack.fixtures.make_key(alias)
    stack.check(stack.fixtures.launch("key", LogEncryptionKmsKeyId=f"alias/{alias}"))
    changed = {
        "cloudtrail-disable-key": {"keyId": key},
        "cloudtrail-update-alias": {"aliasName": f"alias/{alias}", "targetKeyId": key},
        "cloudtrail-disconnect-custom-key-store": {"customKeyStoreId": "cks-of-nobody"},
    }
    seen = []
    for name, named in changed.items():
        event = json.loads((EVENTS / f"{name}.json").read_text())
        event |= {"account": ACCOUNT_ID, "region": stack.account.region}
        event["detail"] |= {"requestParameters": named, "responseElements": None}
        answer, error = stack.invoke("CheckKeyFunction", event)
        seen.append((len(answer.get("clusters", ())), error))
    return seen


def review_findings(stack: Deployed) -> object:
    """Have one open finding of a log object reviewed."""
    stack.forget_findings()
    cluster_id = stack.fixtures.launch("logs", LogEncryptionKmsKeyId=stack.keys.approved)
    stack.opened_long_ago(cluster_id, "EMRLOG-101", objects=(ObjectVersion("plain-logs", "x"),))
    reviewed = stack.invoke(
        "ReviewFindingsFunction", json.loads((EVENTS / "scheduled-review.json").read_text())
    )
    stack.inbox.receive()
    event = json.loads((EVENTS / "parameter-store-change.json").read_text())
    changed = stack.invoke("ReviewFindingsFunction", event | {"time": None})
    kinds = [alert["kind"] for alert in stack.inbox.receive()]
    return reviewed, changed, kinds


def check_log_of_step(stack: Deployed) -> Iterator[object]:
    """Have a log object checked that only its step explains: its key is approved."""
    key, clusters = stack.keys.approved, stack.fixtures.make_key(f"key-{next(fresh)}")
    cluster_id = launch_with_step(
        stack, key, LogUri="s3://plain-logs/", LogEncryptionKmsKeyId=clusters
    )
    [step] = stack.account.client("emr").list_steps(ClusterId=cluster_id)["Steps"]
    log = f"{cluster_id}/steps/{step['Id']}/stderr.gz"
    stack.account.client("s3").put_object(
        Bucket="plain-logs", Key=log, Body=b"x", **stack.keys.encrypt(key)
    )
    yield stack.invoke("CheckLogObjectsFunction", batch(object_event("plain-logs", log)))
    yield notified(stack, cluster_id, "finding.opened")


def launch_with_step(stack: Deployed, key: str, **settings: Any) -> str:  # noqa: ANN401
    """Launch a good cluster with a step whose logs get a key of their own."""
    step = {
        "Name": "own-key",
        "HadoopJarStep": {"Jar": "command-runner.jar"},
        "StepMonitoringConfiguration": {"S3MonitoringConfiguration": {"EncryptionKeyArn": key}},
    }
    good = {"LogEncryptionKmsKeyId": stack.keys.approved}
    return stack.fixtures.launch("step", Steps=[step], **(good | settings))


def enforce(stack: Deployed) -> object:
    """Ask for the end of a protected cluster, of clusters with bad and missing logs, and of one
    without a finding yet."""
    s3 = stack.account.client("s3")
    protected = {"KeepJobFlowAliveWhenNoSteps": True, "TerminationProtected": True}
    clusters = {stack.fixtures.launch("bad", Instances=protected): list[dict[str, str]]()}
    clusters[launch_with_step(stack, stack.fixtures.make_key(f"key-{next(fresh)}"))] = []
    good = {"LogEncryptionKmsKeyId": stack.keys.approved, "SessionEnabled": True}
    clusters[stack.fixtures.launch("sessions", **good)] = []
    for bucket in BUCKETS:
        for name in ("bad.gz", "gone.gz"):
            cluster_id = stack.fixtures.launch(
                "logs",
                LogUri=f"s3://{bucket}/",
                LogEncryptionKmsKeyId=stack.keys.approved,
            )
            log = {"bucket": bucket, "key": f"{cluster_id}/node/{name}"}
            if name == "bad.gz":
                put = s3.put_object(Bucket=bucket, Key=log["key"], Body=b"x")
                log |= {"version_id": put["VersionId"]} if "VersionId" in put else {}
            clusters[cluster_id] = [log]
    unopened = stack.fixtures.launch("bad")
    clusters[unopened] = []
    seen = []
    for cluster_id, logs in clusters.items():
        if cluster_id != unopened:
            rules = ("EMRLOG-002", "EMRLOG-008", "EMRLOG-101")
            stack.opened_long_ago(cluster_id, *rules, notified=True)
        request = {
            "schema": "emr-log-guard/enforcement/1",
            "cluster_arn": stack.cluster_arn(cluster_id),
            "log_objects": logs,
        }
        result = stack.invoke("EnforceFunction", batch(request))
        ended = stack.fixtures.state_of(cluster_id) in ("TERMINATING", "TERMINATED")
        seen.append((result, ended, notified(stack, cluster_id, *OUTCOMES)))
    return [*seen, verify(stack)]


def verify(stack: Deployed) -> object:
    """Ask what became of a termination that EMR accepted and that has not ended the cluster."""
    cluster_id = stack.fixtures.launch("bad")
    stack.opened_long_ago(cluster_id, "EMRLOG-002", notified=True)
    accepted = Termination(
        cluster_id=cluster_id,
        stage=Stage.ACCEPTED,
        at=datetime.now(UTC),
        rules=("EMRLOG-002",),
    )
    stack.repository.write_termination(accepted)
    request = {
        "schema": "emr-log-guard/enforcement/1",
        "cluster_arn": stack.cluster_arn(cluster_id),
        "verify": True,
    }
    result = stack.invoke("EnforceFunction", batch(request))
    return result, False, notified(stack, cluster_id, *OUTCOMES)


def reencrypt(stack: Deployed) -> object:
    """Have logs re-encrypted: with an AWS-managed and with an unapproved key, with versions and
    without, missing ones, and one that exceeds the budget of the hour."""
    stored = stack.account.client("ssm").get_parameter(Name=stack.outputs["PolicyParameterName"])
    policy = json.loads(stored["Parameter"]["Value"])
    rules = ["EMRLOG-102", "EMRLOG-103"]
    with stack.policy(json.dumps(policy | {"reencryption": {"enabled": True, "rules": rules}})):
        return [*map(partial(reencrypt_in, stack), BUCKETS), beyond_the_budget(stack)]


def log_to_reencrypt(stack: Deployed, bucket: str, key: str | None) -> tuple[str, dict[str, str]]:
    """Have a cluster write a log with that key, None for the AWS-managed one."""
    cluster_id = stack.fixtures.launch(
        "logs", LogUri=f"s3://{bucket}/", LogEncryptionKmsKeyId=stack.keys.approved
    )
    put = stack.account.client("s3").put_object(
        Bucket=bucket,
        Key=f"{cluster_id}/containers/log.gz",
        Body=b"x",
        ServerSideEncryption="aws:kms",
        **({"SSEKMSKeyId": key} if key else {}),
    )
    log = {"bucket": bucket, "key": f"{cluster_id}/containers/log.gz"}
    return cluster_id, log | ({"version_id": put["VersionId"]} if "VersionId" in put else {})


def reencrypt_in(stack: Deployed, bucket: str) -> object:
    schema = {"schema": "emr-log-guard/reencryption/1"}
    seen = []
    for key in (None, stack.fixtures.make_key(f"key-{next(fresh)}")):
        cluster_id, log = log_to_reencrypt(stack, bucket, key)
        gone = {"bucket": bucket, "key": f"{cluster_id}/node/gone.gz"}
        result = stack.invoke("ReencryptFunction", batch(schema | log, schema | gone))
        head = stack.account.client("s3").head_object(Bucket=bucket, Key=log["key"])
        kinds = ("remediation.done", "remediation.failed")
        done = head["SSEKMSKeyId"] == stack.keys.approved
        seen.append((result, done, notified(stack, cluster_id, *kinds)))
    return seen


def beyond_the_budget(stack: Deployed) -> object:
    """Have a log wait for the next hour."""
    client, table = stack.account.client("dynamodb"), stack.outputs["FindingsTableName"]
    place = {"pk": {"S": "reencryption"}, "sk": {"S": "hour"}}
    spent = {"hour": {"S": f"{datetime.now(UTC):%Y-%m-%dT%H}"}, "taken": {"N": "100000"}}
    client.put_item(TableName=table, Item=place | spent | {"version": {"N": "1"}})
    _, log = log_to_reencrypt(stack, "plain-logs", None)
    request = log | {"schema": "emr-log-guard/reencryption/1"}
    result = stack.invoke("ReencryptFunction", batch(request))
    client.delete_item(TableName=table, Key=place)
    stack.account.client("sqs").purge_queue(QueueUrl=stack.resource("ReencryptionQueue"))
    return result


def a_run(stack: Deployed, **more: object) -> dict[str, object]:
    """A run of a re-scan, which no state machine made."""
    machine = stack.outputs["RescanStateMachineArn"]
    execution = f"{machine.replace(':stateMachine:', ':execution:')}:run-{next(fresh)}"
    return {"execution": execution, "started": datetime.now(UTC).isoformat(), **more}


def name_of(run: Mapping[str, object]) -> str:
    return str(run["execution"]).rpartition(":")[2]


def plan_rescan(stack: Deployed) -> object:
    """Have a re-scan planned: the first of all, one instead of another that is over, and one that
    re-encrypts."""
    s3, bucket = stack.account.client("s3"), stack.outputs["ReportsBucketName"]
    cluster_id = stack.fixtures.launch(
        "planned", LogUri="s3://plain-logs/", LogEncryptionKmsKeyId=stack.keys.approved
    )
    stack.check(cluster_id)
    for folder in ("node", "steps"):
        s3.put_object(Bucket="plain-logs", Key=f"{cluster_id}/{folder}/log.gz", Body=b"x")
    s3.delete_object(Bucket=bucket, Key="memory/rescan.json")
    seen: list[object] = []
    inputs: tuple[dict[str, object], ...] = ({}, {}, {"scope": "log_objects", "reencrypt": True})
    for input_ in inputs:
        run = a_run(stack)
        event = {"execution": run["execution"], "input": input_}
        answer, error = stack.invoke("PlanRescanFunction", event)
        seen += [error, answer.get("refused")]
        if "scan" in (answer or {}):
            key = answer["scan"].get("then", answer["scan"])["shards_key"]
            body = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
            folders = [json.loads(line)["folder"] for line in body.splitlines()]
            seen.append(sum(each["cluster_id"] == cluster_id for each in folders))
        s3.put_object(Bucket=bucket, Key="memory/rescan.json", Body=b"{}")
    return seen


def scan(stack: Deployed, run: Mapping[str, object], **shard: object) -> list[object]:
    """Have a shard looked at: how that ended, and what it reported."""
    s3, bucket = stack.account.client("s3"), stack.outputs["ReportsBucketName"]
    number = f"shard-{next(fresh)}"
    task = {"rescan": run, "shard": {"id": number, **shard}}
    answer, error = stack.invoke("ScanShardFunction", task)
    if error:
        return [error]
    place = f"rescans/{name_of(run)}"
    lines = s3.get_object(Bucket=bucket, Key=f"{place}/results/{number}.ndjson")["Body"].read()
    done = s3.get_object(Bucket=bucket, Key=f"{place}/done/{number}.json")["Body"].read()
    notified = [json.loads(line) for line in lines.splitlines()]
    found = [
        (each["rule_id"], each["compliance"])
        for line in notified
        for each in line.get("findings", ())
    ]
    counts = json.loads(done)
    objects = [line["rules"] for line in notified if "rules" in line]
    return [answer, found, objects, counts["clusters"], counts["log_objects"], counts["listed"]]


def scan_shard(stack: Deployed) -> object:
    """Have clusters and log objects scanned, with roles, keys and a bucket never seen before."""
    s3, suffix, run = stack.account.client("s3"), next(fresh), a_run(stack)
    bucket = f"scanned-{suffix}"
    stack.fixtures.make_log_bucket(bucket)
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    key = stack.fixtures.make_key(f"key-{suffix}")
    stack.account.client("kms").enable_key_rotation(KeyId=key)
    good = stack.fixtures.launch(
        "good",
        LogUri=f"s3://{bucket}/",
        LogEncryptionKmsKeyId=key,
        SessionEnabled=True,
        **make_roles(stack, suffix),
    )
    bad, scheduled, overdue = (stack.fixtures.launch("bad") for _ in range(3))
    stack.schedule(scheduled)
    stack.opened_long_ago(overdue, "EMRLOG-002")
    seen = [scan(stack, run, known=[overdue], clusters=[good, bad, scheduled])]
    about_bucket = notified(stack, f"arn:aws:s3:::{bucket}", "finding.opened")
    seen.append([notified(stack, bad, "finding.opened"), stack.scheduled(bad), about_bucket])
    for encryption in ({}, stack.keys.encrypt(key)):
        s3.put_object(Bucket=bucket, Key=f"{good}/node/log.gz", Body=b"x", **encryption)
    folder = {"cluster_id": good, "bucket": bucket, "prefix": f"{good}/"}
    seen += [scan(stack, a_run(stack, deep=deep), folder=folder) for deep in (False, True)]
    stack.account.client("emr").terminate_job_flows(JobFlowIds=[good, bad])
    wait_for(lambda: stack.fixtures.state_of(bad) == "TERMINATED" == stack.fixtures.state_of(good))
    return [
        *seen,
        scan(stack, run, clusters=[good, bad]),
        stack.scheduled(bad),
        scan_to_reencrypt(stack),
    ]


def scan_to_reencrypt(stack: Deployed) -> object:
    """Have a log scanned whose key is AWS-managed, which is then to be re-encrypted."""
    good = {"LogEncryptionKmsKeyId": stack.keys.approved, "LogUri": "s3://plain-logs/"}
    cluster_id = stack.fixtures.launch("logs", **good)
    stack.account.client("s3").put_object(
        Bucket="plain-logs",
        Key=f"{cluster_id}/node/x.gz",
        Body=b"x",
        ServerSideEncryption="aws:kms",
    )
    folder = {"cluster_id": cluster_id, "bucket": "plain-logs", "prefix": f"{cluster_id}/"}
    return scan(stack, a_run(stack, scope="log_objects", reencrypt=True), folder=folder)


def finish_rescan(stack: Deployed) -> Iterator[object]:
    """Have a run finished of clusters with bad logs, and another when one's logs are good."""
    s3, bucket = stack.account.client("s3"), stack.outputs["ReportsBucketName"]
    stack.forget_findings()
    settings = {"LogEncryptionKmsKeyId": stack.keys.approved, "LogUri": "s3://plain-logs/"}
    new, scheduled, overdue = (stack.fixtures.launch("logs", **settings) for _ in range(3))
    for cluster_id in (new, scheduled, overdue):
        s3.put_object(Bucket="plain-logs", Key=f"{cluster_id}/node/bad.gz", Body=b"x")
    stack.schedule(scheduled)
    stack.opened_long_ago(overdue, "EMRLOG-101")
    for _ in range(2):
        run, shards = a_run(stack, scope="log_objects", deep=True), []
        for number, cluster_id in enumerate((new, scheduled, overdue)):
            folder = {
                "cluster_id": cluster_id,
                "bucket": "plain-logs",
                "prefix": f"{cluster_id}/",
            }
            shard = {"id": f"objects-{number}", "folder": folder}
            shards.append(json.dumps(shard))
            _, error = stack.invoke("ScanShardFunction", {"rescan": run, "shard": shard})
            assert error is None
        for kind, planned in ((ShardKind.CLUSTERS, ()), (ShardKind.LOG_OBJECTS, shards)):
            plan = f"rescans/{name_of(run)}/shards/{kind}.jsonl"
            s3.put_object(Bucket=bucket, Key=plan, Body="\n".join(planned).encode())
        answer, error = stack.invoke("FinishRescanFunction", {"rescan": run})
        yield error, answer.get("new"), answer.get("resolved"), answer.get("failed_shards")
        yield [
            notified(stack, each, "finding.opened", "finding.resolved") for each in (new, overdue)
        ]
        yield [stack.scheduled(each) for each in (new, scheduled)]
        s3.delete_object(Bucket="plain-logs", Key=f"{new}/node/bad.gz")


def an_alert(subject: str, **more: object) -> dict[str, object]:
    alert = {"schema": "emr-log-guard/alert/1", "subject": subject, "text": "t", **more}
    return {"Records": [{"Sns": {"MessageId": "m", "Message": json.dumps(alert)}}]}


def notify_slack(stack: Deployed) -> object:
    """Have alerts posted, routed and not, by a function without a cached webhook."""
    stack.forget("NotifySlackFunction")
    subject = f"alert {next(fresh)}"
    seen = [
        stack.invoke("NotifySlackFunction", an_alert(subject, cluster_tags=tags))
        for tags in ({}, {"team": "data"})
    ]
    webhooks = [
        record["webhook"].rpartition(":")[2].rpartition("-")[0]
        for record in stack.function_logs.records(
            "notify_slack", message="alert posted", subject=subject
        )
    ]
    return seen, webhooks


def notify_amazon_q(stack: Deployed) -> object:
    """Have an alert handed to Amazon Q."""
    return stack.invoke("NotifyAmazonQFunction", an_alert("s"))


def emit_events(stack: Deployed) -> object:
    """Have an alert put on the default bus."""
    return stack.invoke("EmitEventsFunction", json.loads((EVENTS / "sns-alert.json").read_text()))


def import_findings(stack: Deployed) -> object:
    """Have findings imported: one that is exempt, one that is refused, and all."""
    stack.forget_findings()
    cluster_id = stack.fixtures.launch("imported")
    stack.opened_long_ago(cluster_id, "EMRLOG-002", "EMRLOG-004")
    for rule_id, changes in (
        ("EMRLOG-002", {"status": Status.EXEMPT}),
        ("EMRLOG-004", {"rule_name": REFUSED}),
    ):
        record = stack.repository.read(cluster_id).records[rule_id]
        stack.repository.write(replace(record, finding=replace(record.finding, **changes)))
    named = [{"cluster_id": cluster_id, "rule_id": each} for each in ("EMRLOG-002", "EMRLOG-004")]
    request = {"schema": "emr-log-guard/import-findings/1"}
    seen = [stack.invoke("ImportFindingsFunction", request | {"findings": named})]
    dead = stack.account.client("sqs").receive_message(QueueUrl=stack.outputs["DeadLetterQueueUrl"])
    answer, error = stack.invoke("ImportFindingsFunction", request)
    stack.forget_findings()
    return [*seen, error, bool(answer.get("imported")), any("Messages" in each for each in [dead])]


USE: dict[str, Callable[[Deployed], object]] = {
    "CheckClusterFunction": check_cluster,
    "CheckKeyFunction": check_key,
    "CheckLogObjectsFunction": check_log_objects,
    "EmitEventsFunction": emit_events,
    "EnforceFunction": enforce,
    "FinishRescanFunction": lambda stack: list(finish_rescan(stack)),
    "ImportFindingsFunction": import_findings,
    "NotifyAmazonQFunction": notify_amazon_q,
    "NotifySlackFunction": notify_slack,
    "PlanRescanFunction": plan_rescan,
    "ReencryptFunction": reencrypt,
    "ReviewFindingsFunction": review_findings,
    "ScanShardFunction": scan_shard,
}


@pytest.fixture(scope="module")
def usual(quiet: Deployed) -> dict[str, Any]:
    """What each function does with all its permissions."""
    return {function: use(quiet) for function, use in USE.items()}


def test_every_function_works_with_all_permissions(usual: dict[str, Any]) -> None:
    rules, error, errors, alerts, bucket, ended, left = usual["CheckClusterFunction"]
    assert bucket == []  # it sends its events, as far as the function may read that
    assert {rule for rule, compliance in rules.items() if compliance != "COMPLIANT"} == {
        "EMRLOG-006"  # a key made for the test is not approved
    }
    assert {error, *errors, *ended} == {None}
    assert left is False
    assert usual["CheckKeyFunction"] == [(1, None), (1, None), (0, None)]
    reviewed = ({"clusters": 1, "log_objects": 1}, None)
    assert usual["ReviewFindingsFunction"] == (reviewed, reviewed, ["policy.changed"])
    assert [kind for kind, _, _ in alerts] == ["finding.opened"]
    assert usual["NotifySlackFunction"] == (
        [({"posted": 1}, None)] * 2,
        ["slack-webhook", "emr-log-guard/slack/data"],
    )
    assert usual["NotifyAmazonQFunction"] == ({"published": 1}, None)
    assert usual["EmitEventsFunction"] == ({"emitted": 2}, None)
    assert usual["ImportFindingsFunction"] == [
        ({"imported": 1, "refused": 1, "unknown": 0}, None),
        None,
        True,
        True,
    ]
    assert usual["PlanRescanFunction"] == [None, None, 2] * 3
    plain, versioned, postponed = usual["ReencryptFunction"]
    taken: tuple[object, object] = ({"batchItemFailures": []}, None)
    for (result, done, alerts), rule_id in zip(
        (*plain, *versioned), ("EMRLOG-102", "EMRLOG-103") * 2, strict=True
    ):
        assert (result, done) == (taken, True)
        assert alerts == [("remediation.done", "logs_reencrypted", [(rule_id, "NON_COMPLIANT")])]
    assert postponed == taken
    (answer, found, *_), (alerts, scheduled, bucket), (_, _, objects, *_), (_, _, versions, *_) = (
        usual["ScanShardFunction"][:4]
    )
    assert (answer, scheduled, bucket) == ({}, True, [])
    assert [each["EMRLOG-103"] for each in objects] == ["NON_COMPLIANT"]  # its key is not approved
    assert set(found) == {("EMRLOG-006", "NON_COMPLIANT"), ("EMRLOG-002", "NON_COMPLIANT")}
    assert [kind for kind, _, _ in alerts] == ["finding.opened"]
    assert usual["ScanShardFunction"][-1][4] == {"NON_COMPLIANT": 1}
    assert sorted(each["EMRLOG-101"] for each in versions) == ["COMPLIANT", "NON_COMPLIANT"]
    finished = usual["FinishRescanFunction"]
    assert (finished[0], finished[2]) == ((None, 3, 0, 0), [True, True])
    assert (finished[3], finished[5]) == ((None, 0, 1, 0), [False, True])
    assert [ended for _, ended, _ in usual["EnforceFunction"]] == [
        *(True, True),  # the protected one, and the one with a step of its own key
        False,  # the good one, on which there may be sessions
        *(True, False, True, False),
        False,  # the one that a check has to open first
        False,  # the one that EMR does not terminate
    ]
    assert usual["EnforceFunction"][-1][2] == [
        ("enforcement.failed", "still_running", [("EMRLOG-002", "NON_COMPLIANT")])
    ]


@pytest.mark.parametrize("function", USE)
def test_repeated_use_of_a_function_gives_the_same_result(
    quiet: Deployed, usual: dict[str, Any], function: str
) -> None:
    assert USE[function](quiet) == usual[function]


@pytest.mark.parametrize(("function", "sid", "action"), PERMISSIONS)
def test_each_missing_permission_changes_what_the_function_does(
    quiet: Deployed, usual: dict[str, Any], function: str, sid: str, action: str
) -> None:
    with without(quiet, function, sid, action):
        if action == "ssm:GetParameter":  # what it has cached may be older than the permission
            quiet.forget(function)
        assert USE[function](quiet) != usual[function]


@pytest.mark.parametrize("action", ["ReceiveMessage", "DeleteMessage", "GetQueueAttributes"])
@pytest.mark.parametrize(
    ("function", "queue"),
    [
        ("CheckClusterFunction", "ClusterEventsQueue"),
        ("CheckLogObjectsFunction", "LogObjectsQueue"),
        ("EnforceFunction", "EnforcementQueue"),
        ("ReencryptFunction", "ReencryptionQueue"),
    ],
)
def test_messages_stay_in_the_queue_without_each_queue_permission(
    quiet: Deployed, eventually: Callable[..., Any], function: str, queue: str, action: str
) -> None:
    sqs, url = quiet.account.client("sqs"), quiet.resource(queue)

    def waiting() -> int:
        answer = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        return int(answer["ApproximateNumberOfMessages"])

    with without(quiet, function, TAKING, f"sqs:{action}"):
        sqs.send_message(QueueUrl=url, MessageBody=json.dumps(object_event("b", "not/a/log")))
        with pytest.raises(TimeoutError):
            eventually(lambda: not waiting(), seconds=1)

    eventually(lambda: not waiting())


@pytest.mark.parametrize(
    ("service", "function", "queue"),
    [
        ("check_cluster", "CheckClusterFunction", "ClusterEventsQueue"),
        ("check_log_objects", "CheckLogObjectsFunction", "LogObjectsQueue"),
    ],
)
def test_failed_event_is_not_retried_soon_without_change_message_visibility(
    quiet: Deployed, eventually: Callable[..., Any], service: str, function: str, queue: str
) -> None:
    sqs, url = quiet.account.client("sqs"), quiet.resource(queue)

    def attempts(message_id: str) -> int:
        failed = {"message": "message failed", "message_id": message_id}
        return len(quiet.function_logs.records(service, **failed))

    with without(quiet, function, TAKING, "sqs:ChangeMessageVisibility"):
        once = sqs.send_message(QueueUrl=url, MessageBody="{not JSON")["MessageId"]
        eventually(lambda: attempts(once))
    soon = sqs.send_message(QueueUrl=url, MessageBody="{not JSON")["MessageId"]

    eventually(lambda: attempts(soon) > 1)
    assert attempts(once) == 1
    sqs.purge_queue(QueueUrl=url)
