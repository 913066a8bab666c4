"""Builds the layer of third-party code: installed from the lock, byte-compiled.

Nothing in a package is edited: what is there is what its RECORD lists. Left out are the models of
AWS services that no function calls. Why the functions bring their own boto3:
docs/adr/0002-own-boto3-in-a-layer.md
"""

import compileall
import shutil
import subprocess
import sys
from pathlib import Path
from py_compile import PycInvalidationMode
from tempfile import TemporaryDirectory

SERVICES = {
    "dynamodb",
    "emr",
    "events",
    "iam",
    "kms",
    "s3",
    "scheduler",
    "secretsmanager",  # by Powertools' get_secret
    "securityhub",
    "sns",
    "sqs",
    "ssm",
    "stepfunctions",
}
"""The services whose models stay. A client of any other fails with UnknownServiceError."""

PLATFORMS = ("aarch64", "x86_64")
"""Both of Lambda's processors: CPython puts the platform into the name of an extension module, so
one layer serves both and a build cannot pick the wrong one."""


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


def add_platform(platform: str, target: Path) -> None:
    """Lay the extension modules for another processor beside those that are there."""
    with TemporaryDirectory() as folder:
        install(platform, Path(folder))
        for module in Path(folder).rglob("*.so"):
            place = target / module.relative_to(folder)
            if place.exists():
                sys.exit(f"{place} has no platform in its name: one layer cannot serve both")
            shutil.copy2(module, place)


def main(root: Path) -> None:
    """Build the layer into a folder, as Lambda wants it: everything under python/."""
    python = root / "python"
    first, *others = PLATFORMS
    install(first, python)
    for platform in others:
        add_platform(platform, python)
    for service in (python / "botocore" / "data").iterdir():
        if service.is_dir() and service.name not in SERVICES:
            shutil.rmtree(service)
    compiled = compileall.compile_dir(
        python,
        quiet=1,
        stripdir=str(root),
        prependdir="/opt",  # where Lambda mounts the layer, and a function cannot write
        invalidation_mode=PycInvalidationMode.UNCHECKED_HASH,
    )
    if not compiled:
        sys.exit("some modules do not compile")


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
