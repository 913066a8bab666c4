from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest

from emr_log_guard.domain.compliance import Mode, Severity
from emr_log_guard.domain.policy import (
    ClusterMatch,
    Policy,
    RuleSettings,
    SlackRoute,
    TerminationProtection,
)
from emr_log_guard.rules import CLUSTER_RULES
from emr_log_guard.rules.evaluation import enabled_rules
from tests.unit.builders import ACCOUNT, OTHER_ACCOUNT, an_exemption

ID = "j-2AXXXXXXGAPLF"
TAGS = {"team": "research", "stage": "prod"}


@pytest.mark.parametrize(
    "match",
    [
        ClusterMatch(id=ID),
        ClusterMatch(name="legacy-etl"),
        ClusterMatch(name="legacy-*"),
        ClusterMatch(name="legacy-?t[a-l]"),
        ClusterMatch(name="*"),
        ClusterMatch(tag={"team": "research"}),
        ClusterMatch(tag=TAGS),
        ClusterMatch(id=ID, name="legacy-*"),
        ClusterMatch(id=ID, name="legacy-*", tag={"team": "research"}),
        ClusterMatch(id=ID, tag={}),
    ],
)
def test_cluster_matches_when_every_given_criterion_fits(match: ClusterMatch) -> None:
    assert match.matches(ID, "legacy-etl", TAGS)


@pytest.mark.parametrize(
    "match",
    [
        ClusterMatch(),
        ClusterMatch(tag={}),
        ClusterMatch(id="j-2AXXXXXX"),
        ClusterMatch(id="*"),
        ClusterMatch(name="legacy"),
        ClusterMatch(name="Legacy-*"),
        ClusterMatch(name="etl"),
        ClusterMatch(tag={"team": "Research"}),
        ClusterMatch(tag={"owner": "research"}),
        ClusterMatch(tag={"team": "research", "owner": "me"}),
        ClusterMatch(id="j-OTHER", name="legacy-*"),
        ClusterMatch(id=ID, name="modern-*"),
        ClusterMatch(id=ID, tag={"team": "sales"}),
        ClusterMatch(id=ID, name="legacy-*", tag={"team": "sales"}),
    ],
)
def test_cluster_does_not_match_when_a_criterion_does_not_fit_or_none_is_given(
    match: ClusterMatch,
) -> None:
    assert not match.matches(ID, "legacy-etl", TAGS)


@pytest.mark.parametrize("match", [ClusterMatch(name="*"), ClusterMatch(tag={"team": "x"})])
@pytest.mark.parametrize("tags", [{}, {"team": ""}])
def test_cluster_with_unknown_name_and_tags_matches_by_id_only(
    match: ClusterMatch, tags: Mapping[str, str]
) -> None:
    assert not match.matches(ID, None, tags)
    assert ClusterMatch(id=ID).matches(ID, None, tags)


@pytest.mark.parametrize(
    ("rules", "covered"),
    [
        (("*",), True),
        (("EMRLOG-002",), True),
        (("EMRLOG-001", "EMRLOG-002"), True),
        (("EMRLOG-001", "*"), True),
        (("EMRLOG-001",), False),
        (("EMRLOG-0*",), False),
        ((), False),
    ],
)
def test_exemption_covers_the_rules_it_names(rules: tuple[str, ...], *, covered: bool) -> None:
    assert an_exemption(rules=rules).covers("EMRLOG-002") is covered


EAST = timezone(timedelta(hours=14))
WEST = timezone(timedelta(hours=-12))


@pytest.mark.parametrize(
    ("now", "holds"),
    [
        (datetime(2026, 1, 1, tzinfo=UTC), True),
        (datetime(2026, 12, 30, 23, 59, tzinfo=UTC), True),
        (datetime(2026, 12, 31, 0, 0, tzinfo=UTC), True),
        (datetime(2026, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC), True),
        (datetime(2027, 1, 1, 0, 0, tzinfo=UTC), False),
        (datetime(2030, 1, 1, tzinfo=UTC), False),
        (datetime(2027, 1, 1, 13, 59, tzinfo=EAST), True),
        (datetime(2027, 1, 1, 14, 0, tzinfo=EAST), False),
        (datetime(2026, 12, 31, 11, 59, tzinfo=WEST), True),
        (datetime(2026, 12, 31, 12, 0, tzinfo=WEST), False),
    ],
)
def test_exemption_applies_through_its_last_day_in_utc(now: datetime, *, holds: bool) -> None:
    assert an_exemption(until=date(2026, 12, 31)).in_force(now) is holds


