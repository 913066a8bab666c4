"""The cost of the functions: cold starts, warm events, and the layers' sizes."""

import json
from collections import defaultdict
from collections.abc import Mapping
from datetime import UTC, datetime
from statistics import median
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile

from benchmarks.contestants import WrongResultError
from benchmarks.page import Section
from benchmarks.stack import LAYERS, WEBHOOK, Stack
from sandbox.deployment import BUILT, ROOT
from sandbox.fixtures import LOG_BUCKET, Fixtures
from tests.slack import slack_webhook

EVENTS = ROOT / "events"
FLOOR = "floor"
"""The baseline of cold starts, which is the same for each function."""
WHOLE_PROCESSOR = 1769
"""The memory in MB with which Lambda gives a function a whole processor.

https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html
"""
MEMORY = 512
"""The memory of most functions, in MB."""


def names() -> list[str]:
    """The names of the functions in the built template."""
    return sorted(folder.name for folder in BUILT.parent.glob("*Function"))


def cold_starts(stack: Stack, rounds: int) -> Section:
    """Start each function, in turn with the floor."""
    times: defaultdict[str, list[float]] = defaultdict(list)
    for turn in range(rounds + 1):
        for name in names():
            for script, whose in ((FLOOR, FLOOR), ("start", name)):
                run, _ = stack.run(name, script)
                if turn:
                    times[whose].append(run.processor)
    floor = median(times[FLOOR])
    rows = []
    for whose in [FLOOR, *names()]:
        start = median(times[whose])
        rows.append(
            [
                "the floor" if whose == FLOOR else whose.removesuffix("Function"),
                _ms(start),
                f"**{start / floor:.2f}**",
                _ms(start * WHOLE_PROCESSOR / MEMORY),
            ]
        )
    return Section(
        "Cold starts",
        "CPU time from the start of Python until a function is ready, with the built layers and no "
        "other packages. The floor is boto3 and one client from the same layer; the target is at "
        f"most twice its time. Lambda gives a function with {MEMORY} MB of memory "
        f"{MEMORY / WHOLE_PROCESSOR:.0%} of a processor: the last column is the time of a start "
        f"that gets no more than that. Medians of {rounds}, the floor's of {rounds} per function, "
        "in turn.",
        ["function", "start", "relative", f"with {MEMORY} MB"],
        rows,
    )


def warm(stack: Stack, rounds: int) -> Section:
    """Time each handler without its AWS calls."""
    fixtures = Fixtures(stack.account)
    roles = fixtures.make_roles()
    fixtures.make_log_bucket()
    key = fixtures.make_key("warm")
    cluster = fixtures.launch("warm", LogEncryptionKmsKeyId=key, **roles)
    log = fixtures.write_log(cluster, "steps/s-1/stderr.gz", {"ServerSideEncryption": "AES256"})
    rescan = {
        "execution": stack.execution("warm-ROUND"),
        "started": datetime.now(UTC).isoformat(),
        "scope": "clusters",
    }
    key_event = _event("cloudtrail-disable-key.json", cluster)
    key_event["detail"]["requestParameters"]["keyId"] = key
    # The order matters: each event depends on the ones before it.
    events = {
        "CheckClusterFunction": _event("emr-cluster-state-change-running.json", cluster),
        "CheckKeyFunction": key_event,
        "CheckLogObjectsFunction": _ten(_event("sqs-s3-object-created.json", cluster), log),
        "EnforceFunction": _event("sqs-enforcement-request.json", cluster),
        "ReviewFindingsFunction": _event("scheduled-review.json", cluster),
        "PlanRescanFunction": {
            "execution": rescan["execution"],
            "input": {"scope": "clusters"},
        },
        "ScanShardFunction": {"rescan": rescan, "shard": {"id": "1", "known": [cluster]}},
        "FinishRescanFunction": {"rescan": rescan},
        "EmitEventsFunction": _event("sns-alert.json", cluster),
        # About a finding that the table does not contain: the emulated account has no Security Hub.
        "ImportFindingsFunction": _event("import-findings-request.json", cluster),
        "NotifyAmazonQFunction": _event("sns-alert.json", cluster),
        "NotifySlackFunction": _event("sns-alert.json", cluster),
    }
    if forgotten := set(names()) ^ set(events):
        message = f"unknown functions or functions without an event: {', '.join(sorted(forgotten))}"
        raise WrongResultError(message)
    rows = []
    with slack_webhook() as slack:
        stack.account.client("secretsmanager").put_secret_value(
            SecretId=WEBHOOK, SecretString=slack.url
        )
        for name, event in events.items():
            _, result = stack.run(name, "warm", str(rounds), json.dumps(event))
            rows.append(
                [name.removesuffix("Function"), _ms(result["seconds"]), _ms(result["processor"])]
            )
    return Section(
        "Warm events",
        "A handler's time from event to response without its AWS calls, and its CPU time "
        "including them. `check_cluster` evaluates a compliant cluster, "
        "`check_log_objects` a batch of ten logs with SSE-S3, `enforce` re-reads everything and "
        "terminates nothing, the re-scan's three functions scan one known cluster, and "
        f"`notify_slack` and `notify_amazon_q` deliver an alert. Medians of {rounds}.",
        ["function", "without its calls", "CPU time"],
        rows,
    )


def sizes(stack: Stack) -> Section:
    """The size of the layers, as archives and unpacked."""
    rows = []
    for layer in LAYERS:
        files = [path for path in (BUILT.parent / layer).rglob("*") if path.is_file()]
        archive = stack.folder / f"{layer}.zip"
        with ZipFile(archive, "w", ZIP_DEFLATED) as zipped:
            for path in files:
                zipped.write(path)
        unpacked = sum(path.stat().st_size for path in files)
        rows.append([layer, _mb(archive.stat().st_size), _mb(unpacked)])
    return Section(
        "Layers",
        "One archive for both of Lambda's architectures, including compiled modules; Lambda allows "
        "250 MB unpacked.",
        ["layer", "zipped", "unpacked"],
        rows,
    )


def _event(name: str, cluster: str) -> dict[str, Any]:
    text = (EVENTS / name).read_text()
    text = text.replace("j-2AXXXXXXGAPLF", cluster).replace("eu-west-1", "us-east-1")
    event: dict[str, Any] = json.loads(text)
    return event


def _ten(event: Mapping[str, Any], log: str) -> dict[str, object]:
    record = event["Records"][0]
    body = json.loads(record["body"])
    body["detail"]["bucket"]["name"] = LOG_BUCKET
    body["detail"]["object"]["key"] = log
    body["detail"]["object"].pop("version-id", None)
    records = [record | {"messageId": str(place), "body": json.dumps(body)} for place in range(10)]
    return {"Records": records}


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.{1 if seconds < 0.05 else 0}f} ms"  # noqa: PLR2004


def _mb(size: int) -> str:
    return f"{size / 1e6:.1f} MB"
