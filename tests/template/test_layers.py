import ast
import json
import re
import subprocess
import sys
from collections.abc import Iterable
from importlib.util import MAGIC_NUMBER, cache_from_source
from pathlib import Path
from runpy import run_path
from typing import Any

import pytest
from botocore import xform_name
from botocore.loaders import Loader

from tests.template.stack import EVERYTHING, ROOT, Stack

FUNCTIONS = Stack(EVERYTHING).functions
LAYERS = ("EmrLogGuardLayer", "DependenciesLayer")
PACKAGE = ROOT / "layers" / "emr_log_guard" / "emr_log_guard"

ENVIRONMENT = {
    "AMAZON_Q_TOPIC_ARN": "arn:aws:sns:eu-west-1:111122223333:amazon-q",
    "ALERTS_TOPIC_ARN": "arn:aws:sns:eu-west-1:111122223333:alerts",
    "DEAD_LETTER_QUEUE_ARN": "arn:aws:sqs:eu-west-1:111122223333:dead-letters",
    "FINDINGS_TABLE_NAME": "findings",
    "LOG_OBJECTS_QUEUE_URL": "https://sqs.eu-west-1.amazonaws.com/111122223333/log-objects",
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


BUILD = run_path(str(ROOT / "layers" / "dependencies" / "build.py"))
OPERATIONS: dict[str, set[str]] = BUILD["OPERATIONS"]
BY_BOTOCORE: dict[str, set[str]] = BUILD["BY_BOTOCORE"]


LATER = "scan = getattr(app, 'SCAN_SHARD', None); scan and (scan.clusters(), scan.log_objects())"
"""Has that wired, too, which a function wires at an event."""


def wired_adapters() -> set[Path]:
    """The adapters that the functions' wiring imports, itself or through others."""
    found: set[Path] = set()
    ahead = list((PACKAGE / "bootstrap").glob("*.py"))
    while ahead:
        for node in ast.walk(ast.parse(ahead.pop().read_text())):
            if not isinstance(node, ast.ImportFrom) or node.module is None:
                continue
            place = PACKAGE.parent.joinpath(*node.module.split("."))
            modules = {place, *(place / alias.name for alias in node.names)}
            new = {
                file
                for file in (module.with_suffix(".py") for module in modules)
                if file.parent == PACKAGE / "adapters" and file.is_file()
            } - found
            found |= new
            ahead += new
    return found


def names_in(modules: Iterable[Path]) -> set[str]:
    """What could be the name of a client's method: attributes, and what paginators are asked."""
    names = set()
    for module in modules:
        for node in ast.walk(ast.parse(module.read_text())):
            if isinstance(node, ast.Attribute):
                names.add(node.attr)
            elif (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and node.func.attr in ("can_paginate", "get_paginator")
            ):
                assert isinstance(node.args[0], ast.Constant), f"{module}:{node.lineno}"
                names.add(str(node.args[0].value))
    return names


def without_prose(part: object) -> object:
    def hook(each: dict[str, Any]) -> dict[str, Any]:
        return {
            name: own
            for name, own in each.items()
            if name != "documentation" or not isinstance(own, str)
        }

    return json.loads(json.dumps(part), object_hook=hook)


def named(part: object) -> set[str]:
    """The shapes that a part of a model refers to."""
    return set(re.findall(r'"shape": "(\w+)"', json.dumps(part)))


@pytest.fixture(scope="session")
def artifacts(built: Path) -> Path:
    """The folder of what `sam build` made, a folder a function or layer."""
    return built.parent


@pytest.fixture(scope="session")
def dependencies(artifacts: Path) -> Path:
    return artifacts / "DependenciesLayer" / "python"


def compiled_modules(layer: Path) -> list[tuple[Path, Path]]:
    """Each module of a layer, and where its bytecode should be."""
    return [(module, Path(cache_from_source(str(module)))) for module in layer.rglob("*.py")]


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_handler_loads_with_nothing_but_the_layers(artifacts: Path, function: str) -> None:
    """No site-packages: the machine's own boto3 cannot help out."""
    path = [str(artifacts / function), *(str(artifacts / layer / "python") for layer in LAYERS)]
    load = (
        f"import sys; sys.path[:0] = {path}; import app; assert callable(app.lambda_handler); "
        f"{LATER}"
    )

    result = subprocess.run(
        [sys.executable, "-I", "-S", "-W", "error", "-c", load],
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert result.returncode == 0, result.stderr


def test_the_report_is_written_with_nothing_but_the_layers(artifacts: Path) -> None:
    """Its template, style and script travel along, and Jinja is not trimmed too far."""
    path = [str(artifacts / layer / "python") for layer in LAYERS]
    write = (
        f"import sys; sys.path[:0] = {path}\n"
        "from datetime import UTC, datetime\n"
        "from emr_log_guard.domain.rescan import Rescan, RescanMemory\n"
        "from emr_log_guard.domain.rescan_report import Difference, RescanReport\n"
        "from emr_log_guard.rendering.rescan_html import rescan_html\n"
        "now = datetime.now(UTC)\n"
        "rescan = Rescan(execution='arn:aws:states:eu-west-1:1:execution:r:1', started=now)\n"
        "difference = Difference.between(RescanMemory(), ())\n"
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
def test_every_module_is_compiled_for_good(artifacts: Path, layer: str) -> None:
    """Flags 0b01: compared by hash with the source, and that unchecked (PEP 552)."""
    modules = compiled_modules(artifacts / layer)

    assert modules
    for source, compiled in modules:
        assert compiled.read_bytes()[:8] == MAGIC_NUMBER + b"\x01\x00\x00\x00", source


@pytest.mark.parametrize("layer", LAYERS)
def test_bytecode_is_of_modules_that_are_there(artifacts: Path, layer: str) -> None:
    expected = {compiled for _, compiled in compiled_modules(artifacts / layer)}

    assert set((artifacts / layer).rglob("*.pyc")) == expected


def test_the_package_travels_whole(artifacts: Path) -> None:
    shipped = artifacts / "EmrLogGuardLayer" / "python" / PACKAGE.name

    assert {str(module.relative_to(shipped)) for module in shipped.rglob("*.py")} == {
        str(module.relative_to(PACKAGE)) for module in PACKAGE.rglob("*.py")
    }


def test_the_layer_has_the_models_of_the_services_in_use_and_no_others(dependencies: Path) -> None:
    used = {
        service
        for module in (PACKAGE / "adapters" / "clients.py", PACKAGE / "adapters" / "sessions.py")
        for service in re.findall(r'\b_?client\(\s*"([a-z0-9-]+)"', module.read_text())
        if service not in ("ec2", "sts")  # of the command: a laptop has all of boto3
    } | {"secretsmanager"}  # by Powertools' get_secret
    models = dependencies / "botocore" / "data"

    assert {folder.name for folder in models.iterdir() if folder.is_dir()} == used
    assert set(OPERATIONS) == used
    for service in used:
        (version,) = (models / service).iterdir()
        assert {"service-2.json", "endpoint-rule-set-1.json"} <= {
            file.name for file in version.iterdir()
        }


def test_the_listed_operations_are_those_that_the_functions_call() -> None:
    """What several services have by one name, all of them keep."""
    called = {("secretsmanager", "GetSecretValue")}  # by Powertools' get_secret
    names = names_in(wired_adapters())
    assert "get_waiter" not in names, "what a waiter calls is not seen here"
    for service in OPERATIONS:
        for operation in Loader().load_service_model(service, "service-2")["operations"]:
            if xform_name(operation) in names:
                called.add((service, operation))
    called -= {("kms", "Sign")}  # a request is signed by that name

    listed = {(service, each) for service, those in OPERATIONS.items() for each in those}
    assert called - listed == set(), "called: add them to OPERATIONS in build.py"
    assert listed - called == set(), "called no more: take them from OPERATIONS in build.py"


def test_the_errors_that_are_caught_are_those_of_operations_that_are_left(
    dependencies: Path,
) -> None:
    caught = {
        node.attr
        for module in wired_adapters()
        for node in ast.walk(ast.parse(module.read_text()))
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Attribute)
        and node.value.attr == "exceptions"
        and "client" in ast.unparse(node.value.value)
    }
    left = {
        name
        for file in (dependencies / "botocore" / "data").glob("*/*/service-2.json")
        for name in json.loads(file.read_bytes())["shapes"]
    }

    assert "NoSuchKey" in caught
    assert caught <= left


def test_models_are_botocores_own_without_the_prose(dependencies: Path) -> None:
    lean = Loader([str(dependencies / "botocore" / "data")], include_default_search_paths=False)

    for service, called in OPERATIONS.items():
        shipped = lean.load_service_model(service, "service-2")
        theirs = Loader().load_service_model(service, "service-2")

        assert shipped.keys() == theirs.keys()
        for part in theirs:
            if part not in ("operations", "shapes"):
                assert shipped[part] == theirs[part]
        for part in ("operations", "shapes"):
            for name, own in shipped[part].items():
                assert own == without_prose(theirs[part][name])
        left = called | BY_BOTOCORE.get(service, set())
        assert shipped["operations"].keys() == left
        assert named(shipped["operations"]) | named(shipped["shapes"]) <= shipped["shapes"].keys()


def test_all_that_is_no_service_model_is_botocores_own(dependencies: Path) -> None:
    """Endpoint rules, paginators and partitions, whatever the form that they are kept in."""
    models = dependencies / "botocore" / "data"
    lean = Loader([str(models)], include_default_search_paths=False)
    prefixes = set()
    for service in OPERATIONS:
        (version,) = (models / service).iterdir()
        prefixes.add(lean.load_service_model(service, "service-2")["metadata"]["endpointPrefix"])
        for kind in ("endpoint-rule-set-1", "paginators-1"):
            assert lean.load_service_model(service, kind) == Loader().load_service_model(
                service, kind
            )
        assert not list(version.glob("*.gz"))
    endpoints, theirs = (each.load_data("endpoints") for each in (lean, Loader()))
    for partition in theirs["partitions"]:
        partition["services"] = {
            name: place for name, place in partition["services"].items() if name in prefixes
        }

    assert endpoints == theirs
    assert lean.load_data("partitions") == Loader().load_data("partitions")


def test_the_layer_serves_both_processors(dependencies: Path) -> None:
    modules = {file.name for file in dependencies.rglob("*.so")}
    for_one = {name for name in modules if "x86_64" in name}

    assert for_one
    assert modules - for_one == {name.replace("x86_64", "aarch64") for name in for_one}


def test_the_layer_is_what_the_lock_says(dependencies: Path) -> None:
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


def test_the_layers_lock_is_the_projects_lock() -> None:
    """A link, because `sam build` copies the layer's folder away from the repository."""
    link = ROOT / "layers" / "dependencies" / "requirements.txt"

    assert link.resolve() == ROOT / "requirements" / "functions.txt"
