import json
from pathlib import Path

import pytest

from tests.unit.builders import CLUSTER_ID, NOW
from tests.unit.cli.policies import STORED, a_stack_with_a_finding, run, store, written
from tests.unit.stubbed_aws import Answer, AwsError, StubbedAws


@pytest.fixture
def aws(stored: StubbedAws) -> StubbedAws:
    return stored


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "policy.json"
    path.write_text('{"mode": "observe"}')
    return path


def test_show_prints_the_stored_policy(aws: StubbedAws) -> None:
    result = run("policy", "show", "--stack", "guard")

    assert (result.exit_code, json.loads(result.stdout)) == (0, {"mode": "alert"})
    assert aws.calls == [("GetParameter", {"Name": "/emr-log-guard/guard/policy"})]


def test_show_prints_an_invalid_policy_and_exits_with_2(aws: StubbedAws) -> None:
    store(aws, '{"mood": 1}')

    result = run("policy", "show", "--parameter", "/mine")

    assert result.exit_code == 2
    assert result.stdout == '{"mood": 1}'
    assert "Error: mood: no such field" in result.stderr


def test_unreadable_policy_exits_with_2(aws: StubbedAws) -> None:
    aws.answer("GetParameter", AwsError("ParameterNotFound"))

    result = run("policy", "show")

    assert result.exit_code == 2
    assert result.stderr.splitlines() == [
        "Error: ssm:GetParameter on /emr-log-guard/emr-log-guard/policy answered ParameterNotFound",
        "  AWS says: message of AWS",
        "  Hint: check --stack or --parameter, --region and --profile",
    ]


@pytest.mark.parametrize(
    ("text", "status", "words"),
    [("{}", 0, "is valid"), ('{"mode": 1}', 2, "mode: expected `str`"), ("{", 2, "not JSON")],
)
def test_validate_needs_no_call(tmp_path: Path, text: str, status: int, words: str) -> None:
    file = tmp_path / "policy.json"
    file.write_text(text)

    result = run("policy", "validate", str(file))

    assert result.exit_code == status
    assert words in result.output
    assert run("policy", "validate", "-", answer=text).exit_code == status


def test_validate_reports_every_mistake_with_line_and_column(tmp_path: Path) -> None:
    file = tmp_path / "policy.json"
    text = '{"mode": 1,\n "exemptions": {}}'
    file.write_text(text)

    lines = run("policy", "validate", str(file)).stderr.splitlines()
    typed = run("policy", "validate", "-", answer=text).stderr.splitlines()

    assert [line.partition(": expected")[0] for line in lines] == [
        f"Error: {file}, line 1, column 10: mode",
        f"Error: {file}, line 2, column 16: exemptions",
    ]
    assert typed[0].startswith("Error: standard input, line 1, column 10: mode")


def test_missing_file_exits_with_2() -> None:
    assert run("policy", "validate", "gone.json").exit_code == 2


def test_set_shows_the_difference_asks_and_stores_the_policy(aws: StubbedAws, file: Path) -> None:
    result = run("policy", "set", str(file), answer="y\n")

    assert result.exit_code == 0, result.output
    assert '-  "mode": "alert"' in result.stdout
    assert '+  "mode": "observe"' in result.stdout
    assert written(aws) == [{"mode": "observe"}]


def test_set_stores_nothing_when_not_confirmed(aws: StubbedAws, file: Path) -> None:
    result = run("policy", "set", str(file), answer="n\n")

    assert result.exit_code == 1
    assert result.stderr.endswith(
        "\nAborted: nothing was changed. To confirm without a prompt, add --yes.\n"
    )
    assert written(aws) == []


def test_set_stores_nothing_when_the_policy_is_unchanged(aws: StubbedAws, file: Path) -> None:
    file.write_text(STORED)

    assert "Nothing to change" in run("policy", "set", str(file)).stdout
    assert written(aws) == []


def test_set_rejects_an_invalid_policy(aws: StubbedAws, file: Path) -> None:
    file.write_text('{"mode": "off"}')

    assert run("policy", "set", str(file), "--yes").exit_code == 2
    assert aws.calls == []


def test_set_rejects_a_policy_that_was_changed_meanwhile(aws: StubbedAws, file: Path) -> None:
    store(aws, STORED, "{}")

    result = run("policy", "set", str(file), "--yes")

    assert result.exit_code == 2
    assert "the stored policy was changed meanwhile" in result.stderr
    assert written(aws) == []


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ({"Version": 9}, "another version was written in between"),
        (AwsError("AccessDeniedException"), "AccessDenied"),
    ],
)
def test_failed_or_overtaken_write_exits_with_2(
    aws: StubbedAws,
    file: Path,
    answer: Answer,
    words: str,
) -> None:
    aws.answer("PutParameter", answer)

    result = run("policy", "set", str(file), "--yes")

    assert result.exit_code == 2
    assert words in result.stderr


