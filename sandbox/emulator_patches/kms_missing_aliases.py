"""KMS returns NotFoundException for an alias that does not exist. Upstream: yes.

MiniStack authorizes the request on the alias, so a role that may use keys, but no aliases, gets
AccessDeniedException. AWS resolves the alias first: without a key, there is no key policy to
evaluate.

https://docs.aws.amazon.com/kms/latest/developerguide/alias-authorization.html
https://docs.aws.amazon.com/kms/latest/APIReference/API_DescribeKey.html#API_DescribeKey_Errors
"""

from collections.abc import Callable
from typing import Any

from sandbox.emulator_patches.hooks import account_and_region, part, wrap
from sandbox.emulator_patches.kms_alias_permissions import ON_ALIASES


def missing(action: str, service: str, arn: str) -> bool:
    """Whether a request names a key by an alias that does not exist in this account and Region."""
    account, region = account_and_region()
    return (
        service == "kms"
        and action.partition(":")[2] not in ON_ALIASES
        and f":kms:{region}:{account}:alias/" in arn
        and part("services.kms", "_resolve_key")(arn) is None
    )


def install() -> None:
    """Let KMS handle the request unless a policy explicitly denies it."""

    def resolving(enforce: Callable[..., Any]) -> Callable[..., Any]:
        def enforce_policies(
            access_key: str,
            action: str,
            service: str,
            region: str,
            resource_arn: str = "*",
            **more: Any,  # noqa: ANN401 - passed on
        ) -> Any:  # noqa: ANN401 - MiniStack is untyped
            denied = enforce(access_key, action, service, region, resource_arn, **more)
            implicit = getattr(denied, "decision", None) == "ImplicitDeny"
            return None if implicit and missing(action, service, resource_arn) else denied

        return enforce_policies

    wrap("core.iam_evaluator", "enforce", resolving)
