"""What Slack shows: as reviewed, within its limits, and without markup of users."""

import json
import re
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from slack_sdk.models.blocks import Block

from emr_log_guard.domain.compliance import Compliance, Mode, Severity
from emr_log_guard.domain.decide import Alert, AlertKind, NextStep
from emr_log_guard.domain.findings import Status
from emr_log_guard.domain.policy import PolicyProblem
from emr_log_guard.domain.published_alert import PublishedAlert, RescanCounts, RescanDone
from emr_log_guard.rendering.alerts import text
from emr_log_guard.rendering.alerts.chat import sign
from emr_log_guard.rendering.alerts.slack import slack_message, slack_text
from tests.unit.builders import a_cluster, a_finding, an_exemption
from tests.unit.notices import ALERTS, DEADLINE, GOLDEN, HOSTILE, NOTICES, OLD, SINCE

# https://docs.slack.dev/reference/block-kit/blocks
BLOCKS = 50
HEADER = 150
TEXT = 3_000
CONTEXT_ELEMENTS = 10
ALERTED = [step for step in NextStep if step in text._NEXT]  # noqa: SLF001 - what alerts ever say


def texts(node: Any) -> list[str]:  # noqa: ANN401 - any JSON
    """Give every text that a block shows."""
    match node:
        case {"type": "date", "fallback": text}:
            return [text]
        case {"text": str(text)}:
            return [text]
        case dict():
            return [text for each in node.values() for text in texts(each)]
        case list():
            return [text for each in node for text in texts(each)]
        case _:
            return []


def marked_up(message: dict[str, Any]) -> str:
    """Give all that Slack looks for markup in."""
    return "\n".join(
        found["text"]
        for block in message["blocks"]
        for found in (block.get("text", {}), *block.get("elements", ()))
        if found.get("type") == "mrkdwn"
    )


def whole(message: dict[str, Any]) -> str:
    return "\n".join(texts(message["blocks"]))


def assert_within_limits(message: dict[str, Any]) -> None:
    """Slack's own models, which check each block's limits, take all of it and change none."""
    assert [block.to_dict() for block in Block.parse_all(message["blocks"])] == message["blocks"]
    assert 1 <= len(message["blocks"]) <= BLOCKS
    assert len(json.dumps(message, ensure_ascii=False)) < 40_000
    for block in message["blocks"]:
        shown = texts(block)
        assert all(1 <= len(text) <= TEXT for text in shown), shown
        if block["type"] == "header":
            assert len(shown[0]) <= HEADER
        if block["type"] == "context":
            assert len(block["elements"]) <= CONTEXT_ELEMENTS
    assert 1 <= len(message["text"]) <= TEXT * 5


@pytest.mark.parametrize("name", sorted(NOTICES))
def test_message_equals_its_golden_file(name: str) -> None:
    """When this fails and the change is meant: tests/unit/notices.py regenerates the files."""
    golden = json.loads((GOLDEN / f"{name}.json").read_text())

    assert slack_message(NOTICES[name]) == golden["slack"]
    assert_within_limits(golden["slack"])


def test_every_alert_kind_has_a_golden_file_and_no_other_exists() -> None:
    assert {path.stem for path in GOLDEN.iterdir()} == set(NOTICES)
    assert {notice.kind for notice in NOTICES.values()} == {*AlertKind, ""}


@pytest.mark.parametrize("name", sorted(NOTICES))
def test_only_fixed_text_uses_markup(name: str) -> None:
    """User-controlled text is in rich_text and plain_text alone, whose emoji are off."""
    message = slack_message(NOTICES[name])
    own = re.sub(r"<!date\^\d+\^\{date_short_pretty\} \{time\}\|[^<>|]+>", "", marked_up(message))

    assert not re.search(r"[<>`]|channel|here|evil", own)
    assert message["mrkdwn"] is False
    assert "<" not in message["text"]
    assert '"emoji": true' not in json.dumps(message)
    kinds = set(re.findall(r'"type": "(\w+)"', json.dumps(message)))
    assert not kinds & {"broadcast", "user", "usergroup", "channel", "emoji"}


def test_hostile_name_is_shown_literally_without_control_characters() -> None:
    message = slack_message(NOTICES["hostile"])

    assert r"<!channel> *x* `y` ```z``` <https://evil.example|here> &amp; @here\n\u202e# a" in (
        whole(message)
    )
    urls = re.findall(r'"url": "([^"]+)"', json.dumps(message))
    assert urls
    assert all(url.startswith("https://eu-west-1.console.aws.amazon.com/") for url in urls)


