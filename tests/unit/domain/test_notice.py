from dataclasses import replace

from emr_log_guard.domain.compliance import Severity
from emr_log_guard.domain.published_alert import PublishedAlert
from tests.unit.builders import a_finding
from tests.unit.notices import ALERTS, NOTICES


def test_alert_has_the_severity_of_its_most_severe_finding() -> None:
    findings = tuple(a_finding(severity=each) for each in (Severity.LOW, Severity.HIGH))
    alert = replace(ALERTS["opened"], findings=findings)

    assert PublishedAlert(subject="s", text="t", about=alert).severity is Severity.HIGH


def test_alert_without_findings_has_no_severity() -> None:
    without = ("without-findings", "policy-invalid", "rescan", "unknown")

    assert [NOTICES[name].severity for name in without] == [None] * 4
