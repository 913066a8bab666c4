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
def test_review_covers_everything_unless_only_late_findings_are_requested(
    event: object, review: str
) -> None:
    assert parse_review(event) == ReviewRequest(review)  # type: ignore[arg-type]


@pytest.mark.parametrize("event", [None, [], {"review": "some"}])
def test_request_for_an_unknown_review_is_rejected(event: object) -> None:
    with pytest.raises(InvalidEventError):
        parse_review(event)
