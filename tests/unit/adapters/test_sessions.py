from threading import Event
from typing import Any

from emr_log_guard.adapters.call_count import CallCount
from emr_log_guard.adapters.sessions import AuditSession, Watch
from emr_log_guard.usecases.audit.scope import OBJECT_THREADS, THREADS
from tests.unit.builders import REGION


def connections(client: Any) -> int:  # noqa: ANN401 - of any service
    """Tell how many connections a client keeps."""
    return int(client.meta.config.max_pool_connections)


def test_threads_share_a_client_with_a_connection_for_each() -> None:
    session = AuditSession.of_caller(Watch(CallCount(), Event()))

    assert session.s3(REGION) is session.s3(REGION)
    assert connections(session.s3(REGION)) >= OBJECT_THREADS
    assert connections(session.emr(REGION)) >= THREADS
