"""IAM authorizes two reads on ARNs, and batches of messages as messages. Upstream: yes.

MiniStack authorizes SimulatePrincipalPolicy and GetInstanceProfile on no resource, so a policy for
role or instance-profile ARNs does not allow them. It authorizes a batch of messages by an action of
its own, where IAM has that of one message.

https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-api-permissions-reference.html
https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsidentityandaccessmanagementiam.html
"""

from collections.abc import Callable
from typing import Any

from sandbox.emulator_patches.hooks import part, wrap


def install() -> None:
    """Set the principal or the instance profile as the resource of the request."""

    def naming(extract: Callable[..., str]) -> Callable[..., str]:
        def extract_resource_arn(
            service: str,
            *request: Any,  # noqa: ANN401 - passed on
        ) -> str:
            if service == "iam":
                *_, query, _region, account = request
                read = part("services.iam", "_p")
                if principal := read(query, "PolicySourceArn"):
                    return str(principal)
                if profile := read(query, "InstanceProfileName"):
                    return f"arn:aws:iam::{account}:instance-profile/{profile}"
            return extract(service, *request)

        return extract_resource_arn

    wrap("core.iam_actions", "extract_resource_arn", naming)
    wrap("core.iam_actions", "extract_iam_action", _of_one_message)


def _of_one_message(extract: Callable[..., str | None]) -> Callable[..., str | None]:
    def extract_iam_action(*request: Any, **more: Any) -> str | None:  # noqa: ANN401 - passed on
        action = extract(*request, **more)
        is_batch = action is not None and action.startswith("sqs:") and action.endswith("Batch")
        return action.removesuffix("Batch") if action and is_batch else action

    return extract_iam_action
