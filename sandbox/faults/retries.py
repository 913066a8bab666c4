"""Lambda retries asynchronous invocations twice, including those of EventBridge rules.

MiniStack invokes a rule's function once, even if it fails. Installed only if the account is started
with faults: otherwise, nothing fails that a retry would fix.

https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html
"""

import json
from collections.abc import Callable

from sandbox.emulator_patches.hooks import part, wrap


def install() -> None:
    """Invoke a rule's function with Lambda's asynchronous retries."""

    def retried(dispatch: Callable[[str, str], None]) -> Callable[[str, str], None]:
        def dispatch_to_lambda(arn: str, payload: str) -> None:
            function, configuration, _ = part("services.lambda_svc", "_get_func_record_for_ref")(
                arn
            )
            if not function or not configuration:
                dispatch(arn, payload)
                return
            record = part("services.lambda_svc", "_execution_record_for_config")(
                function, configuration
            )
            invoke = part("services.lambda_svc", "invoke_async_with_retry")
            invoke(record, json.loads(payload))

        return dispatch_to_lambda

    wrap("services.eventbridge", "_dispatch_to_lambda", retried)
