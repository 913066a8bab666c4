"""A request that names an alias which does not exist is answered with NotFoundException.

MiniStack authorises it on the alias, so that a role which may use keys, and no aliases, is told
AccessDeniedException. On AWS the alias is resolved first: there is no key to ask a policy of.

https://docs.aws.amazon.com/kms/latest/developerguide/alias-authorization.html
https://docs.aws.amazon.com/kms/latest/APIReference/API_DescribeKey.html#API_DescribeKey_Errors
"""

from collections.abc import Callable
from typing import Any

from sandbox.corrections.hooks import account_and_region, part, wrap
from sandbox.corrections.kms_alias_permissions import ON_ALIASES


def missing(action: str, service: str, arn: str) -> bool:
    """Whether a request goes to a key by an alias that this account does not have here."""
    account, region = account_and_region()
    return (
        service == "kms"
        and action.partition(":")[2] not in ON_ALIASES
        and f":kms:{region}:{account}:alias/" in arn
        and part("services.kms", "_resolve_key")(arn) is None
    )


def install() -> None:
    """Let KMS itself answer where no policy explicitly denies the request."""

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
