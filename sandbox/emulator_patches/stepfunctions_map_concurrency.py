"""A distributed map may take its concurrency from its input. Upstream: yes.

MiniStack reads MaxConcurrency and ignores MaxConcurrencyPath.

https://docs.aws.amazon.com/step-functions/latest/dg/state-map-distributed.html
"""

from collections.abc import Callable
from typing import Any

from sandbox.emulator_patches.hooks import part, wrap


def install() -> None:
    """Resolve the path before the map is run."""
    resolve = part("services.stepfunctions", "_resolve_path_or_ctx")

    def resolving(run: Callable[..., Any]) -> Callable[..., Any]:
        def run_distributed_map(state: dict[str, Any], *given: Any) -> object:  # noqa: ANN401
            _, effective_input, _, _, context = given
            if path := state.get("MaxConcurrencyPath"):
                state = state | {"MaxConcurrency": resolve(path, effective_input, context)}
            return run(state, *given)

        return run_distributed_map

    wrap("services.stepfunctions", "_run_distributed_map", resolving)