def test_set_shows_the_impact_on_open_findings(aws: StubbedAws, file: Path) -> None:
    a_stack_with_a_finding(aws)
    exemption = {
        "cluster": {"id": CLUSTER_ID},
        "rules": ["EMRLOG-002"],
        "until": "2999-12-31",
        "reason": "moves",
        "approved_by": "security",
    }
    file.write_text(json.dumps({"mode": "alert", "exemptions": [exemption]}))

    result = run("policy", "set", str(file), "--stack", "guard", answer="n\n")

    assert "Of 2 open findings it would change 1." in result.stdout
    assert f"{CLUSTER_ID} nightly-etl, EMRLOG-002: alerted; no action on the cluster ->" in (
        result.stdout
    )
    assert written(aws) == []


def test_set_warns_when_the_stack_does_not_allow_enforcement(aws: StubbedAws, file: Path) -> None:
    a_stack_with_a_finding(aws)
    file.write_text('{"mode": "enforce"}')

    result = run("policy", "set", str(file), "--stack", "guard", answer="n\n")

    assert (
        "In mode enforce, stack guard terminates nothing: it was deployed without "
        "EnforcementAllowed=true." in result.stdout
    )


def test_set_continues_when_the_impact_is_unknown(aws: StubbedAws, file: Path) -> None:
    result = run("policy", "set", str(file), "--yes")

    assert (
        "What it would change for open findings could not be determined: no stack" in result.stderr
    )
    assert len(written(aws)) == 1


def test_quiet_set_stores_without_showing_the_difference(aws: StubbedAws, file: Path) -> None:
    result = run("policy", "set", str(file), "--quiet", "--yes")

    assert result.exit_code == 0
    assert result.output == "Version 8 is stored. It takes effect within 60 seconds.\n"
    assert written(aws) == [{"mode": "observe"}]


def test_quiet_set_without_yes_exits_with_2(aws: StubbedAws, file: Path) -> None:
    result = run("policy", "set", str(file), "--quiet")

    assert result.exit_code == 2
    assert result.stderr == "Error: --quiet asks no questions: add --yes\n"
    assert written(aws) == []


@pytest.mark.parametrize(
    ("text", "status", "problems"),
    [
        ("{}", 0, []),
        (
            '{"mode": 1}',
            2,
            ["mode: expected `str`, got `int`; write one of observe, alert, enforce"],
        ),
    ],
)
def test_validate_prints_problems_as_json(text: str, status: int, problems: list[str]) -> None:
    result = run("policy", "validate", "-", "--json", answer=text)

    assert (result.exit_code, result.stderr) == (status, "")
    assert json.loads(result.stdout) == {
        "valid": not problems,
        "problems": problems,
        "warnings": [],
    }


def test_show_prints_version_and_problems_as_json(aws: StubbedAws) -> None:
    valid = run("policy", "show", "--json")
    store(aws, '{"mood": 1}')
    invalid = run("policy", "show", "--json")

    assert (valid.exit_code, invalid.exit_code) == (0, 2)
    assert json.loads(valid.stdout) == {
        "parameter": "/emr-log-guard/emr-log-guard/policy",
        "version": 7,
        "stored_at": NOW.isoformat(),
        "valid": True,
        "problems": [],
        "policy": {"mode": "alert"},
    }
    shown = json.loads(invalid.stdout)
    assert (shown["valid"], shown["policy"]) == (False, '{"mood": 1}')
    assert shown["problems"][0].startswith("mood: no such field")


def test_set_prints_version_difference_and_impact_as_json(aws: StubbedAws, file: Path) -> None:
    a_stack_with_a_finding(aws)

    result = run("policy", "set", str(file), "--yes", "--json")

    assert result.exit_code == 0, result.output
    shown = json.loads(result.stdout)
    assert (shown["changed"], shown["version"]) == (True, 8)
    assert '+  "mode": "observe"' in shown["difference"]
    assert shown["impact"][0] == "Of 2 open findings it would change 2."


@pytest.mark.usefixtures("aws")
def test_set_reports_an_unchanged_policy_as_json(file: Path) -> None:
    file.write_text(STORED)

    assert json.loads(run("policy", "set", str(file), "--yes", "--json").stdout) == {
        "parameter": "/emr-log-guard/emr-log-guard/policy",
        "changed": False,
        "version": 7,
        "difference": [],
        "impact": [],
    }


def test_set_as_json_without_yes_exits_with_2(aws: StubbedAws, file: Path) -> None:
    result = run("policy", "set", str(file), "--json")

    assert (result.exit_code, written(aws)) == (2, [])
    assert "--json asks no questions: add --yes" in result.stderr
