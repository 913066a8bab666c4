"""Access to MiniStack's internals, for all patches. It restores nothing. Upstream: no.

MiniStack has no public hooks. Every name is resolved when the account starts: if a MiniStack
version has renamed something, the start fails with a message instead of running without the patch.
"""

from collections.abc import Callable
from importlib import import_module
from typing import Any

type Response = tuple[int, dict[str, str], bytes]
"""The response of a MiniStack handler: status, headers, body."""


class HookMissingError(Exception):
    """MiniStack has no such name: it is not the version that the patches were written for."""


def part(module: str, name: str) -> Any:  # noqa: ANN401 - MiniStack is untyped
    """Return the object called `name` in `ministack.<module>`.

    Raises:
        HookMissingError: MiniStack has no such module or name.
    """
    try:
        return getattr(import_module(f"ministack.{module}"), name)
    except (AttributeError, ModuleNotFoundError) as error:
        message = (
            f"ministack.{module}.{name} does not exist: see requirements/sandbox.in for the version"
        )
        raise HookMissingError(message) from error


def wrap(
    module: str, name: str, corrected: Callable[[Callable[..., Any]], Callable[..., Any]]
) -> None:
    """Replace the function `name` of `ministack.<module>` with `corrected(the original)`."""
    replace(module, name, corrected)


def replace(module: str, name: str, corrected: Callable[[Any], Any]) -> None:
    """Replace any other object `name` of `ministack.<module>` in the same way."""
    original = part(module, name)
    setattr(import_module(f"ministack.{module}"), name, corrected(original))


def handle_emr(action: str, handler: Callable[[dict[str, Any]], Response]) -> None:
    """Set the handler of one action of the EMR API, in MiniStack's dictionary of handlers."""
    handlers: dict[str, Any] = part("services.emr", "_HANDLERS")
    handlers[action] = handler


def original_emr(action: str) -> Callable[[dict[str, Any]], Response]:
    """The current handler of `action` of the EMR API."""
    try:
        handler: Callable[[dict[str, Any]], Response] = part("services.emr", "_HANDLERS")[action]
    except KeyError as error:
        message = f"MiniStack does not implement {action} of the EMR API"
        raise HookMissingError(message) from error
    return handler


def settle_provisioned(kind: str, settle: Callable[[str, dict[str, Any]], None]) -> None:
    """Call `settle` with the physical id and the properties of each resource of type `kind`.

    It is called whenever a stack has created or updated one.
    """
    handlers: dict[str, Any] = part("services.cloudformation.provisioners", "_RESOURCE_HANDLERS")[
        kind
    ]
    create, update = handlers["create"], handlers["update"]

    def create_and_settle(logical_id: str, properties: dict[str, Any], stack: str) -> Any:  # noqa: ANN401
        created = create(logical_id, properties, stack)
        settle(created[0], properties)
        return created

    def update_and_settle(
        physical_id: str,
        old: dict[str, Any],
        new: dict[str, Any],
        *rest: Any,  # noqa: ANN401 - passed on
        **more: Any,  # noqa: ANN401
    ) -> Any:  # noqa: ANN401 - MiniStack is untyped
        updated = update(physical_id, old, new, *rest, **more)
        settle(updated[0], new)
        return updated

    handlers |= {"create": create_and_settle, "update": update_and_settle}


def answer(body: dict[str, Any]) -> Response:
    """A successful response of a JSON service."""
    response: Response = part("core.responses", "json_response")(body)
    return response


def refuse(code: str, message: str) -> Response:
    """An error response of a JSON service, with status 400."""
    response: Response = part("core.responses", "error_response_json")(code, message, 400)
    return response


def account_and_region() -> tuple[str, str]:
    """The account and Region of the current request."""
    account: str = part("core.responses", "get_account_id")()
    region: str = part("core.responses", "get_region")()
    return account, region


def allowed(
    headers: dict[str, str],
    action: str,
    arn: str,
    query: dict[str, Any] | None = None,
    context: dict[str, str] | None = None,
) -> bool:
    """Whether IAM and the resource's own policy allow a request's caller `action` on `arn`.

    The context contains the request's condition keys, in lower case.

    A call from one of the account's own services carries no credentials and is allowed.
    """
    access_key = part("core.router", "extract_access_key_id")(headers, query or {})
    if not access_key:
        return True
    _, region = account_and_region()
    service = action.partition(":")[0]
    denied = part("core.iam_evaluator", "enforce")(
        access_key, action, service, region, resource_arn=arn, service_context=context
    )
    return denied is None


def unusable(key: dict[str, Any]) -> tuple[str, str] | None:
    """KMS's error code and message for a key that is not enabled, or None."""
    if key["KeyState"] == "Enabled":
        return None
    if key["KeyState"] == "Disabled":
        return "Disabled", f"{key['Arn']} is disabled."
    return "InvalidState", f"{key['Arn']} is {key['KeyState']}."


def aws_managed(key: dict[str, Any]) -> bool:
    """Whether a key is AWS-managed: its service uses it for every principal of the account."""
    manager: str = part("services.kms", "_key_metadata")(key)["KeyManager"]
    return manager == "AWS"
