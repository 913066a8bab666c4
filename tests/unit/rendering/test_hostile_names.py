"""Names that users choose are inert wherever an alert shows them."""

import dataclasses
import json
import re

import pytest

from emr_log_guard.domain.compliance import Mode
from emr_log_guard.domain.decide import Alert, AlertKind, NextStep
from emr_log_guard.rendering.alerts import alert_json
from emr_log_guard.rendering.alerts.alert_json import alert_attributes, alert_messages
from emr_log_guard.rendering.alerts.text import alert_subject, alert_text
from tests.unit.builders import a_cluster, a_finding

NAMES = [
    "two\nlines\r\nSubject: x",
    "\x1b[31mred\x1b[0m\x07",
    "txt\u202egpj.exe",
    "zero\u200bwidth\u2028line",
    "<!channel> <@U1> <https://evil.example|here> &amp;",
    "*bold* _it_ `code`",
    "日本語",
    "x" * 10_000,
    "\x01" * 3_000,
    '"' * 3_000,
    "\U000e0041" * 3_000,
]


def an_alert(name: str) -> Alert:
    finding = a_finding(
        summary=f"logs go to {name}",
        evidence={"log_uri": name, "samples": (name,) * 5},
        cluster_name=name,
    )
    findings = [dataclasses.replace(finding, rule_id=f"EMRLOG-00{n}") for n in range(1, 8)]
    findings = [dataclasses.replace(f, remediation=f"aws --name '{name}'") for f in findings]
    arn = a_cluster().arn
    step = NextStep.TERMINATION_REFUSED
    return Alert(AlertKind.FINDING_OPENED, arn, name, tuple(findings), step, Mode.ALERT, name)


@pytest.mark.parametrize("name", NAMES)
def test_subject_is_one_short_line_of_ascii_for_any_name(name: str) -> None:
    subject = alert_subject(an_alert(name))

    assert re.fullmatch(r"[ -~]{1,99}", subject)
    assert subject.startswith("[HIGH] EMR cluster ")


def test_long_name_is_cut_before_the_rule() -> None:
    assert "violates EMRLOG-001" in alert_subject(an_alert("x" * 256))


@pytest.mark.parametrize("name", NAMES)
def test_text_contains_no_control_characters_of_a_name(name: str) -> None:
    text = alert_text(an_alert(name)).replace("\n", "")

    assert not re.search("[\x00-\x1f\x7f\u200b\u202e\u2028\U000e0041]", text)


@pytest.mark.parametrize("name", NAMES)
def test_message_is_within_the_limit_of_sns_for_any_name(name: str) -> None:
    message = alert_messages(an_alert(name))
    machine = json.loads(json.loads(message)["sqs"])

    assert len(message.encode()) < 256 * 1024 - 2_000
    assert machine["schema"] == "emr-log-guard/alert/1"
    assert len(machine["findings"]) == 7


@pytest.mark.parametrize("name", NAMES[:7])
def test_json_contains_names_unchanged_if_they_fit(name: str) -> None:
    machine = json.loads(json.loads(alert_messages(an_alert(name)))["sqs"])

    assert machine["cluster_name"] == name
    assert machine["findings"][0]["evidence"]["samples"] == [name] * 5


def test_numbers_and_short_evidence_are_never_cut() -> None:
    finding = a_finding(evidence={"undetermined": 3, "key": None, "log_uri": "s3://a"})
    alert = dataclasses.replace(an_alert("x" * 100_000), findings=(finding,))
    machine = json.loads(json.loads(alert_messages(alert))["sqs"])

    assert machine["cluster_name"].startswith("x" * 2_000 + "... (98000 more characters)")
    assert machine["findings"][0]["evidence"] == {
        "undetermined": 3,
        "key": None,
        "log_uri": "s3://a",
    }


def test_message_that_cannot_be_shortened_enough_is_sent_nevertheless(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(alert_json, "_BYTES", 10)

    assert "more characters" in alert_messages(an_alert("x" * 100))


def test_cluster_without_a_name_has_none_in_json() -> None:
    alert = dataclasses.replace(an_alert("x" * 10_000), cluster_name=None)
    machine = json.loads(json.loads(alert_messages(alert))["sqs"])

    assert machine["cluster_name"] is None


def test_command_that_is_too_long_is_replaced_by_a_hint() -> None:
    machine = json.loads(json.loads(alert_messages(an_alert("x" * 10_000)))["sqs"])

    assert machine["findings"][0]["remediation"] == "# Too long for an alert: see the runbook."


def test_tags_that_do_not_fit_are_omitted_whole() -> None:
    tags = {"team": "data", "hostile": "\x01" * 20_000, "after": "x"}
    alert = dataclasses.replace(an_alert("x"), cluster_tags=tags)
    machine = json.loads(json.loads(alert_messages(alert))["sqs"])

    assert machine["cluster_tags"] == {"team": "data"}
    assert len(alert_messages(alert).encode()) < 256 * 1024 - 2_000


@pytest.mark.parametrize("name", NAMES)
def test_message_attributes_contain_no_user_controlled_text(name: str) -> None:
    assert all(
        value.isascii() and len(value) < 40 for value in alert_attributes(an_alert(name)).values()
    )
