"""Options that several commands share."""

from typing import Annotated

import typer

DEFAULT_STACK = "emr-log-guard"

Stack = Annotated[str, typer.Option(help="The guard's stack.")]
Parameter = Annotated[
    str | None, typer.Option(help="The SSM parameter that holds the policy, instead of --stack.")
]