def test_empty_policy_alerts_about_everything_and_enforces_nothing() -> None:
    policy = Policy()

    assert policy.mode is Mode.ALERT
    assert policy.approved_keys == ()
    assert policy.exemptions == ()
    assert not policy.enforcement.allowed
    assert policy.enforcement.termination_protection is TerminationProtection.RESPECT
    assert policy.enforcement.rules == {
        "EMRLOG-002",
        "EMRLOG-003",
        "EMRLOG-004",
        "EMRLOG-005",
        "EMRLOG-006",
        "EMRLOG-008",
    }


@pytest.mark.parametrize(("own", "on"), [(None, True), (True, True), (False, False)])
def test_rule_is_enabled_unless_the_policy_disables_it(*, own: bool | None, on: bool) -> None:
    first, *others = enabled_rules(CLUSTER_RULES, Policy())
    policy = Policy(rules={first.id: RuleSettings(enabled=own)})

    assert enabled_rules(CLUSTER_RULES, policy) == ((first,) if on else ()) + tuple(others)


def test_rule_disabled_by_default_is_enabled_by_the_policy() -> None:
    off = [rule for rule in CLUSTER_RULES if not rule.enabled]
    policy = Policy(rules={rule.id: RuleSettings(enabled=True) for rule in off})

    assert off
    assert [rule.id for rule in enabled_rules(CLUSTER_RULES, policy)] == [
        r.id for r in CLUSTER_RULES
    ]


def test_policy_overrides_the_severity_of_a_rule() -> None:
    policy = Policy(rules={"EMRLOG-001": RuleSettings(severity=Severity.CRITICAL)})

    severities = [rule.severity for rule in enabled_rules(CLUSTER_RULES, policy)]
    usual = [rule.severity for rule in enabled_rules(CLUSTER_RULES, Policy())]

    assert severities == [Severity.CRITICAL, *usual[1:]]


def test_strongest_mode_is_taken_from_the_given_rules() -> None:
    policy = Policy(
        mode=Mode.ENFORCE,
        rules={"A": RuleSettings(mode=Mode.OBSERVE), "B": RuleSettings(mode=Mode.ALERT)},
    )

    assert policy.strongest_mode(["A", "B", "C"]) is Mode.ENFORCE
    assert policy.strongest_mode(["A", "B"]) is Mode.ALERT
    assert policy.strongest_mode(["A"]) is Mode.OBSERVE
    assert policy.strongest_mode([]) is Mode.ENFORCE


def test_mode_of_the_policy_limits_the_mode_of_a_rule() -> None:
    policy = Policy(mode=Mode.OBSERVE, rules={"A": RuleSettings(mode=Mode.ENFORCE)})

    assert policy.mode_of("A") is Mode.OBSERVE


TEAM = {"team": "data"}


@pytest.mark.parametrize(
    ("route", "account", "severity", "tags", "taken"),
    [
        ({}, None, None, {}, True),
        ({"tag": TEAM}, ACCOUNT, Severity.LOW, TEAM | {"env": "prod"}, True),
        ({"tag": TEAM}, ACCOUNT, Severity.LOW, {"team": "ml"}, False),
        ({"tag": TEAM}, ACCOUNT, Severity.LOW, {}, False),
        ({"tag": TEAM | {"env": "prod"}}, ACCOUNT, Severity.LOW, TEAM, False),
        ({"account": ACCOUNT}, ACCOUNT, None, {}, True),
        ({"account": ACCOUNT}, OTHER_ACCOUNT, None, {}, False),
        ({"account": ACCOUNT}, None, None, {}, False),
        ({"minimum_severity": Severity.HIGH}, ACCOUNT, Severity.CRITICAL, {}, True),
        ({"minimum_severity": Severity.HIGH}, ACCOUNT, Severity.HIGH, {}, True),
        ({"minimum_severity": Severity.HIGH}, ACCOUNT, Severity.MEDIUM, {}, False),
        ({"minimum_severity": Severity.LOW}, ACCOUNT, None, {}, False),
        ({"tag": TEAM, "account": ACCOUNT}, ACCOUNT, None, TEAM, True),
        ({"tag": TEAM, "account": ACCOUNT}, OTHER_ACCOUNT, None, TEAM, False),
        ({"tag": TEAM, "minimum_severity": Severity.HIGH}, ACCOUNT, Severity.LOW, TEAM, False),
    ],
)
def test_slack_route_matches_when_all_its_conditions_hold(
    route: dict[str, Any],
    account: str | None,
    severity: Severity | None,
    tags: dict[str, str],
    *,
    taken: bool,
) -> None:
    assert SlackRoute("arn", **route).matches(account, severity, tags) is taken


def test_only_a_slack_route_without_conditions_is_for_all() -> None:
    assert SlackRoute("arn").for_all
    assert not SlackRoute("arn", tag=TEAM).for_all
    assert not SlackRoute("arn", account=ACCOUNT).for_all
    assert not SlackRoute("arn", minimum_severity=Severity.LOW).for_all
