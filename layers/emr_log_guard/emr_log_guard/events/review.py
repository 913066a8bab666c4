"""What starts a review of findings: schedules, and changes of the policy."""

from typing import Any, Literal

import msgspec

from emr_log_guard.events.parsing import Time, convert


class ReviewRequest(msgspec.Struct, frozen=True, rename={"detail_type": "detail-type"}):
    """What to review: only late notifications, or, for all other events, everything."""

    review: Literal["all", "late"] = "all"
    detail_type: str = ""
    time: Time | None = None
    """When the event happened; None when unknown."""

    @property
    def policy_changed(self) -> bool:
        """Whether the stored policy was changed, or deleted."""
        return self.detail_type == "Parameter Store Change"


def parse_review(event: Any) -> ReviewRequest:  # noqa: ANN401 - Lambda passes any JSON
    """Parse what is to be reviewed.

    Raises:
        InvalidEventError: The event is not an object, or its `review` is unknown.

    """
    return convert(event, ReviewRequest)
