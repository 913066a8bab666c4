from emr_log_guard.domain.compliance import Compliance, Severity
from emr_log_guard.domain.findings import Status
from emr_log_guard.rendering.alerts.findings import findings_text
from tests.unit.builders import a_finding

NON_COMPLIANT, UNKNOWN = Compliance.NON_COMPLIANT, Compliance.INSUFFICIENT_DATA


def test_findings_are_listed_most_severe_first_without_those_not_applicable() -> None:
    findings = [
        a_finding("EMRLOG-001", compliance=Compliance.COMPLIANT, summary="logs are archived"),
        a_finding("EMRLOG-007", compliance=UNKNOWN, severity=Severity.CRITICAL, remediation=""),
        a_finding("EMRLOG-004", compliance=Compliance.NOT_APPLICABLE),
        a_finding("EMRLOG-005", severity=Severity.MEDIUM),
        a_finding("EMRLOG-002", remediation="aws emr create-cluster"),
    ]

    text = findings_text(findings, NON_COMPLIANT)

    assert text.startswith(f"EMR cluster {findings[0].cluster_name} ({findings[0].cluster_id}) is ")
    places = [text.index(f"EMRLOG-00{number}") for number in (2, 5, 7, 1)]
    assert places == sorted(places)
    assert "\nNON_COMPLIANT\nEMRLOG-002" in text
    assert "\nINSUFFICIENT_DATA\nEMRLOG-007" in text
    assert "  Fix      aws emr create-cluster" in text
    assert ": COMPLIANT: logs are archived\n" in text
    assert "EMRLOG-004" not in text


def test_exempt_finding_is_shown_in_one_line() -> None:
    exempt = a_finding("EMRLOG-002", status=Status.EXEMPT)

    text = findings_text([exempt], Compliance.NOT_APPLICABLE)

    assert f": NON_COMPLIANT, but exempt: {exempt.summary}\n" in text
    assert "Fix" not in text


def test_hostile_or_missing_cluster_name_is_rendered_safely() -> None:
    hostile = a_finding("EMRLOG-002", cluster_name="a\x1b[2Jb")

    assert "\x1b" not in findings_text([hostile], NON_COMPLIANT)
    nameless = a_finding("EMRLOG-002", cluster_name=None)
    head = findings_text([nameless], NON_COMPLIANT).splitlines()[0]
    assert head == f"EMR cluster {nameless.cluster_id} is NON_COMPLIANT"
