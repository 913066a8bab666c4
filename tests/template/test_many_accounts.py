"""Hub and members: the hub's template is sound, and the members' is one that StackSets take."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from cfnlint.decode import decode  # type: ignore[import-untyped]
from moto.events.models import EventPattern

from emr_log_guard.rendering.bus_events import ENFORCEMENT_EVENTS, FINDING_EVENTS
from tests.template.stack import ROOT, template

HUB = ROOT / "docs" / "many-accounts" / "hub.yaml"
STACKSET = ROOT / "docs" / "many-accounts" / "stackset.py"
PREFIX = "amzn-s3-demo-emr-log-guard"
ARTIFACTS = ("CodeUri", "ContentUri", "DefinitionUri")


def lint(path: Path) -> str:
    command = [str(ROOT / ".venv" / "dev" / "bin" / "cfn-lint"), str(path)]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


def hub() -> dict[str, Any]:
    decoded, problems = decode(str(HUB))
    assert not problems
    resources: dict[str, Any] = decoded["Resources"]
    return resources


def packaged(into: Path, bucket: str = f"{PREFIX}-eu-west-1") -> Path:
    """Write the template as `sam package` does: whatever was a folder or file is in the bucket."""
    document = json.loads(json.dumps(template()))
    for name, resource in document["Resources"].items():
        for field in set(ARTIFACTS) & set(resource.get("Properties", {})):
            resource["Properties"][field] = f"s3://{bucket}/emr-log-guard/{name}"
    path = into / "packaged.yaml"
    path.write_text(json.dumps(document))
    return path


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    python = ROOT / ".venv" / "sam" / "bin" / "python"
    command = [str(python), str(STACKSET), *arguments]
    return subprocess.run(
        command, capture_output=True, text=True, check=False, env={"SAM_CLI_TELEMETRY": "0"}
    )


@pytest.fixture(scope="module")
def members(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The members' template."""
    folder = tmp_path_factory.mktemp("members")
    result = run(str(packaged(folder)), PREFIX)
    assert result.returncode == 0, result.stderr
    path = folder / "members.json"
    path.write_text(result.stdout)
    return path


def refs(node: Any) -> set[str]:  # noqa: ANN401 - a template is any JSON
    match node:
        case {"Ref": name}:
            return {name}
        case {"Fn::Sub": str(text)}:
            return {name for name in template()["Parameters"] if f"${{{name}}}" in text}
        case {"Fn::Sub": [text, names]}:
            return refs({"Fn::Sub": text}) | refs(names)
        case dict():
            return set().union(*(refs(value) for value in node.values()))
        case list():
            return set().union(*(refs(value) for value in node))
        case _:
            return set()


def test_the_hub_is_sound() -> None:
    assert not lint(HUB)


def test_the_members_template_is_sound_and_has_no_transform(members: Path) -> None:
    document = json.loads(members.read_text())

    assert "Transform" not in document
    kinds = {resource["Type"] for resource in document["Resources"].values()}
    assert not [kind for kind in kinds if kind.startswith("AWS::Serverless")]
    assert {"AWS::Lambda::Function", "AWS::Lambda::LayerVersion"} <= kinds
    assert not lint(members)
    assert members.stat().st_size < 1024 * 1024


def test_members_get_the_code_from_a_bucket_of_their_region(members: Path) -> None:
    document = json.loads(members.read_text())
    bucket = {"Fn::Sub": f"{PREFIX}-${{AWS::Region}}"}
    resources = document["Resources"].values()

    code = [
        resource["Properties"].get("Code") or resource["Properties"]["Content"]
        for resource in resources
        if resource["Type"] in {"AWS::Lambda::Function", "AWS::Lambda::LayerVersion"}
    ]
    [machine] = [each for each in resources if each["Type"] == "AWS::StepFunctions::StateMachine"]
    places = [*code, machine["Properties"]["DefinitionS3Location"]]
    assert [place.get("S3Bucket") or place["Bucket"] for place in places] == [bucket] * len(places)


def test_members_decide_by_their_own_parameters(members: Path) -> None:
    """None was decided when the template was made."""
    document = json.loads(members.read_text())
    before = refs({k: template()[k] for k in ("Resources", "Conditions", "Globals", "Rules")})

    wanted = before & set(template()["Parameters"])
    assert wanted == set(template()["Parameters"])
    assert wanted <= refs({k: document[k] for k in ("Resources", "Conditions", "Rules")})
    assert document["Parameters"] == template()["Parameters"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "give the packaged template and the prefix"),
        ((str(ROOT / "template.yaml"), PREFIX), "`sam package` it"),
    ],
)
def test_what_was_not_packaged_is_refused(arguments: tuple[str, ...], message: str) -> None:
    result = run(*arguments)

    assert result.returncode == 1
    assert message in result.stderr
    assert not result.stdout


def test_another_bucket_is_refused(tmp_path: Path) -> None:
    result = run(str(packaged(tmp_path, "elsewhere")), PREFIX)

    assert result.returncode == 1
    assert "s3://elsewhere/" in result.stderr


def test_only_members_put_events_and_only_the_guards() -> None:
    [statement] = [hub()["BusPolicy"]["Properties"]["Statement"]]

    assert statement["Action"] == "events:PutEvents"
    assert statement["Condition"] == {
        "StringEquals": {"aws:PrincipalOrgID": {"Ref": "OrganizationId"}},
        "ForAllValues:StringEquals": {"events:source": "emr-log-guard"},
    }


@pytest.mark.parametrize("detail_type", [*FINDING_EVENTS.values(), *ENFORCEMENT_EVENTS.values()])
@pytest.mark.parametrize("severity", ["LOW", "MEDIUM", "HIGH", "CRITICAL"])
def test_the_hub_tells_of_what_is_grave(detail_type: str, severity: str) -> None:
    event = {
        "source": "emr-log-guard",
        "detail-type": detail_type,
        "detail": {"severity": severity},
    }
    grave = json.dumps(hub()["GraveRule"]["Properties"]["EventPattern"])
    everything = json.dumps(hub()["HomeRule"]["Properties"]["EventPattern"])

    expected = detail_type in {"Enforcement Done", "Enforcement Failed"} or (
        detail_type in {"Finding Opened", "Finding Reopened"} and severity in {"HIGH", "CRITICAL"}
    )
    assert EventPattern.load(grave).matches_event(event) is expected  # type: ignore[arg-type]
    assert EventPattern.load(everything).matches_event(event)  # type: ignore[arg-type]


def test_no_rule_of_a_members_stack_is_woken_by_its_own_events() -> None:
    for name, resource in template()["Resources"].items():
        if "EventPattern" in resource.get("Properties", {}):
            pattern = resource["Properties"]["EventPattern"]
            for kind in (*FINDING_EVENTS.values(), *ENFORCEMENT_EVENTS.values()):
                mine = "emr-log-guard" in pattern["source"]
                assert not (mine and kind in pattern["detail-type"]), name
