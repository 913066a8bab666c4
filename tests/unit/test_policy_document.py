import json
from collections.abc import Iterator
from copy import deepcopy
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator, FormatChecker

from emr_log_guard.domain.compliance import Mode, Severity
from emr_log_guard.domain.policy import (
    ClusterMatch,
    Policy,
    Reencryption,
    RuleSettings,
    SlackRoute,
    TerminationProtection,
)
from emr_log_guard.errors import InvalidPolicyError
from emr_log_guard.policy_document import (
    LARGEST_BYTES,
    STANDARD_BYTES,
    STRICT,
    parse_policy,
    policy_schema,
    position_of,
    pretty,
    stored_form,
)
from emr_log_guard.rules import ALL_RULES
from tests.unit.builders import KEY, TODAY

EXEMPTION = {
    "cluster": {"id": "j-2AXXXXXXGAPLF"},
    "rules": ["*"],
    "until": "2026-12-31",
    "reason": "moves in June",
    "approved_by": "security@example.com",
}


WEBHOOK = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:emr-log-guard/slack/data-AbCdEf"
ROUTES = "alerts.slack.routes"


def route(**changes: object) -> dict[str, object]:
    """Make a policy with a good route and one with these changes; None leaves out."""
    good = {"tag": {"team": "data"}, "webhook_secret_arn": WEBHOOK}
    second = {name: value for name, value in {**good, **changes}.items() if value is not None}
    return {"alerts": {"slack": {"routes": [good, second]}}}


def exemption(**changes: object) -> dict[str, object]:
    """Make a policy with two good exemptions and one with these changes; None leaves out."""
    third = {name: value for name, value in {**EXEMPTION, **changes}.items() if value is not None}
    return {"exemptions": [EXEMPTION, EXEMPTION, third]}


def problems(document: object) -> tuple[str, ...]:
    text = document if isinstance(document, str) else json.dumps(document)
    with pytest.raises(InvalidPolicyError) as caught:
        parse_policy(text, TODAY)
    return caught.value.problems


def test_empty_document_means_the_defaults() -> None:
    assert parse_policy("{}", TODAY) == Policy()


def test_every_field_is_parsed() -> None:
    policy = parse_policy(
        json.dumps(
            {
                "$schema": "policy.schema.json",
                "mode": "enforce",
                "approved_keys": ["alias/emr-logs", "1234abcd-12ab-34cd-56ef-1234567890ab"],
                "log_bucket_owners": ["444455556666", "000000000001"],
                "rules": {"EMRLOG-007": {"enabled": False, "severity": "LOW", "mode": "observe"}},
                "enforcement": {
                    "rules": ["EMRLOG-101"],
                    "termination_protection": "override",
                },
                "reencryption": {
                    "enabled": True,
                    "rules": ["EMRLOG-103"],
                    "default_key": KEY.arn,
                    "max_objects_per_hour": 7,
                },
                "exemptions": [
                    EXEMPTION,
                    {**EXEMPTION, "cluster": {"name": "legacy-*", "tag": {"team": "a"}}},
                ],
                "alerts": {
                    "minimum_severity": "HIGH",
                    "slack": {
                        "routes": [
                            {
                                "tag": {"team": "data"},
                                "account": "111122223333",
                                "minimum_severity": "HIGH",
                                "webhook_secret_arn": WEBHOOK,
                            },
                            {"webhook_secret_arn": WEBHOOK},
                        ]
                    },
                },
            }
        ),
        TODAY,
        allowed=True,
        reencryption_allowed=True,
    )

    assert policy.mode is Mode.ENFORCE
    assert policy.reencryption == Reencryption(
        enabled=True,
        rules=frozenset({"EMRLOG-103"}),
        default_key=KEY.arn,
        max_objects_per_hour=7,
        allowed=True,
    )
    assert policy.approved_keys == ("alias/emr-logs", "1234abcd-12ab-34cd-56ef-1234567890ab")
    assert policy.log_bucket_owners == ("444455556666", "000000000001")
    assert policy.rules == {
        "EMRLOG-007": RuleSettings(enabled=False, severity=Severity.LOW, mode=Mode.OBSERVE)
    }
    assert policy.enforcement.rules == {"EMRLOG-101"}
    assert policy.enforcement.termination_protection is TerminationProtection.OVERRIDE
    assert policy.enforcement.allowed
    assert [one.cluster for one in policy.exemptions] == [
        ClusterMatch(id="j-2AXXXXXXGAPLF"),
        ClusterMatch(name="legacy-*", tag={"team": "a"}),
    ]
    assert policy.exemptions[0].until == date(2026, 12, 31)
    assert policy.alerts.minimum_severity is Severity.HIGH
    assert policy.alerts.slack_routes == (
        SlackRoute(WEBHOOK, {"team": "data"}, "111122223333", Severity.HIGH),
        SlackRoute(WEBHOOK),
    )


