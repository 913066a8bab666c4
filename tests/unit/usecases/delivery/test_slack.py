import json
import logging
from dataclasses import dataclass, replace

import pytest

from emr_log_guard.domain.compliance import Severity
from emr_log_guard.domain.policy import AlertSettings, Policy, SlackRoute
from emr_log_guard.domain.published_alert import PublishedAlert
from emr_log_guard.errors import AlertNotDeliveredError, GuardError, InvalidWebhookError
from emr_log_guard.observability import metrics
from emr_log_guard.usecases.delivery.amazon_q import NotifyAmazonQ
from emr_log_guard.usecases.delivery.slack import NotifySlack
from emr_log_guard.usecases.policy import CurrentPolicy
from emr_log_guard.usecases.ports import PolicyProvider, StoredPolicy, UnreadablePolicy
from tests.unit.builders import NOW
from tests.unit.fakes import FakeChat
from tests.unit.notices import NOTICES

DEFAULT, DATA, SEVERE = "default", "data", "severe"
ROUTES = (
    SlackRoute(DATA, tag={"team": "data"}),
    SlackRoute(SEVERE, minimum_severity=Severity.CRITICAL),
)
OF_DATA = NOTICES["opened"]
OF_NOBODY = NOTICES["reopened"]


@pytest.fixture(autouse=True)
def fresh_metrics(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "namespace", "EmrLogGuard")
    metrics.clear_metrics()


def counted(name: str) -> float:
    values: list[float] = metrics.provider.metric_set.get(name, {}).get("Value", [])
    return sum(values)


def fixed(policy: Policy) -> PolicyProvider:
    def give(*, force_refresh: bool = False) -> Policy:
        assert not force_refresh
        return policy

    return give


def notify(
    chat: FakeChat, *notices: PublishedAlert, routes: tuple[SlackRoute, ...] = ROUTES
) -> object:
    policy = Policy(alerts=AlertSettings(slack_routes=routes))
    return NotifySlack(chat, fixed(policy), DEFAULT)(notices)


def test_alert_is_posted_to_the_first_matching_route() -> None:
    chat = FakeChat()

    assert notify(chat, OF_DATA, OF_NOBODY) == {"posted": 2}
    assert chat.posts == [(DATA, OF_DATA), (DEFAULT, OF_NOBODY)]


@pytest.mark.parametrize("name", ["policy-invalid", "rescan", "unknown"])
def test_alert_without_a_cluster_is_posted_to_the_default_webhook(name: str) -> None:
    chat = FakeChat()
    notify(chat, NOTICES[name])

    assert [webhook for webhook, _ in chat.posts] == [DEFAULT]


def test_alert_for_an_invalid_webhook_is_posted_to_the_default_and_counted(
    caplog: pytest.LogCaptureFixture,
) -> None:
    chat = FakeChat({DATA: InvalidWebhookError("410: channel_is_archived")})

    with caplog.at_level(logging.ERROR):
        assert notify(chat, OF_DATA) == {"posted": 1}

    assert chat.posts == [(DEFAULT, OF_DATA)]
    assert counted("WebhooksUnusable") == 1


def test_throttled_route_raises_and_is_not_replaced_by_the_default() -> None:
    chat = FakeChat({DATA: AlertNotDeliveredError("429")})

    with pytest.raises(AlertNotDeliveredError):
        notify(chat, OF_DATA)

    assert chat.posts == []


@pytest.mark.parametrize("error", [InvalidWebhookError("404"), AlertNotDeliveredError("500")])
def test_error_of_the_default_webhook_is_raised(error: GuardError) -> None:
    chat = FakeChat({DEFAULT: error})

    with pytest.raises(type(error)):
        notify(chat, OF_NOBODY)

    assert counted("WebhooksUnusable") == isinstance(error, InvalidWebhookError)


def test_error_is_raised_when_route_and_default_are_invalid() -> None:
    useless = InvalidWebhookError("404")
    chat = FakeChat({DATA: useless, DEFAULT: useless})

    with pytest.raises(InvalidWebhookError):
        notify(chat, OF_DATA)


@dataclass
class Parameter:
    stored: StoredPolicy | UnreadablePolicy
    name: str = "/policy"

    def read(self) -> StoredPolicy | UnreadablePolicy:
        return self.stored


@pytest.mark.parametrize(
    "stored",
    [
        StoredPolicy("{", 2),
        StoredPolicy(json.dumps({"alerts": {"slack": {"routes": "all"}}}), 3),
        UnreadablePolicy("AccessDeniedException", transient=False),
        UnreadablePolicy("ThrottlingException", transient=True),
    ],
)
def test_alert_is_posted_to_the_default_when_the_policy_is_unusable(
    stored: StoredPolicy | UnreadablePolicy,
) -> None:
    chat = FakeChat()
    policy = CurrentPolicy(Parameter(stored), None, None, lambda: NOW, allowed=False)

    NotifySlack(chat, policy, DEFAULT)([OF_DATA])

    assert chat.posts == [(DEFAULT, OF_DATA)]


def test_each_alert_is_published_for_amazon_q() -> None:
    published: list[PublishedAlert] = []

    class Topic:
        def publish(self, notice: PublishedAlert) -> None:
            published.append(notice)

    assert NotifyAmazonQ(Topic())([OF_DATA, OF_NOBODY]) == {"published": 2}
    assert published == [OF_DATA, OF_NOBODY]


def test_route_without_conditions_receives_all_other_alerts() -> None:
    chat = FakeChat()
    routes = (*ROUTES, SlackRoute("all"))
    notify(chat, replace(OF_NOBODY, cluster_tags={"team": "ml"}), NOTICES["rescan"], routes=routes)

    assert [webhook for webhook, _ in chat.posts] == ["all", "all"]
