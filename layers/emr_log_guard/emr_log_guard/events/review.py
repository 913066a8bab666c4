"""What has findings reviewed: a schedule, a change of the policy, or the watch on what is late."""

from typing import Any, Literal

import msgspec

from emr_log_guard.events.parsing import convert


class ReviewRequest(msgspec.Struct, frozen=True):
    """What to review; every other event of EventBridge's is about all that is open."""

    review: Literal["all", "late"] = "all"


def parse_review(event: Any) -> ReviewRequest:  # noqa: ANN401 - Lambda hands over any JSON
    """Read what is to be reviewed.

    Raises:
        InvalidEventError: The event is no object, or names something else to review.

    """
    return convert(event, ReviewRequest)