@pytest.mark.parametrize(
    ("document", "start"),
    [
        ([], "the document: expected `object`"),
        ({"mode": "enforced"}, "mode: invalid value 'enforced'; write one of observe, alert"),
        ({"mode": None}, "mode: expected `str`, got `null`; write one of"),
        ({"exemption": []}, "exemption: no such field; correct its name"),
        ({"enforcement": {"allowed": True}}, "enforcement.allowed: no such field"),
        ({"approved_keys": "alias/a"}, "approved_keys: expected `array`, got `str`; write a list"),
        ({"approved_keys": ["alias/a", ""]}, "approved_keys[1]: has an invalid format"),
        ({"approved_keys": ["alias/a b"]}, "approved_keys[0]: has an invalid format"),
        (
            {"log_bucket_owners": "444455556666"},
            "log_bucket_owners: expected `array`, got `str`; write a list of account ids, twelve",
        ),
        (
            {"log_bucket_owners": ["444455556666", 111122223333]},
            "log_bucket_owners[1]: expected `str`, got `int`; write a list of account ids",
        ),
        ({"log_bucket_owners": ["4444-5555-6666"]}, "log_bucket_owners[0]: has an invalid format"),
        ({"log_bucket_owners": ["4444555566667"]}, "log_bucket_owners[0]: has an invalid format"),
        ({"log_bucket_owners": [""]}, "log_bucket_owners[0]: has an invalid format; write"),
        ({"rules": {"EMRLOG-001": 1}}, "rules.EMRLOG-001: expected `object`"),
        ({"rules": {"EMRLOG-001": {"on": 1}}}, "rules.EMRLOG-001.on: no such field"),
        ({"rules": {"EMRLOG-001": {"mode": "x"}}}, "rules.EMRLOG-001.mode: invalid value"),
        ({"rules": {"EMRLOG-001": {"enabled": 1}}}, "rules.EMRLOG-001.enabled: expected `bool`"),
        (
            {"rules": {"EMRLOG-999": {}}},
            "rules: this version has no rule 'EMRLOG-999'; its rules are",
        ),
        ({"enforcement": {"rules": ["*"]}}, "enforcement.rules: this version has no rule '*'"),
        ({"enforcement": {"grace_running_minutes": -1}}, "enforcement.grace_running_minutes: "),
        (
            {"enforcement": {"unless_reencrypted": "yes"}},
            "enforcement.unless_reencrypted: expected `bool`, got `str`; write true or false",
        ),
        ({"reencryption": True}, "reencryption: expected `object`, got `bool`; write an object"),
        ({"reencryption": {"on": True}}, "reencryption.on: no such field"),
        ({"reencryption": {"enabled": 1}}, "reencryption.enabled: expected `bool`"),
        (
            {"reencryption": {"default_key": "alias/emr-logs"}},
            "reencryption.default_key: has an invalid format; write the ARN of a key",
        ),
        (
            {"reencryption": {"max_objects_per_hour": 0}},
            "reencryption.max_objects_per_hour: expected `int` >= 1; write a whole number",
        ),
        (
            {"reencryption": {"rules": ["EMRLOG-101", "EMRLOG-002"]}},
            (
                "reencryption.rules: 'EMRLOG-002' is no rule about the encryption of a log object; "
                "possible are EMRLOG-101, EMRLOG-102, EMRLOG-103"
            ),
        ),
        ({"alerts": {"remind_every_hours": 0}}, "alerts.remind_every_hours: "),
        ({"alerts": {"minimum_severity": "low"}}, "alerts.minimum_severity: invalid value"),
        (exemption(until=None), "exemptions[2].until: is missing; write the last day"),
        (exemption(reason=None), "exemptions[2].reason: is missing; write the reason in one line"),
        (
            exemption(approved_by=None),
            "exemptions[2].approved_by: is missing; write who approved it",
        ),
        (exemption(cluster=None), "exemptions[2].cluster: is missing; write which clusters"),
        (exemption(rules=None), "exemptions[2].rules: is missing; write rule ids"),
        (
            exemption(until="31.12.2026"),
            "exemptions[2].until: has an invalid format; write the last day",
        ),
        (exemption(until="2026-02-30"), "exemptions[2].until: has an invalid format"),
        (exemption(until=20261231), "exemptions[2].until: expected `date`, got `int`"),
        (exemption(reason=""), "exemptions[2].reason: has an invalid format"),
        (exemption(reason=" "), "exemptions[2].reason: has an invalid format"),
        (exemption(reason="a\nb"), "exemptions[2].reason: has an invalid format"),
        (exemption(reason="x" * 257), "exemptions[2].reason: expected `str` of length <= 256"),
        (exemption(cluster={}), "exemptions[2].cluster: names no cluster; write which clusters"),
        (exemption(cluster={"tag": {}}), "exemptions[2].cluster.tag: expected `object` of length"),
        (exemption(cluster={"tag": {"": "x"}}), "exemptions[2].cluster.tag: a tag has no name"),
        (exemption(cluster={"tag": {"a": 1}}), "exemptions[2].cluster.tag.a: expected `str`"),
        (exemption(cluster={"name": ""}), "exemptions[2].cluster.name: has an invalid format"),
        (exemption(cluster={"id": "j-*"}), "exemptions[2].cluster.id: has an invalid format"),
        (exemption(rules=[]), "exemptions[2].rules: expected `array` of length >= 1"),
        (exemption(rules=["EMRLOG-2"]), "exemptions[2].rules: this version has no rule 'EMRLOG-2'"),
        (
            {"alerts": {"slack": []}},
            "alerts.slack: expected `object`, got `array`; write an object",
        ),
        ({"alerts": {"slack": {"default": WEBHOOK}}}, "alerts.slack.default: no such field"),
        (route(webhook_secret_arn=None), f"{ROUTES}[1].webhook_secret_arn: is missing; write the"),
        (
            route(webhook_secret_arn=WEBHOOK.replace("guard/slack/", "guard/")),
            f"{ROUTES}[1].webhook_secret_arn: has an invalid format; write the ARN of a sec",
        ),
        (
            route(webhook_secret_arn=f"{WEBHOOK}*"),
            f"{ROUTES}[1].webhook_secret_arn: has an invalid format",
        ),
        (route(severity="HIGH"), f"{ROUTES}[1].severity: no such field"),
        (route(minimum_severity="high"), f"{ROUTES}[1].minimum_severity: invalid value"),
        (route(account="1"), f"{ROUTES}[1].account: has an invalid format; write an acc"),
        (route(account=111122223333), f"{ROUTES}[1].account: expected `str`, got `int`; write an"),
        (route(tag={}), f"{ROUTES}[1].tag: expected `object` of length"),
        (route(tag={"": "x"}), f"{ROUTES}[1].tag: a tag has no name"),
        (
            {"alerts": {"slack": {"routes": [{"webhook_secret_arn": WEBHOOK}] * 2}}},
            f"{ROUTES}[0]: has no condition, so the routes below it are never used",
        ),
        ("", "the document is not JSON"),
        ("{", "the document is not JSON"),
        ("[" * 5000, "the document is not JSON"),
        ("[" * 4000 + "]" * 4000, "the document"),
        ('{"mode": NaN}', "the document is not JSON"),
        ('{"mode": "\ud800"}', "the document is not JSON"),
        ('{"mode": "alert", "mode": "enforce"}', "mode: is given twice in one object"),
    ],
)
def test_mistake_is_reported_with_its_position_and_fix(document: object, start: str) -> None:
    (problem,) = problems(document)

    assert problem.startswith(start)


