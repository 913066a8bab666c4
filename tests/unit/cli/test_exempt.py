import pytest

from tests.unit.cli.policies import run, store, written
from tests.unit.stubbed_aws import StubbedAws

EXEMPT = ["exempt", "--rule", "EMRLOG-002", "--until", "2999-12-31", "--reason", "moves"]


@pytest.fixture
def aws(stored: StubbedAws) -> StubbedAws:
    return stored


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
        ([*EXEMPT, "--cluster", "x"], "cluster.id: has an invalid format"),
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


def test_quiet_prints_the_result_alone(aws: StubbedAws) -> None:
    result = run(*EXEMPT, "--name", "a", "--yes", "--quiet")

    assert result.exit_code == 0
    assert result.output == "Version 8 is stored. It takes effect within 60 seconds.\n"
    assert len(written(aws)) == 1
