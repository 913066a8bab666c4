"""Send alerts to Amazon Q Developer in chat applications."""

from collections.abc import Iterable
from dataclasses import dataclass

from emr_log_guard.domain.published_alert import PublishedAlert
from emr_log_guard.observability import logger
from emr_log_guard.usecases.ports import ChatTopic


@dataclass(frozen=True, slots=True)
class NotifyAmazonQ:
    """Publishes each alert as a custom notification."""

    topic: ChatTopic

    def __call__(self, alerts: Iterable[PublishedAlert]) -> dict[str, int]:
        """Publish the alerts. Errors propagate: SNS retries the delivery."""
        published = 0
        for alert in alerts:
            self.topic.publish(alert)
            published += 1
            logger.info("alert published", subject=alert.subject)
        return {"published": published}
