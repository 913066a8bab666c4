import csv
import re
import subprocess
import sys
from base64 import urlsafe_b64encode
from hashlib import sha256
from importlib.util import MAGIC_NUMBER, cache_from_source
from pathlib import Path
from runpy import run_path

import pytest

from tests.template.stack import EVERYTHING, ROOT, Stack

FUNCTIONS = Stack(EVERYTHING).functions
LAYERS = ("EmrLogGuardLayer", "DependenciesLayer")
PACKAGE = ROOT / "layers" / "emr_log_guard" / "emr_log_guard"

ENVIRONMENT = {
    "AMAZON_Q_TOPIC_ARN": "arn:aws:sns:eu-west-1:111122223333:amazon-q",
    "ALERTS_TOPIC_ARN": "arn:aws:sns:eu-west-1:111122223333:alerts",
    "EMR_API_SHARE": "0.5",
    "DEAD_LETTER_QUEUE_ARN": "arn:aws:sqs:eu-west-1:111122223333:dead-letters",
    "FINDINGS_TABLE_NAME": "findings",
    "CLUSTER_EVENTS_QUEUE_URL": "https://sqs.eu-west-1.amazonaws.com/111122223333/cluster-events",
    "LOG_OBJECTS_QUEUE_URL": "https://sqs.eu-west-1.amazonaws.com/111122223333/log-objects",
    "REENCRYPTION_QUEUE_URL": "https://sqs.eu-west-1.amazonaws.com/111122223333/reencryption",
    "SCHEDULE_GROUP_NAME": "schedules",
    "SCHEDULE_ROLE_ARN": "arn:aws:iam::111122223333:role/schedules",
    "ENFORCEMENT_QUEUE_ARN": "arn:aws:sqs:eu-west-1:111122223333:enforcement",
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_DEFAULT_REGION": "eu-west-1",
    "DEAD_LETTER_QUEUE_URL": "https://sqs.eu-west-1.amazonaws.com/111122223333/dead-letters",
    "EVENT_BUS_ARN": EVERYTHING["EventBusArn"],
    "SECURITY_HUB_PRODUCT_ARN": "arn:aws:securityhub:eu-west-1:111122223333:product/1/default",
    "ENFORCEMENT_QUEUE_URL": "https://sqs.eu-west-1.amazonaws.com/111122223333/enforcement",
    "POLICY_PARAMETER_NAME": "/emr-log-guard/emr-log-guard/policy",
    "POWERTOOLS_METRICS_NAMESPACE": "EmrLogGuard",
    "POWERTOOLS_SERVICE_NAME": "test",
    "STACK_NAME": "emr-log-guard",
    "REPORTS_BUCKET_NAME": "reports",
    "SLACK_WEBHOOK_SECRET_ARN": EVERYTHING["SlackWebhookSecretArn"],
}


SERVICES: set[str] = run_path(str(ROOT / "layers" / "dependencies" / "build.py"))["SERVICES"]


@pytest.fixture(scope="session")
def artifacts(built: Path) -> Path:
    """The output folder of `sam build`, with one folder per function and layer."""
    return built.parent


@pytest.fixture(scope="session")
def dependencies(artifacts: Path) -> Path:
    return artifacts / "DependenciesLayer" / "python"


def compiled_modules(layer: Path) -> list[tuple[Path, Path]]:
    """Each module of a layer, and the expected path of its bytecode."""
    return [(module, Path(cache_from_source(str(module)))) for module in layer.rglob("*.py")]


