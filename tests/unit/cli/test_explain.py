import json

import pytest

from tests.unit.builders import CLUSTER_ID
from tests.unit.cli.policies import a_stack_with_a_finding, run, store
from tests.unit.stubbed_aws import AwsError, StubbedAws


@pytest.fixture
def aws(stored: StubbedAws) -> StubbedAws:
    return stored


def test_explain_shows_findings_and_decisions(aws: StubbedAws) -> None:
    a_stack_with_a_finding(aws)

    result = run("explain", CLUSTER_ID, "--stack", "guard")

    assert result.exit_code == 0
    assert "Policy       version 7, mode alert" in result.stdout
    assert "EMRLOG-002 log-key-configured: OPEN, NON_COMPLIANT" in result.stdout
    assert "-> notify finding.opened of EMRLOG-002: nothing_in_alert_mode" in result.stdout


@pytest.mark.parametrize(
    ("cluster_id", "problem"),
    [
        ("nightly", "'nightly' is not a cluster id: write one"),
        (CLUSTER_ID, "no stack emr-log-guard"),
    ],
)
@pytest.mark.usefixtures("aws")
def test_explain_exits_with_2_for_an_invalid_id_or_a_missing_stack(
    cluster_id: str, problem: str
) -> None:
    result = run("explain", cluster_id)

    assert result.exit_code == 2
    assert problem in result.stderr


def test_explain_uses_the_strict_defaults_when_the_policy_is_unusable(
    aws: StubbedAws,
) -> None:
    a_stack_with_a_finding(aws)
    for stored in ('{"mood": 1}', None):
        if stored is None:
            aws.answer("GetParameter", AwsError("AccessDeniedException"))
        else:
            store(aws, stored)
        assert "Policy       strict defaults" in run("explain", CLUSTER_ID).stdout


def test_explain_prints_findings_and_decisions_as_json(aws: StubbedAws) -> None:
    a_stack_with_a_finding(aws)

    result = run("explain", CLUSTER_ID, "--stack", "guard", "--json")

    assert result.exit_code == 0
    document = json.loads(result.stdout)
    assert document["schema"] == "emr-log-guard/explanation/1"
    assert document["policy"] == {"version": 7, "mode": "alert"}
    assert document["cluster"]["name"] == "nightly-etl"
    assert [
        (finding["rule_id"], finding["status"], finding["now"]) for finding in document["findings"]
    ] == [
        ("EMRLOG-001", "OPEN", "alerted; no action on the cluster"),
        ("EMRLOG-002", "OPEN", "alerted; no action on the cluster"),
    ]
    [decision] = document["history"]
    assert decision["decided"] == ["notify finding.opened of EMRLOG-002: nothing_in_alert_mode"]
    assert [ground["rule_id"] for ground in decision["because"]] == ["EMRLOG-002"]


@pytest.mark.parametrize("form", [[], ["--json"]])
def test_unknown_cluster_exits_with_2(aws: StubbedAws, form: list[str]) -> None:
    a_stack_with_a_finding(aws)
    aws.answer("Query", {"Items": [], "Count": 0})

    result = run("explain", "j-BAD", "--region", "eu-west-1", "--stack", "guard", *form)

    assert (result.exit_code, result.stdout) == (2, "")
    assert "the stack guard in eu-west-1 does not know the cluster j-BAD" in result.stderr
    assert "`emr-log-guard audit --cluster j-BAD` evaluates a cluster now" in result.stderr
