"""KMS authorizes a request that names an alias on the alias's key. Upstream: yes.

MiniStack authorizes it on the alias, so a policy for the key's ARN does not allow it.

https://docs.aws.amazon.com/kms/latest/developerguide/alias-authorization.html
"""

from collections.abc import Callable
from typing import Any

from sandbox.emulator_patches.hooks import part, wrap

ON_ALIASES = ("CreateAlias", "DeleteAlias", "UpdateAlias")


def install() -> None:
    """Resolve aliases before the policies are evaluated."""

    def resolving(extract: Callable[..., str]) -> Callable[..., str]:
        def extract_resource_arn(
            service: str,
            method: str,
            path: str,
            headers: dict[str, str],
            *rest: Any,  # noqa: ANN401 - passed on
        ) -> str:
            arn = extract(service, method, path, headers, *rest)
            action = headers.get("x-amz-target", "").rpartition(".")[2]
            if service != "kms" or ":alias/" not in arn or action in ON_ALIASES:
                return arn
            key = part("services.kms", "_resolve_key")(arn)
            return arn if key is None else str(key["Arn"])

        return extract_resource_arn

    wrap("core.iam_actions", "extract_resource_arn", resolving)