def test_every_unknown_rule_is_reported() -> None:
    assert len(problems({"rules": {"X": {}}, "enforcement": {"rules": ["Y"]}})) == 2


def test_expired_exemption_is_valid() -> None:
    assert len(parse_policy(json.dumps(exemption(until="2001-01-01")), TODAY).exemptions) == 3


def many(count: int) -> dict[str, Any]:
    short = {**EXEMPTION, "reason": "r", "approved_by": "a"}
    clusters = [{"id": f"j-{number}"} for number in range(count)]
    return {"exemptions": [{**short, "cluster": cluster} for cluster in clusters]}


def test_document_too_large_for_ssm_is_rejected_with_the_limits() -> None:
    (problem,) = problems(many(100))

    assert str(LARGEST_BYTES) in problem
    assert str(STANDARD_BYTES) in problem
    assert "by name pattern or tag" in problem


def test_size_is_measured_in_bytes() -> None:
    assert "bytes" in problems({"exemptions": [{**EXEMPTION, "reason": "é" * 5000}]})[0]


def test_document_is_stored_indented_while_it_fits_the_standard_tier() -> None:
    assert stored_form({"mode": "alert"}) == pretty({"mode": "alert"})
    assert "\n" not in stored_form(many(60))
    assert len(parse_policy(stored_form(many(60)), TODAY).exemptions) == 60


