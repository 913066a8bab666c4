"""IAM authorizes SimulatePrincipalPolicy and GetInstanceProfile on ARNs. Upstream: yes.

MiniStack authorizes them on no resource, so a policy for role or instance-profile ARNs does not
allow them.

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
