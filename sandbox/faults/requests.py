"""The service and operation of a signed HTTP request, and the error format of each protocol.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-signing-elements.html
https://smithy.io/2.0/aws/protocols/index.html
"""

import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs

from sandbox.faults.fault import Call

_CREDENTIAL = re.compile(r"Credential=([^/]+)/\d{8}/[^/]+/([^/]+)/aws4_request")
FORM = "application/x-www-form-urlencoded"


def headers_of(scope: Mapping[str, Any]) -> dict[str, str]:
    """The headers of a request, with names in lower case."""
    return {name.decode().lower(): value.decode("latin-1") for name, value in scope["headers"]}


def access_key_of(headers: Mapping[str, str]) -> str | None:
    """The access key that signed a request; None if it is unsigned."""
    signed = _CREDENTIAL.search(headers.get("authorization", ""))
    return signed[1] if signed else None


def call_of(method: str, path: str, headers: Mapping[str, str], body: bytes) -> Call:
    """The call that a signed request makes."""
    signed = _CREDENTIAL.search(headers["authorization"])
    if target := headers.get("x-amz-target"):
        operation = target.rpartition(".")[2]
    elif headers.get("content-type", "").startswith(FORM):
        operation = parse_qs(body.decode()).get("Action", [""])[0]
    else:
        operation = f"{method} {path}"
    return Call(signed[1] if signed else "", signed[2] if signed else "", operation)


def error(
    service: str, headers: Mapping[str, str], code: str
) -> tuple[list[tuple[bytes, bytes]], bytes]:
    """The headers and body of an error in the service's protocol."""
    message = "Injected by the sandbox."
    if service == "s3":
        body = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>"
        kind = "application/xml"
    elif headers.get("content-type", "").startswith(FORM):
        body = (
            f"<ErrorResponse><Error><Type>Receiver</Type><Code>{code}</Code>"
            f"<Message>{message}</Message></Error><RequestId>0</RequestId></ErrorResponse>"
        )
        kind = "text/xml"
    else:
        body = json.dumps({"__type": code, "message": message})
        kind = "application/x-amz-json-1.1"
    given = {"content-type": kind, "x-amzn-errortype": code, "content-length": str(len(body))}
    return [(name.encode(), value.encode()) for name, value in given.items()], body.encode()
