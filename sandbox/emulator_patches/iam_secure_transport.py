"""Requests are sent over TLS, so aws:SecureTransport is true. Upstream: no.

The account listens on plain loopback: MiniStack correctly evaluates each request as insecure, and
policies that deny insecure requests would deny all.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html
"""

from collections.abc import Callable
from typing import Any

from sandbox.emulator_patches.hooks import wrap


def secure(resolve: Callable[[str, Any], Any]) -> Callable[[str, Any], Any]:
    """Resolve aws:SecureTransport to `true`."""

    def resolve_condition_key(key: str, context: Any) -> Any:  # noqa: ANN401 - MiniStack is untyped
        return "true" if key.lower() == "aws:securetransport" else resolve(key, context)

    return resolve_condition_key


def install() -> None:
    """Patch the evaluation of conditions."""
    wrap("core.iam_evaluator", "_resolve_condition_key", secure)
