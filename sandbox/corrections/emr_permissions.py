"""TerminateJobFlows and SetTerminationProtection are authorised on the clusters that they name.

MiniStack authorises them on no resource, so that a policy for cluster ARNs does not allow them.

https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonelasticmapreduce.html
"""

import json
from collections.abc import Callable
from typing import Any

from sandbox.corrections.hooks import wrap

ON_LISTS_OF_CLUSTERS = ("TerminateJobFlows", "SetTerminationProtection")


def install() -> None:
    """Name the cluster before the policies are read; of several, the first stands for all."""

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
                # An action on one cluster, which MiniStack knows how to name.
                body = json.dumps({"ClusterId": clusters[0]}).encode()
            return extract(service, method, path, headers, body, *rest)

        return extract_resource_arn

    wrap("core.iam_actions", "extract_resource_arn", naming)