def test_alert_contains_everything_needed_to_act() -> None:
    shown = whole(slack_message(NOTICES["scheduled"]))

    for part in (
        "nightly-etl",
        "j-2AXXXXXXGAPLF",
        "111122223333, eu-west-1",
        "user/ada",
        "The cluster will be terminated at \n2026-03-14 19:09 UTC\n, unless",
        "logs go to s3n://example-logs/emr/ without a log encryption key",
        "log_uri: s3://example-logs/emr/",
        "aws emr create-cluster --name nightly-etl",
        "emr-log-guard exempt --cluster j-2AXXXXXXGAPLF --rule EMRLOG-002",
        "set the policy's mode to alert",
        "7 times",
        f"first seen <!date^{int(SINCE.timestamp())}^",
        "search for j-2AXXXXXXGAPLF",
    ):
        assert part in shown
    message = json.dumps(slack_message(NOTICES["scheduled"]))
    assert '"url": "https://example.com/runbook"' in message
    assert f'"timestamp": {int(DEADLINE.timestamp())}' in message


def test_first_message_does_not_refer_to_an_earlier_one() -> None:
    assert "Follows up" not in whole(slack_message(NOTICES["opened"]))


@pytest.mark.parametrize("name", ["reopened", "reminder", "resolved", "skipped", "done", "failed"])
def test_later_message_refers_to_the_first(name: str) -> None:
    assert "Follows up on what was first seen" in whole(slack_message(NOTICES[name]))


def test_resolution_within_a_minute_refers_to_the_first_message() -> None:
    soon = replace(ALERTS["resolved"], findings=(a_finding(status=Status.RESOLVED),))

    assert "Follows up" in whole(slack_message(replace(NOTICES["resolved"], about=soon)))


@pytest.mark.parametrize("name", ["resolved", "ended", "cancelled", "done", "without-findings"])
def test_finding_that_is_over_offers_no_exemption(name: str) -> None:
    assert "exempt --cluster" not in whole(slack_message(NOTICES[name]))


def test_findings_that_do_not_fit_are_counted_and_named() -> None:
    findings = tuple(
        replace(OLD, rule_id=f"EMRLOG-{n:03}", evidence={"n": n}, remediation=f"{n}" * 1_000)
        for n in range(100, 200)
    )
    notice = replace(NOTICES["opened"], about=replace(ALERTS["opened"], findings=findings))
    message = slack_message(notice)
    shown = whole(message)

    [left] = [text for text in texts(message["blocks"]) if text.startswith("Not shown")]
    counted = re.match(r"Not shown: (\d+) more \((EMRLOG-\d+),", left)
    assert counted is not None
    assert counted[2] == f"EMRLOG-{200 - int(counted[1])}"
    assert f"EMRLOG-{199 - int(counted[1])} log-key-configured" in shown
    assert "emr-log-guard explain j-2AXXXXXXGAPLF" in left
    assert "exempt --cluster" in shown
    assert_within_limits(message)


def test_many_small_findings_stay_within_the_block_limit() -> None:
    findings = tuple(
        replace(OLD, rule_id=f"R{n}", summary="x", evidence={}, remediation="", runbook="r")
        for n in range(60)
    )
    alert = replace(ALERTS["opened"], findings=findings, expired_exemptions=())
    message = slack_message(replace(NOTICES["opened"], about=alert))

    assert "Not shown" in whole(message)
    assert_within_limits(message)


def test_command_that_is_too_long_is_replaced_by_a_hint() -> None:
    long = a_finding(remediation="aws " + "x" * 3_000)
    notice = replace(NOTICES["opened"], about=replace(ALERTS["opened"], findings=(long,)))
    shown = whole(slack_message(notice))

    assert "xxx" not in shown
    assert "# Too long for Slack. To see it, run: emr-log-guard explain j-2AXXXXXXGAPLF" in shown


def test_policy_problems_beyond_the_limit_are_counted() -> None:
    problem = PolicyProblem("p", 1, tuple(f"field{n}: wrong" for n in range(14)))
    shown = whole(slack_message(replace(NOTICES["policy-invalid"], about=problem)))

    assert "field9: wrong\nand 4 more" in shown


