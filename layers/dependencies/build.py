"""Builds the layer of third-party code: installed from the lock, trimmed, byte-compiled.

Why the functions bring their own boto3, and what trimming saves, with figures:
docs/adr/0002-own-boto3-in-a-trimmed-layer.md
"""

import compileall
import gzip
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from py_compile import PycInvalidationMode
from tempfile import TemporaryDirectory
from typing import Any

# The operations whose models stay, by service. A client has no method for any other, and one of any
# other service fails with UnknownServiceError. Tests keep the list in step with the adapters.
OPERATIONS = {
    "dynamodb": {"BatchGetItem", "DeleteItem", "GetItem", "PutItem", "Query"},
    "emr": {
        "DescribeCluster",
        "ListClusters",
        "ListSessions",
        "ListSteps",
        "SetTerminationProtection",
        "TerminateJobFlows",
    },
    "events": {"PutEvents"},
    "iam": {
        "GetInstanceProfile",
        "GetPolicy",
        "GetPolicyVersion",
        "GetRole",
        "GetRolePolicy",
        "ListAttachedRolePolicies",
        "ListRolePolicies",
        "SimulatePrincipalPolicy",
    },
    "kms": {"DescribeKey", "GetKeyPolicy", "GetKeyRotationStatus"},
    "s3": {
        "GetBucketNotificationConfiguration",
        "GetObject",
        "HeadBucket",
        "HeadObject",
        "ListObjectVersions",
        "ListObjectsV2",
        "PutObject",
    },
    "scheduler": {"CreateSchedule", "DeleteSchedule", "UpdateSchedule"},
    "secretsmanager": {"GetSecretValue"},  # by Powertools' get_secret
    "securityhub": {"BatchImportFindings", "BatchUpdateFindings", "GetFindings"},
    "sns": {"Publish"},
    "sqs": {"SendMessage"},
    "ssm": {"GetParameter", "PutParameter"},
    "stepfunctions": {"DescribeExecution"},
}

# What botocore calls by itself: to discover endpoints, and to open a session with a directory
# bucket. HeadBucket, with which it finds a bucket's Region, is among ours.
BY_BOTOCORE = {"dynamodb": {"DescribeEndpoints"}, "s3": {"CreateSession"}}

# Both of Lambda's processors: CPython puts the platform into the name of an extension module, so
# one layer serves both and a build cannot pick the wrong one.
PLATFORMS = ("aarch64", "x86_64")

# What no import of ours reaches. `dist-info` stays in part: Amazon Inspector finds vulnerable
# packages by METADATA, and the licences ask to travel along.
UNUSED = (
    "bin",
    "boto3/data",
    "boto3/examples",
    "botocore/data/*/*/examples-*.json",
    "aws_lambda_powertools/event_handler",
    "aws_lambda_powertools/utilities/auth_alpha",
    "aws_lambda_powertools/utilities/circuit_breaker",
    "aws_lambda_powertools/utilities/data_masking",
    "aws_lambda_powertools/utilities/feature_flags",
    "aws_lambda_powertools/utilities/idempotency",
    "aws_lambda_powertools/utilities/kafka",
    "aws_lambda_powertools/utilities/parser",
    "aws_lambda_powertools/utilities/streaming",
    "aws_lambda_powertools/utilities/validation",
    "jinja2/constants.py",
    "jinja2/ext.py",
    "jinja2/meta.py",
    "jinja2/nativetypes.py",
    "jinja2/sandbox.py",
    "markupsafe/_speedups.c",
    # Of Slack's SDK: blocks, and the client of webhooks. Its own package imports all of the rest,
    # and nothing needs it: what is left is found without (PEP 420).
    "slack",
    "slack_sdk/__init__.py",
    "slack_sdk/aiohttp_version_checker.py",
    "slack_sdk/audit_logs",
    "slack_sdk/http_retry/async_handler.py",
    "slack_sdk/http_retry/builtin_async_handlers.py",
    "slack_sdk/oauth",
    "slack_sdk/rtm",
    "slack_sdk/rtm_v2",
    "slack_sdk/scim",
    "slack_sdk/signature",
    "slack_sdk/socket_mode",
    "slack_sdk/web/[!i]*",
    "slack_sdk/webhook/async*",
    "*.dist-info/INSTALLER",
    "*.dist-info/RECORD",
    "*.dist-info/REQUESTED",
    "*.dist-info/WHEEL",
    "*.dist-info/entry_points.txt",
    "*.dist-info/top_level.txt",
    "*.dist-info/zip-safe",
    ".lock",
)


def install(platform: str, target: Path) -> None:
    """Install the locked wheels for a processor of Lambda, with uv or else with pip."""
    options = ["--require-hashes", "--no-deps", "--only-binary=:all:", "--python-version=3.13"]
    if shutil.which("uv"):
        installer = ["uv", "pip", "install", "--quiet", "--link-mode=copy"]
        options += ["--no-config", "--python", sys.executable]
        options += [f"--python-platform={platform}-manylinux_2_28"]
    else:
        installer = [sys.executable, "-m", "pip", "install", "--quiet"]
        options += [f"--platform=manylinux{tag}_{platform}" for tag in ("2014", "_2_28")]
    command = [*installer, *options, f"--target={target}", "--requirement=requirements.txt"]
    subprocess.run(command, check=True)


