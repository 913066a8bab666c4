import pytest

from emr_log_guard.errors import InvalidEventError
from emr_log_guard.events.review import ReviewRequest, parse_review


@pytest.mark.parametrize(
    ("event", "review"),
    [
        ({"review": "late"}, "late"),
        ({"review": "all"}, "all"),
        ({"source": "aws.ssm", "detail-type": "Parameter Store Change"}, "all"),
    ],
)
def test_all_is_reviewed_unless_only_what_is_late_is_asked_for(event: object, review: str) -> None:
    assert parse_review(event) == ReviewRequest(review)  # type: ignore[arg-type]


@pytest.mark.parametrize("event", [None, [], {"review": "some"}])
def test_a_request_for_another_review_is_refused(event: object) -> None:
    with pytest.raises(InvalidEventError):
        parse_review(event)
