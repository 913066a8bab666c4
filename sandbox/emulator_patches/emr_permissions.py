"""IAM authorizes TerminateJobFlows and SetTerminationProtection on clusters. Upstream: yes.

MiniStack authorizes them on no resource, so a policy for cluster ARNs does not allow them.

https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonelasticmapreduce.html
"""

import json
from collections.abc import Callable
from typing import Any

from sandbox.emulator_patches.hooks import wrap

ON_LISTS_OF_CLUSTERS = ("TerminateJobFlows", "SetTerminationProtection")


def install() -> None:
    """Set the cluster as the request's resource; of several clusters, only the first is checked."""

    def naming(extract: Callable[..., str]) -> Callable[..., str]:
        def extract_resource_arn(
            service: str,
            method: str,
            path: str,
            headers: dict[str, str],
            body: bytes,
            *rest: Any,  # noqa: ANN401 - passed on
        ) -> str:
            action = headers.get("x-amz-target", "").rpartition(".")[2]
            clusters = (
                json.loads(body).get("JobFlowIds", []) if action in ON_LISTS_OF_CLUSTERS else []
            )
            if clusters:
                # The body of an action on one cluster, whose ARN MiniStack can build.
                body = json.dumps({"ClusterId": clusters[0]}).encode()
            return extract(service, method, path, headers, body, *rest)

        return extract_resource_arn

    wrap("core.iam_actions", "extract_resource_arn", naming)
