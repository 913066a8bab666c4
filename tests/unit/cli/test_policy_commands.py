import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from emr_log_guard.adapters import clients
from emr_log_guard.cli.app import app
from tests.unit.stubbed_aws import Answer, AwsError, StubbedAws

STORED = '{"mode": "alert"}'
EXEMPT = ["exempt", "--rule", "EMRLOG-002", "--until", "2999-12-31", "--reason", "moves"]


@pytest.fixture
def aws() -> Iterator[StubbedAws]:
    clients.ssm.cache_clear()
    stub = StubbedAws()
    stub.attach(clients.ssm())
    store(stub, STORED)
    stub.answer("PutParameter", {"Version": 8})
    yield stub
    clients.ssm.cache_clear()


def store(aws: StubbedAws, *texts: str) -> None:
    parameters: list[dict[str, Any]] = [
        {"Parameter": {"Value": text, "Version": 7 + place}} for place, text in enumerate(texts)
    ]
    aws.answer("GetParameter", *parameters)


def run(*arguments: str, answer: str | None = None) -> Result:
    return CliRunner().invoke(app, list(arguments), input=answer)


def written(aws: StubbedAws) -> list[Any]:
    return [json.loads(call["Value"]) for name, call in aws.calls if name == "PutParameter"]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "policy.json"
    path.write_text('{"mode": "observe"}')
    return path


def test_show_prints_what_set_takes(aws: StubbedAws) -> None:
    result = run("policy", "show", "--stack", "guard")

    assert (result.exit_code, json.loads(result.stdout)) == (0, {"mode": "alert"})
    assert aws.calls == [("GetParameter", {"Name": "/emr-log-guard/guard/policy"})]


def test_show_prints_an_invalid_policy_and_says_so(aws: StubbedAws) -> None:
    store(aws, '{"mood": 1}')

    result = run("policy", "show", "--parameter", "/mine")

    assert result.exit_code == 2
    assert result.stdout == '{"mood": 1}'
    assert "Error: mood: no such field" in result.stderr


def test_what_cannot_be_read_ends_with_2(aws: StubbedAws) -> None:
    aws.answer("GetParameter", AwsError("ParameterNotFound"))

    result = run("policy", "show")

    assert result.exit_code == 2
    assert "ParameterNotFound: check --stack or --parameter" in result.stderr


@pytest.mark.parametrize(
    ("text", "status", "words"),
    [("{}", 0, "is valid"), ('{"mode": 1}', 2, "mode: expected `str`"), ("{", 2, "not JSON")],
)
def test_validate_judges_without_aws(tmp_path: Path, text: str, status: int, words: str) -> None:
    file = tmp_path / "policy.json"
    file.write_text(text)

    result = run("policy", "validate", str(file))

    assert result.exit_code == status
    assert words in result.output
    assert run("policy", "validate", "-", answer=text).exit_code == status


def test_a_file_that_is_not_there_ends_with_2() -> None:
    assert run("policy", "validate", "gone.json").exit_code == 2


def test_set_shows_the_difference_asks_and_writes(aws: StubbedAws, file: Path) -> None:
    result = run("policy", "set", str(file), answer="y\n")

    assert result.exit_code == 0, result.output
    assert '-  "mode": "alert"' in result.stdout
    assert '+  "mode": "observe"' in result.stdout
    assert written(aws) == [{"mode": "observe"}]


def test_set_writes_nothing_when_told_not_to(aws: StubbedAws, file: Path) -> None:
    assert run("policy", "set", str(file), answer="n\n").exit_code == 1
    assert written(aws) == []


def test_set_writes_nothing_that_is_there_already(aws: StubbedAws, file: Path) -> None:
    file.write_text(STORED)

    assert "Nothing would change" in run("policy", "set", str(file)).stdout
    assert written(aws) == []


def test_set_refuses_what_is_invalid(aws: StubbedAws, file: Path) -> None:
    file.write_text('{"mode": "off"}')

    assert run("policy", "set", str(file), "--yes").exit_code == 2
    assert aws.calls == []


def test_set_refuses_when_somebody_was_quicker(aws: StubbedAws, file: Path) -> None:
    store(aws, STORED, "{}")

    result = run("policy", "set", str(file), "--yes")

    assert result.exit_code == 2
    assert "changed the stored policy meanwhile" in result.stderr
    assert written(aws) == []


@pytest.mark.parametrize(
    ("answer", "words"),
    [({"Version": 9}, "somebody else wrote"), (AwsError("AccessDeniedException"), "AccessDenied")],
)
def test_a_write_that_went_wrong_is_told(
    aws: StubbedAws,
    file: Path,
    answer: Answer,
    words: str,
) -> None:
    aws.answer("PutParameter", answer)

    result = run("policy", "set", str(file), "--yes")

    assert result.exit_code == 2
    assert words in result.stderr


def test_exempt_adds_to_the_stored_policy(aws: StubbedAws) -> None:
    which = ["--name", "legacy-*", "--tag", "team=a", "--approved-by", "ada"]

    result = run(*EXEMPT, *which, "--yes")

    assert result.exit_code == 0, result.output
    [policy] = written(aws)
    assert policy == {
        "mode": "alert",
        "exemptions": [
            {
                "cluster": {"name": "legacy-*", "tag": {"team": "a"}},
                "rules": ["EMRLOG-002"],
                "until": "2999-12-31",
                "reason": "moves",
                "approved_by": "ada",
            }
        ],
    }


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([*EXEMPT], "say which clusters"),
        ([*EXEMPT, "--tag", "team"], "--tag: write KEY=VALUE"),
        ([*EXEMPT, "--cluster", "x"], "cluster.id: is not written as it must be"),
        ([*EXEMPT, "--name", "a", "--rule", "EMRLOG-999"], "no rule 'EMRLOG-999'"),
        ([*EXEMPT, "--name", "a", "--until", "2001-01-01"], "2001-01-01 is over already"),
        ([*EXEMPT, "--name", "a", "--until", "soon"], "until: invalid"),
    ],
)
def test_exempt_refuses_what_it_cannot_mean(
    aws: StubbedAws, arguments: list[str], words: str
) -> None:
    result = run(*arguments, "--yes")

    assert result.exit_code == 2
    assert words in result.stderr
    assert aws.calls == []


def test_exempt_leaves_an_invalid_policy_alone(aws: StubbedAws) -> None:
    store(aws, '{"mood": 1}')

    result = run(*EXEMPT, "--name", "a", "--yes")

    assert result.exit_code == 2
    assert "the stored policy is invalid: correct it first" in result.stderr
