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

# The services whose API models stay. A client of any other fails with UnknownServiceError, and a
# test keeps this list in step with the clients that the package makes.
SERVICES = frozenset(
    {
        "dynamodb",
        "emr",
        "events",
        "iam",
        "kms",
        "s3",
        "scheduler",
        "secretsmanager",
        "securityhub",
        "sns",
        "sqs",
        "ssm",
        "stepfunctions",
    }
)

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
        if service.is_dir() and service.name not in SERVICES:
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
    """Leave the prose out of a service's model: three quarters of what a cold start has to parse.

    A field that is called `documentation` is no text there, and stays.
    """
    if isinstance(model, dict):
        return {
            name: undocumented(part)
            for name, part in model.items()
            if not (name == "documentation" and isinstance(part, str))
        }
    return [undocumented(part) for part in model] if isinstance(model, list) else model


def shorten_models(python: Path) -> None:
    """Write the models anew without what nothing reads."""
    for file in (python / "botocore" / "data").glob("*/*/service-2.json.gz"):
        model = json.loads(gzip.decompress(file.read_bytes()))
        # Elsewhere botocore reads it: a client's own parameters have to have one.
        model |= {part: undocumented(model[part]) for part in ("operations", "shapes")}
        text = json.dumps(model, separators=(",", ":"), ensure_ascii=False)
        file.write_bytes(gzip.compress(text.encode(), mtime=0))  # the same at every build


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
    byte_compile(root)


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
