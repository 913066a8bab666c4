import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import sleep
from typing import Any

import pytest
from botocore.client import BaseClient
from botocore.exceptions import DataNotFoundError
from botocore.loaders import Loader
from botocore.session import Session

from emr_log_guard.adapters import clients
from emr_log_guard.usecases.audit.scope import OBJECT_THREADS
from emr_log_guard.usecases.remediation.reencrypt import THREADS
from tests.unit.builders import OTHER_REGION, REGION

MAKERS: tuple[Callable[[], BaseClient], ...] = (
    clients.iam,
    clients.kms,
    clients.s3,
    clients.sqs,
    clients.ssm,
)


@pytest.mark.parametrize("make", MAKERS)
def test_clients_have_bounded_timeouts_and_retries(make: Callable[[], BaseClient]) -> None:
    config = make().meta.config

    assert config.retries == {"mode": "adaptive", "total_max_attempts": 5}  # type: ignore[attr-defined]
    assert config.connect_timeout == 2  # type: ignore[attr-defined]
    assert config.read_timeout == 5  # type: ignore[attr-defined]
    assert "emr-log-guard" in config.user_agent_extra  # type: ignore[attr-defined]


@pytest.mark.parametrize("make", MAKERS)
def test_clients_are_created_once(make: Callable[[], BaseClient]) -> None:
    assert make() is make()


def test_client_for_s3_keeps_a_connection_for_each_thread() -> None:
    """A surplus connection is closed after its request: the next one takes a handshake."""
    config: Any = clients.s3().meta.config

    assert config.max_pool_connections >= max(THREADS, OBJECT_THREADS)


def test_emr_client_leaves_throttled_calls_to_its_limiter() -> None:
    """Adaptive mode would have one rate for all actions together."""
    assert clients.emr() is clients.emr()
    assert clients.limited_emr({}) is not clients.emr()
    for client in (clients.emr(), clients.limited_emr({})):
        retries = client.meta.config.retries  # type: ignore[attr-defined]
        assert retries == {"mode": "standard", "total_max_attempts": 3}


def test_kms_has_one_client_per_region() -> None:
    assert clients.kms().meta.region_name == REGION
    assert clients.kms(OTHER_REGION).meta.region_name == OTHER_REGION
    assert clients.kms(OTHER_REGION) is clients.kms(OTHER_REGION)


def test_kms_clients_are_created_one_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Log objects are read by many threads, and their keys may be of several Regions."""
    clients.kms.cache_clear()
    making: list[str] = []
    at_once: list[int] = []
    make: Any = Session.create_client

    def slowly(session: Any, service: str, region_name: str, **options: Any) -> Any:  # noqa: ANN401 - botocore's
        making.append(region_name)
        sleep(0.01)
        at_once.append(len(making))
        making.remove(region_name)
        return make(session, service, region_name=region_name, **options)

    monkeypatch.setattr(Session, "create_client", slowly)
    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(clients.kms, [REGION, OTHER_REGION] * 2))

    assert [client.meta.region_name for client in made] == [REGION, OTHER_REGION] * 2
    assert set(at_once) == {1}


def test_models_are_loaded_compressed_or_uncompressed(tmp_path: Path) -> None:
    """botocore ships them compressed, and the layer's build leaves them as they are."""
    clients.shared_session.cache_clear()
    loader: Loader = clients.shared_session().get_component("data_loader")
    (folder := tmp_path / "plain" / "2026-03-14").mkdir(parents=True)
    model = {"version": "2.0", "shapes": {"Größe": {"type": "long"}}}
    (folder / "service-2.json").write_text(json.dumps(model, ensure_ascii=False), "utf-8")
    loader.search_paths.append(str(tmp_path))

    assert loader.load_service_model("plain", "service-2") == model
    for name in ("service-2", "endpoint-rule-set-1", "paginators-1"):
        assert loader.load_service_model("emr", name) == Loader().load_service_model("emr", name)
    with pytest.raises(DataNotFoundError):
        loader.load_data("none")


def test_sns_client_does_not_retry() -> None:
    config: Any = clients.sns().meta.config

    assert config.retries == {"mode": "standard", "total_max_attempts": 1}
    assert config.read_timeout == 20
