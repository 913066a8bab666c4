import json
from datetime import UTC, datetime, timedelta

import pytest

from tests.unit.builders import CLUSTER_ID
from tests.unit.cli.policies import a_stack_with_a_finding, run, store, written
from tests.unit.stubbed_aws import StubbedAws

EXEMPT = ["exempt", "--rule", "EMRLOG-002", "--until", "2999-12-31", "--reason", "moves"]


@pytest.fixture
def aws(stored: StubbedAws) -> StubbedAws:
    return stored


def test_exempt_adds_an_exemption_to_the_stored_policy(aws: StubbedAws) -> None:
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
        ([*EXEMPT, "--cluster", "x"], "Error: --cluster: has an invalid format"),
        (
            [*EXEMPT, "--name", "a", "--rule", "EMRLOG-999"],
            "Error: --rule: this version has no rule 'EMRLOG-999'",
        ),
        ([*EXEMPT, "--name", "a", "--until", "2001-01-01"], "2001-01-01 is in the past"),
        (
            [*EXEMPT, "--name", "a", "--until", "soon"],
            "Error: --until: has an invalid format; write the last day",
        ),
        (["exempt", "--rule", "EMRLOG-009", *EXEMPT[3:], "--name", "a"], "is about log buckets"),
    ],
)
def test_exempt_rejects_invalid_options(aws: StubbedAws, arguments: list[str], words: str) -> None:
    result = run(*arguments, "--yes")

    assert result.exit_code == 2
    assert words in result.stderr
    assert aws.calls == []


def test_exempt_rejects_an_exemption_longer_than_the_policy_allows(aws: StubbedAws) -> None:
    store(aws, '{"exemptions_max_days": 30}')
    today = datetime.now(UTC).date()
    longest, longer = (str(today + timedelta(days=days)) for days in (30, 32))

    refused = run(*EXEMPT, "--name", "a", "--until", longer, "--yes")
    accepted = run(*EXEMPT, "--name", "a", "--until", longest, "--yes")

    assert refused.exit_code == 2
    assert refused.stderr.startswith(
        f"Error: --until: {longer} is more than 30 days away, the longest that "
        "exemptions_max_days allows; write "
    )
    assert accepted.exit_code == 0, accepted.output
    assert [policy["exemptions"][0]["until"] for policy in written(aws)] == [longest]


def test_exempt_requires_a_last_day(aws: StubbedAws) -> None:
    result = run("exempt", "--rule", "EMRLOG-002", "--reason", "moves", "--name", "a", "--yes")

    assert result.exit_code == 2
    assert "missing option '--until'" in result.stderr
    assert aws.calls == []


def test_exempt_does_not_change_an_invalid_policy(aws: StubbedAws) -> None:
    store(aws, '{"mood": 1}')

    result = run(*EXEMPT, "--name", "a", "--yes")

    assert result.exit_code == 2
    assert "the stored policy is invalid: correct it first" in result.stderr


def test_quiet_prints_only_the_result(aws: StubbedAws) -> None:
    result = run(*EXEMPT, "--name", "a", "--yes", "--quiet")

    assert result.exit_code == 0
    assert result.output == "Version 8 is stored. It takes effect within 60 seconds.\n"
    assert len(written(aws)) == 1


def exemption(until: str = "2999-12-31", **cluster: object) -> dict[str, object]:
    return {
        "cluster": cluster or {"id": CLUSTER_ID},
        "rules": ["EMRLOG-002"],
        "until": until,
        "reason": "moves",
        "approved_by": "ada",
    }


def test_equal_exemption_changes_nothing(aws: StubbedAws) -> None:
    store(aws, json.dumps({"exemptions": [exemption()]}))

    again = run(*EXEMPT, "--cluster", CLUSTER_ID, "--approved-by", "ada", "--yes")

    assert (again.exit_code, written(aws)) == (0, [])
    assert "Nothing to change" in again.stdout


def test_exemption_for_the_same_clusters_and_rules_is_replaced(aws: StubbedAws) -> None:
    other = exemption(name="legacy-*")
    store(aws, json.dumps({"exemptions": [other, exemption("2030-01-01")]}))

    run("exempt", "add", *EXEMPT[1:], "--cluster", CLUSTER_ID, "--approved-by", "ada", "--yes")

    assert written(aws) == [{"exemptions": [other, exemption()]}]


@pytest.mark.parametrize(("cluster_id", "warned"), [("j-BAD", True), (CLUSTER_ID, False)])
def test_exemption_of_an_unknown_cluster_is_stored_with_a_warning(
    aws: StubbedAws,
    cluster_id: str,
    warned: bool,  # noqa: FBT001
) -> None:
    a_stack_with_a_finding(aws)

    result = run(*EXEMPT, "--cluster", cluster_id, "--region", "eu-west-1", "--yes")

    assert result.exit_code == 0
    warning = "Warning: the stack emr-log-guard in eu-west-1 does not know the cluster j-BAD"
    assert (warning in result.stderr) is warned
    assert len(written(aws)) == 1


def test_exemptions_are_listed_with_their_numbers(aws: StubbedAws) -> None:
    by_tag = exemption("2001-01-01", name="a*", tag={"team": "a"})
    store(aws, json.dumps({"exemptions": [exemption(), by_tag]}))

    result = run("exempt", "list")

    assert result.stdout == (
        f"  1  {CLUSTER_ID}, EMRLOG-002, until 2999-12-31: moves (approved by ada)\n"
        "  2  a* and team=a, EMRLOG-002, expired 2001-01-01: moves (approved by ada)\n"
    )
    document = json.loads(run("exempt", "list", "--json").stdout)
    assert document["exemptions"] == [
        exemption() | {"expired": False},
        by_tag | {"expired": True},
    ]


def test_empty_list_of_exemptions_says_so(aws: StubbedAws) -> None:
    assert aws is not None
    assert run("exempt", "list").stdout == "No exemptions.\n"


def test_exemptions_are_removed_by_their_numbers(aws: StubbedAws) -> None:
    stays = exemption(name="legacy-*")
    store(aws, json.dumps({"exemptions": [exemption(), stays, exemption("2001-01-01")]}))

    result = run("exempt", "remove", "1", "3", "--yes")

    assert result.exit_code == 0, result.output
    assert written(aws) == [{"exemptions": [stays]}]


def test_removing_a_missing_exemption_exits_with_2(aws: StubbedAws) -> None:
    result = run("exempt", "remove", "1", "--yes")

    assert (result.exit_code, written(aws)) == (2, [])
    assert "there is no exemption 1" in result.stderr


def test_help_of_exempt_names_its_sub_commands() -> None:
    result = run("exempt", "--help")

    assert result.exit_code == 0
    assert all(name in result.stdout for name in ("add", "list", "remove"))