def test_indented_document_larger_than_the_limit_can_be_stored_again() -> None:
    shown = pretty(many(80))

    assert len(shown.encode()) > LARGEST_BYTES
    assert len(parse_policy(shown, TODAY).exemptions) == 80


def test_strict_defaults_enable_every_rule_and_terminate_nothing() -> None:
    assert all(STRICT.enabled(rule) for rule in ALL_RULES)
    assert STRICT.mode is Mode.ALERT
    assert not STRICT.enforcement.allowed
    assert not STRICT.exemptions


def test_schema_patterns_contain_no_python_anchors() -> None:
    assert "\\Z" not in json.dumps(policy_schema())


def places(plain: Any) -> Iterator[dict[str, Any]]:  # noqa: ANN401 - any JSON
    """Give every object of a document."""
    if isinstance(plain, dict):
        yield plain
    for inner in plain.values() if isinstance(plain, dict) else plain or ():
        if isinstance(inner, dict | list):
            yield from places(inner)


WHOLE = json.dumps(
    {
        "mode": "enforce",
        "approved_keys": ["alias/emr-logs"],
        "rules": {"EMRLOG-007": {"enabled": False, "severity": "LOW", "mode": "observe"}},
        "enforcement": {
            "rules": ["EMRLOG-002"],
            "grace_at_launch_minutes": 0,
            "grace_running_minutes": 240,
            "termination_protection": "respect",
        },
        "exemptions": [
            {**EXEMPTION, "cluster": {"id": "j-2A", "name": "legacy-*", "tag": {"team": "a"}}}
        ],
        "alerts": {"minimum_severity": "MEDIUM", "remind_every_hours": 24},
    }
)
VALUES: st.SearchStrategy[Any] = st.sampled_from(
    [
        *(
            None,
            True,
            0,
            -1,
            1,
            720,
            721,
            43200,
            43201,
            1.5,
            "",
            " ",
            "alert",
            "x" * 256,
            "x" * 257,
        ),
        *("EMRLOG-002", "EMRLOG-999", "*", "2026-12-31", "2026-02-30", "j-2A", "j-*", "alias/a"),
        *("LOW", "respect", [], {}, ["*"], ["EMRLOG-002"], [""], ["alias/a"], {"team": "b"}),
        *({"mode": "alert"}, {"EMRLOG-002": {}}, {"EMRLOG-999": {}}, [{}], [[]]),
    ]
)


@given(st.data())
def test_schema_and_parser_accept_the_same_documents(data: st.DataObject) -> None:
    document = json.loads(WHOLE)
    for _ in range(data.draw(st.integers(1, 2))):
        place = data.draw(st.sampled_from(list(places(document))))
        name = data.draw(st.sampled_from([*place, "another"]))
        if data.draw(st.booleans()):
            place[name] = deepcopy(data.draw(VALUES))
        else:
            place.pop(name, None)

    validator = Draft202012Validator(policy_schema(), format_checker=FormatChecker())
    try:
        parse_policy(json.dumps(document), TODAY)
    except InvalidPolicyError:
        assert not validator.is_valid(document)
    else:
        validator.validate(document)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.floats(allow_nan=False),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["mode", "rules", "exemptions", "cluster", "tag", "until", "alerts"])
            | st.text(max_size=4),
            inner,
            max_size=3,
        )
    ),
    max_leaves=8,
)