@pytest.mark.parametrize(
    ("compliance", "counts", "good"),
    [
        (Compliance.COMPLIANT, RescanCounts(0, 3, 0, 0), "✅"),
        (Compliance.COMPLIANT, RescanCounts(1, 0, 0, 0), "🟠"),
        (Compliance.NON_COMPLIANT, RescanCounts(0, 0, 0, 0), "🟠"),
        (Compliance.INSUFFICIENT_DATA, RescanCounts(0, 0, 0, 0), "❔"),
        (Compliance.COMPLIANT, RescanCounts(0, 0, 1, 0), "❔"),
        (Compliance.COMPLIANT, RescanCounts(0, 0, 0, 1), "❔"),
    ],
)
def test_sign_of_a_rescan_is_the_worst_of_result_and_counts(
    compliance: Compliance, counts: RescanCounts, good: str
) -> None:
    done = RescanDone("arn:e", compliance, "s3://reports/1", counts)

    assert sign(replace(NOTICES["rescan"], about=done)) == good


def test_message_without_blocks_contains_the_whole_text_without_mentions() -> None:
    for notice in NOTICES.values():
        body = slack_text(notice)
        assert "blocks" not in body
        assert body["mrkdwn"] is False
        assert not re.search(r"[<>]|&(?!amp;|lt;|gt;)", body["text"])
    assert "&lt;!channel&gt;" in slack_text(NOTICES["hostile"])["text"]
    endless = PublishedAlert(subject="s", text="s\n" + "x" * 20_000)
    assert slack_text(endless)["text"].endswith("… (8,000 more characters)")


ANY = st.text(max_size=80) | st.sampled_from(
    [HOSTILE, "x" * 5_000, "\x00" * 900, "", " ", "*" * 99]
)
MOMENTS = st.datetimes(datetime(2020, 1, 1), datetime(2035, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
FINDINGS = st.builds(
    replace,
    st.sampled_from([a_finding(f"EMRLOG-00{n}") for n in range(1, 10)]),
    severity=st.sampled_from(Severity),
    compliance=st.sampled_from([Compliance.NON_COMPLIANT, Compliance.INSUFFICIENT_DATA]),
    status=st.sampled_from(Status),
    launched_by=st.none() | ANY,
    summary=ANY,
    evidence=st.dictionaries(ANY, ANY | st.integers() | st.lists(ANY, max_size=5).map(tuple)),
    remediation=ANY,
    first_seen=MOMENTS,
    last_seen=MOMENTS,
    occurrences=st.integers(1, 10**9),
    deadline=st.none() | MOMENTS,
    runbook=ANY | st.just("https://runbooks.example.com/x.md") | ANY.map("https://{}".format),
)
ABOUT = (
    st.builds(
        Alert,
        kind=st.sampled_from([kind for kind in AlertKind if kind[:4] in ("find", "enfo")]),
        cluster_arn=st.just(a_cluster().arn),
        cluster_name=st.none() | ANY,
        findings=st.lists(FINDINGS, max_size=16).map(tuple),
        next_step=st.sampled_from(ALERTED),
        mode=st.sampled_from(Mode),
        detail=ANY,
        expired_exemptions=st.lists(
            st.builds(replace, st.just(an_exemption()), reason=ANY, approved_by=ANY), max_size=9
        ).map(tuple),
    )
    | st.builds(PolicyProblem, ANY, st.none() | st.just(3), st.lists(ANY, min_size=1).map(tuple))
    | st.builds(
        RescanDone,
        ANY,
        st.sampled_from(Compliance),
        ANY,
        st.builds(RescanCounts, *[st.integers(0, 9)] * 4),
    )
    | st.none()
)
ANY_NOTICE = st.builds(
    PublishedAlert,
    subject=ANY,
    text=ANY,
    kind=st.sampled_from([*AlertKind, ""]),
    account=st.none() | ANY,
    region=st.none() | ANY,
    about=ABOUT,
)


@given(ANY_NOTICE)
def test_any_alert_is_within_the_limits_of_slack_and_without_markup(notice: PublishedAlert) -> None:
    message = slack_message(notice)

    assert_within_limits(message)
    own = re.sub(r"<!date\^\d+\^\{date_short_pretty\} \{time\}\|[^<>|]+>", "", marked_up(message))
    assert not re.search(r"[<>`]", own)
    assert not re.search("[\x00-\x09\x0b-\x1f\u202e\u2028]", "".join(texts(message["blocks"])))
