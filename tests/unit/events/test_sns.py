import json

import pytest

from emr_log_guard.errors import InvalidEventError
from emr_log_guard.events.sns import AlertMessage, parse_alerts

ALERT = {"schema": "emr-log-guard/alert/1", "subject": "s", "text": "t", "kind": "finding.opened"}


def a_delivery(*messages: object) -> dict[str, object]:
    return {
        "Records": [
            {
                "EventSource": "aws:sns",
                "Sns": {"Subject": "s", "Message": m if isinstance(m, str) else json.dumps(m)},
            }
            for m in messages
        ]
    }


def test_each_delivered_alert_is_read() -> None:
    alerts = parse_alerts(a_delivery(ALERT, ALERT | {"subject": "another"}))

    assert [alert.subject for alert in alerts] == ["s", "another"]
    assert alerts[0] == AlertMessage("emr-log-guard/alert/1", "s", "t")


@pytest.mark.parametrize(
    ("event", "field"),
    [
        (None, "not Delivery"),
        ({}, "Records"),
        ({"Records": [{}]}, "Sns"),
        ({"Records": [{"Sns": {}}]}, "Message"),
        ({"Records": [{"messageId": "1", "body": "x"}]}, "Sns"),
        (a_delivery("hello"), "not AlertMessage"),
        (a_delivery({}), "schema"),
        (a_delivery(ALERT | {"schema": "somebody/else/1"}), r"\$\.schema"),
        (a_delivery(ALERT | {"text": None}), r"\$\.text"),
        (a_delivery({n: v for n, v in ALERT.items() if n != "subject"}), "subject"),
    ],
)
def test_what_is_no_alert_of_the_guard_is_refused(event: object, field: str) -> None:
    with pytest.raises(InvalidEventError, match=field):
        parse_alerts(event)
