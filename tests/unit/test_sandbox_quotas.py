"""The text of the sandbox's `--emr-quotas`."""

import pytest

from sandbox import SandboxError
from sandbox.quotas import ALL_ACTIONS, DEFAULT, DEFAULT_QUOTAS, Quota, parse_quotas, quotas_text


def test_default_text_means_the_default_quotas() -> None:
    assert parse_quotas(DEFAULT) == DEFAULT_QUOTAS


def test_named_actions_are_set_and_the_others_keep_their_default() -> None:
    quotas = parse_quotas("DescribeCluster=3/2, ListSteps=1/0.25,AllActions=100/50")

    assert quotas == {
        **DEFAULT_QUOTAS,
        "DescribeCluster": Quota(3, 2),
        "ListSteps": Quota(1, 0.25),
        ALL_ACTIONS: Quota(100, 50),
    }
    assert parse_quotas(quotas_text(quotas)) == quotas


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "unknown action ''; choose from DescribeCluster, DescribeStep, "),
        ("ListStep=10/1", "unknown action 'ListStep'; choose from DescribeCluster, "),
        ("ListSteps", "'' is no quota of ListSteps: write ListSteps=BURST/RATE, for example "),
        ("ListSteps=10", "'10' is no quota of ListSteps: write ListSteps=BURST/RATE"),
        ("ListSteps=a/1", "'a/1' is no quota of ListSteps: write ListSteps=BURST/RATE"),
        ("ListSteps=1/2/3", "'1/2/3' is no quota of ListSteps: write ListSteps=BURST/RATE"),
        ("ListSteps=0/1", "the burst of ListSteps is 0, but must be at least 1 call: write "),
        ("ListSteps=nan/1", "the burst of ListSteps is nan, but must be at least 1 call: "),
        ("ListSteps=10/0", "the rate of ListSteps is 0, but must be above 0 calls a second: "),
        ("ListSteps=10/inf", "the rate of ListSteps is inf, but must be above 0 calls a second"),
        ("ListSteps=10/1,ListSteps=9/1", "ListSteps is given twice: keep one of them"),
    ],
)
def test_invalid_quotas_name_the_field_and_the_fix(text: str, message: str) -> None:
    with pytest.raises(SandboxError) as refused:
        parse_quotas(text)

    assert str(refused.value).startswith(f"--emr-quotas {text}: {message}")


def test_quota_gives_the_minimum_time_of_calls() -> None:
    assert Quota(10, 0.5).seconds(60) == 100
    assert Quota(10, 0.5).seconds(5) == 0
