"""What the functions cost: a cold start beside its floor, a warm event, a layer's size."""

import json
import re
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from statistics import median
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile

from benchmarks.measuring import measured
from benchmarks.page import Section
from benchmarks.stack import LAYERS, SCRIPTS, Stack, python
from sandbox.deployment import BUILT, ROOT
from sandbox.estate import LOG_BUCKET, Estate

EVENTS = ROOT / "events"
IMPORTS = ("boto3", "botocore", "aws_lambda_powertools", "msgspec", "emr_log_guard")
_IMPORT = re.compile(r"import time:\s*(\d+) \|\s*\d+ \|\s*([\w.]+)")


def names() -> list[str]:
    """Name the functions as they were built."""
    return sorted(folder.name for folder in BUILT.parent.glob("*Function"))


def cold_starts(stack: Stack, rounds: int) -> Section:
    """Import and initialise each function, in turn with the floor."""
    times: defaultdict[str, list[float]] = defaultdict(list)
    whole: defaultdict[str, list[float]] = defaultdict(list)
    for turn in range(rounds + 1):
        for name in names():
            for script in ("floor", "start"):
                run, told = stack.run(name, script)
                if turn:
                    label = name if script == "start" else f"floor of {name}"
                    times[label].append(told["seconds"])
                    whole[label].append(run.seconds)
    rows = []
    for name in names():
        own, floor = median(times[name]), median(times[f"floor of {name}"])
        process, least = median(whole[name]), median(whole[f"floor of {name}"])
        rows.append(
            [
                name.removesuffix("Function"),
                _ms(floor),
                _ms(own),
                f"**{own / floor:.2f}**",
                _ms(least),
                _ms(process),
                f"**{process / least:.2f}**",
            ]
        )
    return Section(
        "Cold starts",
        "Import and initialisation of each function from the layers as built, byte-compiled, on "
        "a Python without "
        "anything else. The floor is boto3 and one client from the same layer. Every client that "
        "a handler uses is made "
        f"in this time. Medians of {rounds}, in turn.",
        ["function", "floor", "init", "ratio", "floor, process", "process", "ratio"],
        rows,
    )


def imports(stack: Stack, rounds: int) -> Section:
    """What each package adds to a start, by the interpreter's own account."""
    command: list[str | Path] = [python(), "-s", "-X", "importtime", SCRIPTS / "start.py"]
    found: defaultdict[str, list[float]] = defaultdict(list)
    for _ in range(rounds):
        run = measured(command, stack.environment("CheckClusterFunction"), stack.folder)
        sums: defaultdict[str, float] = defaultdict(float)
        for microseconds, module in _IMPORT.findall(run.stderr):
            package = module.split(".")[0]
            sums[package if package in IMPORTS else "the rest"] += int(microseconds) / 1e6
        for package, seconds in sums.items():
            found[package].append(seconds)
    rows = [[package, _ms(median(each))] for package, each in found.items()]
    return Section(
        "What imports cost",
        "The start of `check_cluster` by package, each module without those that it imports "
        f"(`-X importtime`, which slows everything down a little). Medians of {rounds}.",
        ["package", "time"],
        sorted(rows, key=lambda row: -float(row[1].split()[0])),
    )


def warm(stack: Stack, rounds: int) -> Section:
    """Time a handler without its AWS calls."""
    estate = Estate(stack.account)
    roles = estate.make_roles()
    estate.make_log_bucket()
    cluster = estate.launch("warm", LogEncryptionKmsKeyId=estate.make_key("warm"), **roles)
    log = estate.write_log(cluster, "steps/s-1/stderr.gz", {"ServerSideEncryption": "AES256"})
    events = {
        "CheckClusterFunction": _event("emr-cluster-state-change-running.json", cluster),
        "CheckLogObjectsFunction": _ten(_event("sqs-s3-object-created.json", cluster), log),
        "EnforceFunction": _event("sqs-enforcement-request.json", cluster),
    }
    rows = []
    for name, event in events.items():
        _, told = stack.run(name, "warm", str(rounds), json.dumps(event))
        rows.append([name.removesuffix("Function"), _ms(told["seconds"]), _ms(told["processor"])])
    return Section(
        "Warm events",
        "A handler's time from event to answer without the time its AWS calls took, and the "
        "processor's time with "
        "them. `check_cluster` judges a cluster that is right, `check_log_objects` a batch of "
        "ten logs in SSE-S3, "
        f"`enforce` reads everything anew and ends nothing. Medians of {rounds}.",
        ["function", "without its calls", "processor"],
        rows,
    )


def sizes(stack: Stack) -> Section:
    """What is uploaded, and what is unpacked."""
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
        "One archive for both of Lambda's processors, compiled modules included; Lambda takes "
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
