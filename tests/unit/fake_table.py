"""A table that takes and refuses writes as DynamoDB does, for what the ledger asks of it."""

from collections import Counter
from collections.abc import Callable
from copy import deepcopy
from typing import Any

from botocore.exceptions import ClientError


class FakeTable:
    """Stands for boto3's client; knows the two conditions that the ledger writes with."""

    def __init__(self) -> None:
        self.items: dict[tuple[str, str], dict[str, Any]] = {}
        self.calls: list[str] = []
        self.failure: Exception | None = None
        self.before_put: list[Callable[[], None]] = []
        """What others do just before the next writes, each once."""

    @property
    def counts(self) -> dict[str, int]:
        return dict(Counter(self.calls))

    def query(self, **request: Any) -> dict[str, Any]:  # noqa: ANN401 - boto3's own words
        self._called("Query")
        pk = request["ExpressionAttributeValues"][":pk"]["S"]
        return {"Items": [deepcopy(self.items[key]) for key in sorted(self.items) if key[0] == pk]}

    def get_item(self, **request: Any) -> dict[str, Any]:  # noqa: ANN401
        self._called("GetItem")
        item = self.items.get((request["Key"]["pk"]["S"], request["Key"]["sk"]["S"]))
        return {"Item": deepcopy(item)} if item else {}

    def put_item(self, **request: Any) -> dict[str, Any]:  # noqa: ANN401
        self._called("PutItem")
        if self.before_put:
            self.before_put.pop()()
        item = request["Item"]
        key = item["pk"]["S"], item["sk"]["S"]
        there = self.items.get(key)
        match request.get("ConditionExpression"):
            case None:
                held = True
            case "attribute_not_exists(pk)":
                held = there is None
            case "#version = :version":
                wanted = request["ExpressionAttributeValues"][":version"]
                held = there is not None and there["version"] == wanted
            case unknown:
                message = f"a condition that this does not know: {unknown}"
                raise AssertionError(message)
        if not held:
            code = "ConditionalCheckFailedException"
            raise ClientError({"Error": {"Code": code, "Message": "it fails"}}, "PutItem")
        self.items[key] = deepcopy(item)
        return {}

    def _called(self, operation: str) -> None:
        self.calls.append(operation)
        if self.failure:
            raise self.failure
