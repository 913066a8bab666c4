"""What starts a review of findings: schedules, and changes of the policy."""

from typing import Any, Literal

import msgspec

from emr_log_guard.events.parsing import convert


class ReviewRequest(msgspec.Struct, frozen=True):
    """What to review: only late notifications, or, for all other events, everything."""

    review: Literal["all", "late"] = "all"


def parse_review(event: Any) -> ReviewRequest:  # noqa: ANN401 - Lambda passes any JSON
    """Parse what is to be reviewed.

    Raises:
        InvalidEventError: The event is not an object, or its `review` is unknown.

    """
    return convert(event, ReviewRequest)