def test_every_mistake_is_reported_beside_structural_ones() -> None:
    document = {
        "mode": "stop",
        "moed": "alert",
        "approved_keys": ["alias/emr-logs", "nonsense", 7],
        "rules": {
            "EMRLOG-002": {"severity": "BAD", "enabled": "yes"},
            "EMRLOG-003": 1,
            "EMRLOG-999": {},
        },
        "enforcement": {"grace_running_minutes": -1, "transient_minutes": "1"},
        "exemptions": [
            {
                "cluster": {"id": "j-1"},
                "rules": ["*"],
                "until": "2026-12-31",
                "reason": "moves",
                "approved_by": "ada",
            },
            {"cluster": {"id": "x"}, "rules": [], "until": "soon"},
            "j-1",
            {
                "cluster": {},
                "rules": ["EMRLOG-998"],
                "until": "2026-12-31",
                "reason": "moves",
                "approved_by": "ada",
            },
        ],
        "alerts": {
            "minimum_severity": "NONE",
            "slack": {"routes": [{"account": "1"}, 5], "rotues": []},
        },
    }
    with pytest.raises(InvalidPolicyError) as error:
        parse_policy(json.dumps(document), TODAY)

    assert [problem.partition(": ")[0] for problem in error.value.problems] == [
        "mode",
        "moed",
        "approved_keys[1]",
        "approved_keys[2]",
        "rules.EMRLOG-002.severity",
        "rules.EMRLOG-002.enabled",
        "rules.EMRLOG-003",
        "rules",
        "enforcement.grace_running_minutes",
        "enforcement.transient_minutes",
        "exemptions[1].cluster.id",
        "exemptions[1].rules",
        "exemptions[1].until",
        "exemptions[1].reason",
        "exemptions[1].approved_by",
        "exemptions[2]",
        "exemptions[3].cluster",
        "exemptions[3].rules",
        "alerts.minimum_severity",
        "alerts.slack.rotues",
        "alerts.slack.routes[0].account",
        "alerts.slack.routes[0].webhook_secret_arn",
        "alerts.slack.routes[1]",
    ]


@pytest.mark.parametrize(
    ("path", "position"),
    [
        ("mode", (2, 11)),
        ("exemptions[1].until", (4, 13)),
        ("exemptions[1].reason", (4, 3)),
        ("exemptions[9]", (3, 17)),
        ("mode.deeper", (2, 11)),
        ("gone", (1, 1)),
    ],
)
def test_position_of_a_field_is_its_line_and_column(path: str, position: tuple[int, int]) -> None:
    text = '{\n  "mode": "x",\n  "exemptions": [{},\n  {"until": 1}\n  ]\n}'

    assert position_of(text, path) == position


def test_invalid_json_is_reported_with_line_and_column() -> None:
    with pytest.raises(InvalidPolicyError, match="not JSON: line 2, column 3: Expecting"):
        parse_policy("{\n  x", TODAY)


def test_exemption_longer_than_the_limit_is_rejected() -> None:
    days = [str(TODAY + timedelta(days=days)) for days in (-400, 30, 31)]
    document = {
        "exemptions": [{**EXEMPTION, "until": until} for until in days],
        "exemptions_max_days": 30,
    }

    with pytest.raises(InvalidPolicyError) as refused:
        parse_policy(json.dumps(document), TODAY)

    [problem] = refused.value.problems
    assert problem.startswith(
        f"exemptions[2].until: {days[2]} is more than 30 days away, the longest that "
        f"exemptions_max_days allows; write {days[1]} or earlier"
    )
    assert (
        len(parse_policy(json.dumps(document | {"exemptions_max_days": 31}), TODAY).exemptions) == 3
    )


@pytest.mark.parametrize("days", [0, 3651, "30", 1.5])
def test_invalid_exemptions_max_days_is_rejected(days: object) -> None:
    with pytest.raises(InvalidPolicyError, match="write days, a whole number from 1 to 3650"):
        parse_policy(json.dumps({"exemptions_max_days": days}), TODAY)


def test_exemption_from_a_rule_about_log_buckets_is_rejected() -> None:
    document = exemption(rules=["EMRLOG-002", "EMRLOG-009"])

    with pytest.raises(
        InvalidPolicyError, match=r"exemptions\[2\].rules: EMRLOG-009 is about log b"
    ):
        parse_policy(json.dumps(document), TODAY)
