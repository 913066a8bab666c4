"""What is emitted is what the published schemas say, and fits into a call."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from emr_log_guard.domain.compliance import Mode
from emr_log_guard.domain.decide import Alert, AlertKind, NextStep
from emr_log_guard.rendering.alerts.alert_json import alert_json, alert_messages
from emr_log_guard.rendering.alerts.events import (
    ENFORCEMENT_EVENTS,
    FINDING_EVENTS,
    BusEvent,
    bus_events,
)
from tests.unit.builders import NOW, a_cluster, a_finding
from tests.unit.rendering.alerts.test_asff import FINDINGS
from tests.unit.rendering.test_hostile_names import NAMES, an_alert

SCHEMAS = {
    name: json.loads(path.read_text())
    for name in ("finding", "enforcement", "remediation")
    for path in [Path(__file__).parents[4] / "docs" / "events" / f"{name}.schema.json"]
}
ARN = a_cluster().arn
EMITTED = {**FINDING_EVENTS, **ENFORCEMENT_EVENTS}


def emitted(alert: Alert, alert_id: str = "95df01b4") -> list[BusEvent]:
    """Give the events of an alert, as it travels through SNS."""
    published = json.loads(json.loads(alert_messages(alert))["lambda"])
    return list(bus_events(published, alert_id))


def problems(event: BusEvent) -> Iterator[str]:
    schema = SCHEMAS[event.detail_type.partition(" ")[0].lower()]
    return (error.message for error in Draft202012Validator(schema).iter_errors(event.detail))


def of_kind(kind: AlertKind, **changes: Any) -> Alert:  # noqa: ANN401 - any field
    found = (a_finding(deadline=NOW), a_finding("EMRLOG-004"))
    alert = Alert(kind, ARN, "nightly-etl", found, NextStep.TERMINATED, Mode.ENFORCE, "detail")
    return replace(alert, **changes)


@pytest.mark.parametrize("schema", SCHEMAS.values(), ids=SCHEMAS)
def test_event_schemas_are_valid_and_contain_every_next_step_and_mode(
    schema: dict[str, Any],
) -> None:
    Draft202012Validator.check_schema(schema)
    assert schema["$defs"]["NextStep"]["enum"] == [str(step) for step in NextStep]
    assert schema["$defs"]["Mode"]["enum"] == [str(mode) for mode in Mode]


@pytest.mark.parametrize("kind", [k for k in AlertKind if k in FINDING_EVENTS])
def test_each_finding_of_an_alert_is_a_separate_event(kind: AlertKind) -> None:
    first, second = emitted(of_kind(kind))

    finding = alert_json(of_kind(kind))["findings"][0]  # type: ignore[index]
    assert first.detail == {
        "schema": "emr-log-guard/event/1",
        "alert_id": "95df01b4",
        **finding,
        "mode": "enforce",
        "next_step": "terminated",
    }
    assert first.detail_type == second.detail_type == EMITTED[kind]
    assert second.detail["rule_id"] == "EMRLOG-004"
    assert first.cluster_arn == ARN
    assert not [*problems(first), *problems(second)]


@pytest.mark.parametrize("kind", [k for k in AlertKind if k in ENFORCEMENT_EVENTS])
def test_enforcement_alert_is_one_event(kind: AlertKind) -> None:
    for alert in (of_kind(kind), of_kind(kind, findings=(), cluster_name=None)):
        [event] = emitted(alert)

        assert event.detail_type == EMITTED[kind]
        assert len(event.detail["findings"]) == len(alert.findings)
        assert event.detail["cluster_id"] == a_cluster().id
        assert not list(problems(event))


def test_reminders_and_alerts_without_a_cluster_emit_no_events() -> None:
    others = {
        AlertKind.FINDING_REMINDER,
        AlertKind.POLICY_INVALID,
        AlertKind.POLICY_CHANGED,
        AlertKind.RESCAN_DONE,
    }

    assert {str(kind) for kind in AlertKind} - set(EMITTED) == others
    assert not emitted(of_kind(AlertKind.FINDING_REMINDER))
    assert not list(bus_events({"kind": "policy.invalid"}, "1"))


@given(finding=FINDINGS, kind=st.sampled_from([k for k in AlertKind if k in EMITTED]))
def test_event_of_any_finding_is_valid(finding: Any, kind: AlertKind) -> None:  # noqa: ANN401
    for event in emitted(of_kind(kind, findings=(finding,))):
        assert not list(problems(event))


@pytest.mark.parametrize("kind", [AlertKind.FINDING_OPENED, AlertKind.ENFORCEMENT_DONE])
@pytest.mark.parametrize("name", NAMES)
def test_events_of_an_alert_fit_into_one_put_events_call(name: str, kind: AlertKind) -> None:
    events = emitted(replace(an_alert(name), kind=kind))

    details = [json.dumps(event.detail, ensure_ascii=False).encode() for event in events]
    assert sum(len(detail) + 500 for detail in details) < 256 * 1024
    assert all(not list(problems(event)) for event in events)
