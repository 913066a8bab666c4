"""What Amazon Q shows in Slack and Teams: as it was looked at, of AWS's shape, and inert."""

import json
import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given

from emr_log_guard.domain.policy import PolicyProblem
from emr_log_guard.domain.published_alert import PublishedAlert
from emr_log_guard.rendering.alerts.amazon_q import amazon_q_message, thread_of
from tests.unit.notices import ALERTS, GOLDEN, NOTICES, OLD
from tests.unit.rendering.alerts.test_slack import ANY_NOTICE

SHAPE = {
    "content": {"textType", "title", "description", "nextSteps", "keywords"},
    "metadata": {
        "threadId",
        "summary",
        "eventType",
        "relatedResources",
        "additionalContext",
    },
}
"""https://docs.aws.amazon.com/chatbot/latest/adminguide/custom-notifs.html"""


def read(notice: PublishedAlert) -> dict[str, Any]:
    message: dict[str, Any] = json.loads(amazon_q_message(notice))
    return message


def outside_code(message: dict[str, Any]) -> str:
    """Give all that a chat looks for markup in: fences go first, then spans."""
    content = message["content"]
    parts = [
        content["title"],
        content["description"],
        message["metadata"]["summary"],
        *content["nextSteps"],
    ]
    return "\n".join(re.sub(r"`[^`\n]+`", "", re.sub(r"```[^`]*```", "", part)) for part in parts)


@pytest.mark.parametrize("name", sorted(NOTICES))
def test_notification_equals_its_golden_file(name: str) -> None:
    """When this fails and the change is meant: tests/unit/notices.py regenerates the files."""
    assert read(NOTICES[name]) == json.loads((GOLDEN / f"{name}.json").read_text())["amazon_q"]


@given(ANY_NOTICE)
def test_any_notification_has_the_custom_shape_and_no_active_markup(notice: PublishedAlert) -> None:
    message = read(notice)

    assert (message["version"], message["source"]) == ("1.0", "custom")
    assert {name: set(message[name]) for name in SHAPE} == SHAPE
    assert message["content"]["textType"] == "client-markdown"
    assert len(message["content"]["title"]) <= 250
    assert len(message["content"]["description"]) <= 3_000
    assert len(amazon_q_message(notice).encode()) < 250_000
    assert not re.search(r"[<>`~]", outside_code(message))
    assert not re.search(r"[<>]", json.dumps(message["content"]))
    assert not re.search(r"[<>]", json.dumps(message["metadata"]["additionalContext"]))


def test_hostile_name_stays_within_code_formatting() -> None:
    message = read(NOTICES["hostile"])
    description = re.sub(r"`[^`\n]+`", "", message["content"]["description"])

    assert not re.search("channel|here|evil", re.sub(r"```[^`]*```", "", description))
    assert "\u2039!channel\u203a *x* 'y'" in message["content"]["description"]


def test_alerts_about_one_cluster_share_a_thread() -> None:
    """What opens as one alert may be resolved as two, in any order."""
    about = {thread_of(NOTICES[name]) for name in ALERTS if name != "bucket"}

    assert about == {ALERTS["opened"].cluster_arn}


def test_alerts_about_other_subjects_have_their_own_threads() -> None:
    others = [NOTICES[name] for name in ("bucket", "policy-invalid", "rescan", "unknown")]

    assert [thread_of(each) for each in others] == [
        "arn:aws:s3:::example-logs",
        "/emr-log-guard/prod/policy",
        others[2].about.execution,  # type: ignore[union-attr]
        "[HIGH] something new",
    ]


def test_title_names_a_violation_before_undetermined_findings() -> None:
    assert read(NOTICES["opened"])["content"]["title"] == (
        "\N{LARGE ORANGE CIRCLE} EMR logs: HIGH EMRLOG-002 log-key-configured and 1 more"
    )


def test_metadata_contains_what_a_custom_action_needs() -> None:
    assert read(NOTICES["opened"])["metadata"]["additionalContext"] == {
        "Account": "111122223333",
        "Region": "eu-west-1",
        "ClusterId": "j-2AXXXXXXGAPLF",
        "RuleIds": "EMRLOG-006, EMRLOG-002, EMRLOG-012",
        "Severity": "CRITICAL",
    }


@pytest.mark.parametrize("command", ["echo `id`", "a > b", "a & b", "aws " + "x" * 2_000])
def test_command_with_special_characters_is_replaced_by_a_hint(command: str) -> None:
    finding = replace(OLD, remediation=command)
    notice = replace(NOTICES["opened"], about=replace(ALERTS["opened"], findings=(finding,)))
    description = read(notice)["content"]["description"]

    assert command not in description
    assert "# To see the commands, run: emr-log-guard explain j-2AXXXXXXGAPLF" in description


def test_findings_that_do_not_fit_are_counted() -> None:
    description = read(NOTICES["endless"])["content"]["description"]

    assert "EMRLOG-001" in description
    assert re.search(r"Not shown: \d more \(EMRLOG-00\d, .*EMRLOG-008\)", description)


def test_policy_problems_beyond_the_limit_are_counted() -> None:
    problem = PolicyProblem("p", 1, tuple(f"field{n}: wrong" for n in range(9)))
    content = read(replace(NOTICES["policy-invalid"], about=problem))["content"]

    assert content["description"].endswith("and 4 more")
