import json

import pytest

from emr_log_guard.errors import InvalidEventError
from emr_log_guard.events.sns import parse_alerts
from tests.unit.builders import ACCOUNT, REGION
from tests.unit.notices import PUBLISHED

ALERT = {"schema": "emr-log-guard/alert/1", "subject": "s", "text": "t", "kind": "finding.opened"}


def a_delivery(*messages: object) -> dict[str, object]:
    return {
        "Records": [
            {
                "EventSource": "aws:sns",
                "Sns": {
                    "MessageId": "m",
                    "Subject": "s",
                    "Message": m if isinstance(m, str) else json.dumps(m),
                },
            }
            for m in messages
        ]
    }


def test_each_delivered_alert_is_parsed() -> None:
    notices = parse_alerts(a_delivery(ALERT, ALERT | {"subject": "another", "account": "1"}))

    assert [(notice.subject, notice.account) for notice in notices] == [
        ("s", None),
        ("another", "1"),
    ]


@pytest.mark.parametrize("name", sorted(set(PUBLISHED) - {"endless"}))  # which SNS gets cut
def test_published_alert_is_parsed_as_it_was_sent(name: str) -> None:
    published = PUBLISHED[name]
    (notice,) = parse_alerts(a_delivery(json.loads(published.message)["lambda"]))

    assert notice.about == published.about
    assert (notice.about is None) is (name == "policy-changed")
    assert (notice.account, notice.region) == (ACCOUNT, REGION)
    assert notice.text.startswith(notice.subject)


@pytest.mark.parametrize(
    "message",
    [
        ALERT,
        ALERT | {"kind": "finding.evaporated", "cluster_arn": "a"},
        ALERT | {"kind": "policy.invalid"},
        ALERT | {"kind": "rescan.done", "execution": "e"},
        {name: value for name, value in ALERT.items() if name != "kind"},
    ],
)
def test_alert_with_unknown_content_is_parsed_as_text(message: dict[str, object]) -> None:
    (notice,) = parse_alerts(a_delivery(message))

    assert (notice.about, notice.subject, notice.text) == (None, "s", "t")


@pytest.mark.parametrize(
    ("event", "field"),
    [
        (None, "not Delivery"),
        ({}, "Records"),
        ({"Records": [{}]}, "Sns"),
        ({"Records": [{"Sns": {}}]}, "MessageId"),
        ({"Records": [{"messageId": "1", "body": "x"}]}, "Sns"),
        (a_delivery("hello"), "not AlertMessage"),
        (a_delivery({}), "schema"),
        (a_delivery(ALERT | {"schema": "somebody/else/1"}), r"\$\.schema"),
        (a_delivery(ALERT | {"text": None}), r"\$\.text"),
        (a_delivery({n: v for n, v in ALERT.items() if n != "subject"}), "subject"),
    ],
)
def test_delivery_that_is_not_an_alert_is_rejected(event: object, field: str) -> None:
    with pytest.raises(InvalidEventError, match=field):
        parse_alerts(event)
