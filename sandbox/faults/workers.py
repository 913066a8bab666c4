"""The processes that run the account's functions, for faults that kill them."""

from typing import Any

from sandbox.emulator_patches.hooks import part


def kill(access_key: str) -> None:
    """Kill the busy environments of the function whose role session has this access key.

    A request does not identify the environment that sent it, so another environment of the same
    function may be killed as well; Lambda reports both as failed invocations.
    """
    pools: dict[str, list[Any]] = part("core.lambda_runtime", "_workers")
    credentials = part("core.lambda_runtime", "execution_credentials")
    for worker in [each for pool in list(pools.values()) for each in pool]:
        process = worker._proc  # noqa: SLF001 - MiniStack has no public name for it
        busy = worker.in_use and process is not None
        if busy and credentials(worker.config)["AWS_ACCESS_KEY_ID"] == access_key:
            process.kill()
