"""Record and count the API calls that an account answers, those of its functions included."""

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qs

EMR = "ElasticMapReduce"
"""EMR, as its protocol names it."""
THROTTLED = "ThrottlingException"

type Application = Callable[..., Awaitable[None]]


def noting(app: Application, file: Path) -> Application:
    """Make an ASGI application write one line per call that uses AWS's JSON protocol, or S3's.

    The JSON protocol names the operation in a header; others name it in the body or not at all.
    https://smithy.io/2.0/aws/protocols/aws-json-1_1-protocol.html
    """
    lines = file.open("a", buffering=1)

    async def answer(
        scope: dict[str, Any], receive: object, send: Callable[..., Awaitable[None]]
    ) -> None:
        headers = dict(scope.get("headers", ()))
        target = headers.get(b"x-amz-target", b"").decode()
        if b"/s3/aws4_request" in headers.get(b"authorization", b""):
            target = _s3_operation(scope)

        async def note(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.start":
                error = dict(message["headers"]).get(b"x-amzn-errortype", b"").decode()
                lines.write(f"{target} {message['status']} {error}".rstrip() + "\n")
            await send(message)

        await app(scope, receive, note if target else send)

    return answer


def _s3_operation(scope: Mapping[str, Any]) -> str:
    """Name an operation on an object by its request, empty if it is another one.

    https://docs.aws.amazon.com/AmazonS3/latest/API/API_Operations_Amazon_Simple_Storage_Service.html
    """
    _, _, key = scope["path"].lstrip("/").partition("/")
    query = parse_qs(scope["query_string"].decode(), keep_blank_values=True)
    changes_key = "encryption" in query
    match scope["method"]:
        case "HEAD" if key:
            return "S3.HeadObject"
        case "PUT" if key and changes_key:
            return "S3.UpdateObjectEncryption"
        case "PUT" if key and not query.keys() - {"x-id"}:
            return "S3.PutObject"
        case _:
            return ""


def answered(file: Path) -> Counter[str]:
    """Count the calls so far, by operation, status and error code if there is one.

    Such as `ElasticMapReduce.ListSteps 200`, `ElasticMapReduce.ListSteps 400 ThrottlingException`.
    """
    return Counter(file.read_text().splitlines())


@dataclass(frozen=True, slots=True)
class EmrCalls:
    """Calls to EMR by action."""

    answered: Counter[str]
    """Those with an answer, which may be an error about the request."""
    refused: Counter[str]
    """Those above a quota."""

    def __sub__(self, earlier: Self) -> Self:
        """The calls since an earlier count."""
        return type(self)(self.answered - earlier.answered, self.refused - earlier.refused)


def emr_calls(file: Path) -> EmrCalls:
    """Count the calls to EMR so far."""
    made, refused = Counter[str](), Counter[str]()
    for line, count in answered(file).items():
        target, *result = line.split()
        service, _, action = target.partition(".")
        if service == EMR:
            (refused if THROTTLED in result else made)[action] += count
    return EmrCalls(made, refused)
