"""Requests count as sent over TLS, as every request to AWS is that the guard makes.

The account listens on plain loopback, so MiniStack calls each request insecure and policies that
refuse such requests refuse all.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html
"""

from collections.abc import Callable
from typing import Any

from sandbox.corrections.hooks import wrap


def secure(resolve: Callable[[str, Any], Any]) -> Callable[[str, Any], Any]:
    """Answer `true` for aws:SecureTransport."""

    def resolve_condition_key(key: str, context: Any) -> Any:  # noqa: ANN401 - MiniStack is untyped
        return "true" if key.lower() == "aws:securetransport" else resolve(key, context)

    return resolve_condition_key


def install() -> None:
    """Correct the evaluation of conditions."""
    wrap("core.iam_evaluator", "_resolve_condition_key", secure)