def add_other_platform(platform: str, target: Path) -> None:
    """Lay the extension modules for another processor beside those that are there."""
    with TemporaryDirectory() as folder:
        install(platform, Path(folder))
        for module in Path(folder).rglob("*.so"):
            place = target / module.relative_to(folder)
            if place.exists():
                sys.exit(f"{place} has no platform in its name: one layer cannot serve both")
            shutil.copy2(module, place)


def unused(python: Path) -> Iterator[Path]:
    """What the functions never read; to be removed as it comes, for one thing may hold another."""
    models = python / "botocore" / "data"
    for service in list(models.iterdir()):
        if service.is_dir() and service.name not in OPERATIONS:
            yield service
        elif service.is_dir():
            *older, _newest = sorted(service.iterdir())
            yield from older
    for pattern in UNUSED:
        yield from list(python.glob(pattern))


def remove(path: Path) -> None:
    """Remove a file or a folder with all that is in it."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()


def undocumented(model: object) -> object:
    """Leave the prose out of a part of a service's model.

    A field that is called `documentation` is no text there, and stays.
    """
    if isinstance(model, dict):
        return {
            name: undocumented(part)
            for name, part in model.items()
            if not (name == "documentation" and isinstance(part, str))
        }
    return [undocumented(part) for part in model] if isinstance(model, list) else model


def shapes_in(part: object) -> Iterator[str]:
    """Name the shapes that an operation or a shape refers to."""
    if isinstance(part, dict):
        if isinstance(name := part.get("shape"), str):
            yield name
        part = list(part.values())
    if isinstance(part, list):
        for inner in part:
            yield from shapes_in(inner)


def shortened(model: dict[str, Any], wanted: set[str]) -> dict[str, Any]:
    """Leave in a service's model these operations, and the shapes that they lead to."""
    if unknown := wanted - model["operations"].keys():
        sys.exit(f"{model['metadata']['serviceId']} has no operation {', '.join(sorted(unknown))}")
    operations = {name: part for name, part in model["operations"].items() if name in wanted}
    reached: set[str] = set()
    ahead = set(shapes_in(operations))
    while ahead:
        reached |= ahead
        ahead = {name for shape in ahead for name in shapes_in(model["shapes"][shape])} - reached
    shapes = {name: part for name, part in model["shapes"].items() if name in reached}
    # Elsewhere botocore reads the prose: a client's own parameters have to have one.
    return model | {"operations": undocumented(operations), "shapes": undocumented(shapes)}


def shorten_models(python: Path) -> None:
    """Write the models anew without what nothing reads, and unzipped: the layer is zipped anyway.

    A cold start has to read and parse all of them before it can do anything.
    """
    models = python / "botocore" / "data"
    prefixes = set()
    for file in list(models.glob("*/*/*.json.gz")):
        model = json.loads(gzip.decompress(file.read_bytes()))
        if file.name == "service-2.json.gz":
            service = file.parents[1].name
            model = shortened(model, OPERATIONS[service] | BY_BOTOCORE.get(service, set()))
            prefixes.add(model["metadata"]["endpointPrefix"])
        write(file.with_suffix(""), model)
        file.unlink()
    endpoints = json.loads((models / "endpoints.json").read_bytes())
    for partition in endpoints["partitions"]:
        services = partition["services"]
        partition["services"] = {name: services[name] for name in services if name in prefixes}
    write(models / "endpoints.json", endpoints)


def shorten_data_classes(python: Path) -> None:
    """Have Powertools' package of events load what its batches need of it, and not all forty."""
    package = "aws_lambda_powertools.utilities.data_classes"
    file = python.joinpath(*package.split("."), "__init__.py")
    file.write_text(f'from {package}.s3_event import S3Event\n\n__all__ = ["S3Event"]\n')


def write(file: Path, model: object) -> None:
    """Write JSON as short as it can be."""
    file.write_text(json.dumps(model, separators=(",", ":"), ensure_ascii=False), encoding="utf-8")


def byte_compile(root: Path) -> None:
    """Compile for /opt, where Lambda mounts the layer and a function cannot write."""
    compiled = compileall.compile_dir(
        root / "python",
        quiet=1,
        stripdir=str(root),
        prependdir="/opt",
        invalidation_mode=PycInvalidationMode.UNCHECKED_HASH,
    )
    if not compiled:
        sys.exit("some modules do not compile")


def main(root: Path) -> None:
    """Build the layer into a folder, as Lambda wants it: everything under python/."""
    python = root / "python"
    first, *others = PLATFORMS
    install(first, python)
    for platform in others:
        add_other_platform(platform, python)
    for path in unused(python):
        remove(path)
    shorten_models(python)
    shorten_data_classes(python)
    byte_compile(root)


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
