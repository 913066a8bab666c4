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


def test_each_alert_is_posted_where_the_first_route_says() -> None:
    chat = FakeChat()

    assert notify(chat, OF_DATA, OF_NOBODY) == {"posted": 2}
    assert chat.posts == [(DATA, OF_DATA), (DEFAULT, OF_NOBODY)]


@pytest.mark.parametrize("name", ["policy-invalid", "rescan", "unknown"])
def test_what_is_about_no_cluster_goes_to_the_default(name: str) -> None:
    chat = FakeChat()
    notify(chat, NOTICES[name])

    assert [webhook for webhook, _ in chat.posts] == [DEFAULT]


def test_a_route_of_no_use_loses_no_alert_and_shows_the_operators(
    caplog: pytest.LogCaptureFixture,
) -> None:
    chat = FakeChat({DATA: InvalidWebhookError("410: channel_is_archived")})

    with caplog.at_level(logging.ERROR):
        assert notify(chat, OF_DATA) == {"posted": 1}

    assert chat.posts == [(DEFAULT, OF_DATA)]
    assert counted("WebhooksUnusable") == 1


def test_a_route_that_is_busy_is_tried_again_and_not_replaced() -> None:
    chat = FakeChat({DATA: AlertNotDeliveredError("429")})

    with pytest.raises(AlertNotDeliveredError):
        notify(chat, OF_DATA)

    assert chat.posts == []


@pytest.mark.parametrize("error", [InvalidWebhookError("404"), AlertNotDeliveredError("500")])
def test_a_default_that_does_not_take_it_flies(error: GuardError) -> None:
    chat = FakeChat({DEFAULT: error})

    with pytest.raises(type(error)):
        notify(chat, OF_NOBODY)

    assert counted("WebhooksUnusable") == isinstance(error, InvalidWebhookError)


def test_a_default_that_is_of_no_use_either_flies() -> None:
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
def test_a_broken_policy_loses_no_alert(stored: StoredPolicy | UnreadablePolicy) -> None:
    chat = FakeChat()
    policy = CurrentPolicy(Parameter(stored), None, None, allowed=False)

    NotifySlack(chat, policy, DEFAULT)([OF_DATA])

    assert chat.posts == [(DEFAULT, OF_DATA)]


def test_each_alert_is_published_for_amazon_q() -> None:
    published: list[PublishedAlert] = []

    class Topic:
        def publish(self, notice: PublishedAlert) -> None:
            published.append(notice)

    assert NotifyAmazonQ(Topic())([OF_DATA, OF_NOBODY]) == {"published": 2}
    assert published == [OF_DATA, OF_NOBODY]


def test_a_catch_all_at_the_end_takes_the_rest() -> None:
    chat = FakeChat()
    routes = (*ROUTES, SlackRoute("all"))
    notify(chat, replace(OF_NOBODY, cluster_tags={"team": "ml"}), NOTICES["rescan"], routes=routes)

    assert [webhook for webhook, _ in chat.posts] == ["all", "all"]
