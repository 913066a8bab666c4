import json

import pytest

from tests.unit.builders import CLUSTER_ID
from tests.unit.cli.policies import a_stack_with_a_finding, run, store
from tests.unit.stubbed_aws import AwsError, StubbedAws


@pytest.fixture
def aws(stored: StubbedAws) -> StubbedAws:
    return stored


def test_explain_shows_what_is_known_and_what_was_decided(aws: StubbedAws) -> None:
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
        assert "Policy       strict defaults" in run("explain", CLUSTER_ID).stdout


def test_explain_gives_programs_the_same(aws: StubbedAws) -> None:
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
def test_an_unknown_cluster_is_an_error_and_not_a_cluster_without_findings(
    aws: StubbedAws, form: list[str]
) -> None:
    a_stack_with_a_finding(aws)
    aws.answer("Query", {"Items": [], "Count": 0})

    result = run("explain", "j-BAD", "--region", "eu-west-1", "--stack", "guard", *form)

    assert (result.exit_code, result.stdout) == (2, "")
    assert "the stack guard in eu-west-1 does not know the cluster j-BAD" in result.stderr
    assert "`emr-log-guard audit --cluster j-BAD` evaluates a cluster now" in result.stderr