@pytest.mark.parametrize("function", FUNCTIONS)
def test_handler_loads_with_only_the_layers(artifacts: Path, function: str) -> None:
    """Without site-packages, so the machine's own boto3 cannot be imported."""
    path = [str(artifacts / function), *(str(artifacts / layer / "python") for layer in LAYERS)]
    load = f"import sys; sys.path[:0] = {path}; import app; assert callable(app.lambda_handler)"

    result = subprocess.run(
        [sys.executable, "-I", "-S", "-W", "error", "-c", load],
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert result.returncode == 0, result.stderr


def test_report_renders_with_only_the_layers(artifacts: Path) -> None:
    """The layer contains its template, style and script."""
    path = [str(artifacts / layer / "python") for layer in LAYERS]
    write = (
        f"import sys; sys.path[:0] = {path}\n"
        "from datetime import UTC, datetime\n"
        "from emr_log_guard.domain.rescan import Rescan, RescanCheckpoint\n"
        "from emr_log_guard.domain.rescan_report import Difference, RescanReport\n"
        "from emr_log_guard.rendering.reports.rescan import rescan_html\n"
        "now = datetime.now(UTC)\n"
        "rescan = Rescan(execution='arn:aws:states:eu-west-1:1:execution:r:1', started=now)\n"
        "difference = Difference.between(RescanCheckpoint(), ())\n"
        "report = RescanReport(rescan=rescan, finished=now, place='', shards=0, failed=(),\n"
        "    difference=difference)\n"
        "print(''.join(rescan_html(report)))"
    )

    result = subprocess.run(
        [sys.executable, "-I", "-S", "-W", "error", "-c", write],
        capture_output=True,
        text=True,
        check=False,
    )

    assert result.returncode == 0, result.stderr
    assert result.stdout.rstrip().endswith("</html>")


@pytest.mark.parametrize("layer", LAYERS)
def test_modules_are_compiled_with_unchecked_hashes(artifacts: Path, layer: str) -> None:
    """Flags 0b01: validated by hash, without checking the source (PEP 552)."""
    modules = compiled_modules(artifacts / layer)

    assert modules
    for source, compiled in modules:
        assert compiled.read_bytes()[:8] == MAGIC_NUMBER + b"\x01\x00\x00\x00", source


@pytest.mark.parametrize("layer", LAYERS)
def test_bytecode_has_a_module(artifacts: Path, layer: str) -> None:
    expected = {compiled for _, compiled in compiled_modules(artifacts / layer)}

    assert set((artifacts / layer).rglob("*.pyc")) == expected


def test_layer_contains_the_whole_package(artifacts: Path) -> None:
    shipped = artifacts / "EmrLogGuardLayer" / "python" / PACKAGE.name

    assert {str(module.relative_to(shipped)) for module in shipped.rglob("*.py")} == {
        str(module.relative_to(PACKAGE)) for module in PACKAGE.rglob("*.py")
    }


def test_layer_contains_only_the_models_of_used_services(dependencies: Path) -> None:
    used = {
        service
        for module in (PACKAGE / "adapters" / "clients.py", PACKAGE / "adapters" / "sessions.py")
        for service in re.findall(r'\b_?client\(\s*"([a-z0-9-]+)"', module.read_text())
        if service not in ("ec2", "sts")  # only the command uses these; a laptop has all of boto3
    } | {"secretsmanager"}  # by Powertools' get_secret
    models = dependencies / "botocore" / "data"

    assert {folder.name for folder in models.iterdir() if folder.is_dir()} == used
    assert used == SERVICES


def test_only_models_of_unused_services_are_removed_from_the_packages(
    dependencies: Path,
) -> None:
    """The layer contains the files in the packages' RECORD files, with the same hashes."""
    listed = {
        path: algorithm_and_hash
        for record in dependencies.glob("*.dist-info/RECORD")
        for path, algorithm_and_hash, _ in csv.reader(record.read_text().splitlines())
    }
    shipped = {
        str(file.relative_to(dependencies)): file
        for file in dependencies.rglob("*")
        if file.is_file() and file.suffix != ".pyc" and file.name != ".lock"  # left by uv
    }
    left_out = {path.split("/")[2] for path in listed.keys() - shipped.keys()}
    added = {
        path
        for path in shipped.keys() - listed.keys()
        if not re.search(r"(aarch64|x86_64).*\.so$", path)
    }

    assert all(path.startswith("botocore/data/") for path in listed.keys() - shipped.keys())
    assert left_out
    assert not left_out & SERVICES
    assert not added
    for path in listed.keys() & shipped.keys():
        if listed[path]:  # a RECORD does not list its own hash
            digest = urlsafe_b64encode(sha256(shipped[path].read_bytes()).digest()).rstrip(b"=")
            assert listed[path] == f"sha256={digest.decode()}", path


def test_layer_supports_both_architectures(dependencies: Path) -> None:
    modules = {file.name for file in dependencies.rglob("*.so")}
    for_one = {name for name in modules if "x86_64" in name}

    assert for_one
    assert modules - for_one == {name.replace("x86_64", "aarch64") for name in for_one}


def test_layer_contains_the_locked_versions(dependencies: Path) -> None:
    lock = (ROOT / "requirements" / "functions.txt").read_text()
    locked = {
        (name.replace("-", "_"), version)
        for name, version in re.findall(r"^([a-z0-9-]+)==([^ ]+)", lock, re.MULTILINE)
    }
    shipped = {
        tuple(folder.name.removesuffix(".dist-info").rsplit("-", 1))
        for folder in dependencies.glob("*.dist-info")
    }

    assert shipped == locked


def test_layer_lock_is_a_link_to_the_project_lock() -> None:
    """A link, because `sam build` copies the layer's folder out of the repository."""
    link = ROOT / "layers" / "dependencies" / "requirements.txt"

    assert link.resolve() == ROOT / "requirements" / "functions.txt"
