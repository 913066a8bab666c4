import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from emr_log_guard.adapters.dynamodb import DynamoLedger
from emr_log_guard.cli.app import app
from emr_log_guard.domain.compliance import Mode
from emr_log_guard.domain.decisions import Decision, grounds_of
from emr_log_guard.domain.ledger import Entry, Kind, Known
from tests.unit.builders import CLUSTER_ID, NOW, a_cluster, a_finding
from tests.unit.fake_table import FakeTable
from tests.unit.stubbed_aws import Answer, AwsError, StubbedAws

STORED = '{"mode": "alert"}'
EXEMPT = ["exempt", "--rule", "EMRLOG-002", "--until", "2999-12-31", "--reason", "moves"]


@pytest.fixture
def aws(aws: StubbedAws) -> StubbedAws:
    aws.answer("ListStackResources", AwsError("ValidationError"))
    store(aws, STORED)
    aws.answer("PutParameter", {"Version": 8})
    return aws


def store(aws: StubbedAws, *texts: str) -> None:
    parameters: list[dict[str, Any]] = [
        {"Parameter": {"Value": text, "Version": 7 + place, "LastModifiedDate": NOW}}
        for place, text in enumerate(texts)
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
    assert result.stderr.splitlines() == [
        "Error: ssm:GetParameter on /emr-log-guard/emr-log-guard/policy answered ParameterNotFound",
        "  AWS says: told by AWS",
        "  Hint: check --stack or --parameter, --region and --profile",
    ]


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
    assert "the stored policy was changed meanwhile" in result.stderr
    assert written(aws) == []


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ({"Version": 9}, "another version was written in between"),
        (AwsError("AccessDeniedException"), "AccessDenied"),
    ],
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
        ([*EXEMPT], "select the clusters"),
        ([*EXEMPT, "--tag", "team"], "--tag: write KEY=VALUE"),
        ([*EXEMPT, "--cluster", "x"], "cluster.id: is not written as it must be"),
        ([*EXEMPT, "--name", "a", "--rule", "EMRLOG-999"], "no rule 'EMRLOG-999'"),
        ([*EXEMPT, "--name", "a", "--until", "2001-01-01"], "2001-01-01 is in the past"),
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


def a_stack_with_a_finding(aws: StubbedAws) -> None:
    """Have a stack deployed without enforcement, and an open finding in its table."""
    common = {"ResourceType": "t", "LastUpdatedTimestamp": 0, "ResourceStatus": "CREATE_COMPLETE"}
    names = {"FindingsTable": "findings", "PolicyParameter": "/emr-log-guard/guard/policy"}
    aws.answer(
        "ListStackResources",
        {
            "StackResourceSummaries": [
                {"LogicalResourceId": logical, "PhysicalResourceId": name, **common}
                for logical, name in names.items()
            ]
        },
    )
    table = FakeTable()
    ledger = DynamoLedger(table, "findings")
    for rule_id in ("EMRLOG-001", "EMRLOG-002"):
        finding = a_finding(rule_id)
        ledger.write(Entry(finding=finding, kind=Kind.CLUSTER, opened_at=NOW, judged_at=NOW))
    ledger.remember(Known(a_cluster()), None)
    ledger.record(
        Decision(
            cluster_id=CLUSTER_ID,
            at=NOW,
            by="check_cluster",
            invocation="one",
            cluster_state="RUNNING",
            mode=Mode.ALERT,
            policy_version=7,
            decided=("tell finding.opened of EMRLOG-002: nothing_in_alert_mode",),
            grounds=grounds_of([a_finding()]),
        )
    )
    aws.answer("Query", lambda request: table.query(**request))
    aws.answer("GetItem", lambda request: table.get_item(**request))


def test_set_says_what_would_change_for_todays_open_findings(aws: StubbedAws, file: Path) -> None:
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
    assert f"{CLUSTER_ID} nightly-etl, EMRLOG-002: told, and the cluster is let be ->" in (
        result.stdout
    )
    assert written(aws) == []


def test_set_says_when_it_cannot_tell_and_goes_on(aws: StubbedAws, file: Path) -> None:
    result = run("policy", "set", str(file), "--yes")

    assert (
        "What it would change for open findings could not be determined: no stack" in result.stderr
    )
    assert len(written(aws)) == 1


def test_explain_tells_what_is_known_and_what_was_decided(aws: StubbedAws) -> None:
    a_stack_with_a_finding(aws)

    result = run("explain", CLUSTER_ID, "--stack", "guard")

    assert result.exit_code == 0
    assert "Policy       version 7, mode alert" in result.stdout
    assert "EMRLOG-002 log-key-configured: OPEN, NON_COMPLIANT" in result.stdout
    assert "-> tell finding.opened of EMRLOG-002: nothing_in_alert_mode" in result.stdout


@pytest.mark.parametrize(
    ("cluster_id", "problem"),
    [
        ("nightly", "'nightly' is not a cluster id: write one"),
        (CLUSTER_ID, "no stack emr-log-guard"),
    ],
)
@pytest.mark.usefixtures("aws")
def test_explain_says_what_is_wrong(cluster_id: str, problem: str) -> None:
    result = run("explain", cluster_id)

    assert result.exit_code == 2
    assert problem in result.stderr


def test_explain_goes_by_the_strict_defaults_when_the_policy_does_not_hold(
    aws: StubbedAws,
) -> None:
    a_stack_with_a_finding(aws)
    for stored in ('{"mood": 1}', None):
        if stored is None:
            aws.answer("GetParameter", AwsError("AccessDeniedException"))
        else:
            store(aws, stored)
        assert "Policy       the strict defaults" in run("explain", CLUSTER_ID).stdout
