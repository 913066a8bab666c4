"""Clients that wait for their turn when AWS throttles, for re-scans."""

from threading import Event

from emr_log_guard.adapters import clients
from emr_log_guard.adapters.call_count import CallCount
from emr_log_guard.adapters.sessions import AuditSession, Watch


def patient_session() -> AuditSession:
    """Make the session that they come from."""
    return AuditSession(clients.shared_session(), Watch(CallCount(), Event()))
