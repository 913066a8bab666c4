import pytest

from emr_log_guard.errors import AlertNotDeliveredError
from emr_log_guard.events.sns import AlertMessage
from emr_log_guard.usecases.notify_slack import NotifySlack
from tests.unit.fakes import FakeChat


def an_alert(subject: str, text: str = "text\n") -> AlertMessage:
    return AlertMessage("emr-log-guard/alert/1", subject, text)


def test_each_alert_is_posted() -> None:
    chat = FakeChat()

    answer = NotifySlack(chat)([an_alert("one"), an_alert("two <!channel>")])

    assert answer == {"posted": 2}
    assert chat.posts == ["one\ntext\n", "two &lt;!channel&gt;\ntext\n"]


def test_an_alert_that_slack_does_not_take_flies() -> None:
    class Refusing:
        def post(self, text: str) -> None:
            raise AlertNotDeliveredError(text)

    with pytest.raises(AlertNotDeliveredError):
        NotifySlack(Refusing())([an_alert("one")])
