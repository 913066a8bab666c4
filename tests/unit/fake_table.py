"""A table that takes and refuses writes as DynamoDB does, for the conditions of the repository."""

from collections import Counter
from collections.abc import Callable
from copy import deepcopy
from typing import Any

from botocore.exceptions import ClientError


class FakeTable:
    """Stands for boto3's client; knows the conditions of the repository."""

    def __init__(self) -> None:
        self.items: dict[tuple[str, str], dict[str, Any]] = {}
        self.calls: list[str] = []
        self.failure: Exception | None = None
        self.before_put: list[Callable[[], object]] = []
        """What others do just before the next writes, each once."""

    @property
    def counts(self) -> dict[str, int]:
        return dict(Counter(self.calls))

    def query(self, **request: Any) -> dict[str, Any]:  # noqa: ANN401 - boto3's own words
        self._called("Query")
        wanted = {n: v["S"] for n, v in request["ExpressionAttributeValues"].items()}
        match request["KeyConditionExpression"]:
            case "pk = :pk AND sk < :history":
                assert request["ConsistentRead"], "what was just written may be missing"
                found = [
                    k for k in self.items if k[0] == wanted[":pk"] and k[1] < wanted[":history"]
                ]
            case "pk = :pk AND begins_with(sk, :history)":
                start = wanted[":history"]
                found = [k for k in self.items if k[0] == wanted[":pk"] and k[1].startswith(start)]
            case "pk = :pk AND begins_with(sk, :arn)":
                assert request["ConsistentRead"], "what was just written may be missing"
                start = wanted[":arn"]
                found = [k for k in self.items if k[0] == wanted[":pk"] and k[1].startswith(start)]
            case "pk = :pk AND sk = :sk":
                assert request["ConsistentRead"], "what was just written may be missing"
                found = [k for k in self.items if k == (wanted[":pk"], wanted[":sk"])]
            case "pk = :pk":
                assert request["ConsistentRead"], "what was just written may be missing"
                found = [k for k in self.items if k[0] == wanted[":pk"]]
            case "#open = :open":
                assert request["IndexName"] == "OpenFindings"
                found = [k for k in self.items if "open" in self.items[k]]
            case unknown:
                message = f"a condition that this does not know: {unknown}"
                raise AssertionError(message)
        return {"Items": [deepcopy(self.items[key]) for key in sorted(found)]}

    def get_item(self, **request: Any) -> dict[str, Any]:  # noqa: ANN401
        self._called("GetItem")
        item = self.items.get((request["Key"]["pk"]["S"], request["Key"]["sk"]["S"]))
        return {"Item": deepcopy(item)} if item else {}

    def batch_get_item(self, **request: Any) -> dict[str, Any]:  # noqa: ANN401
        """Read half of the items at a time, as DynamoDB may."""
        self._called("BatchGetItem")
        [(table, asked)] = request["RequestItems"].items()
        keys = asked["Keys"]
        assert 0 < len(keys) <= 100
        now, later = keys[: (len(keys) + 1) // 2], keys[(len(keys) + 1) // 2 :]
        places = [(key["pk"]["S"], key["sk"]["S"]) for key in now]
        found = [deepcopy(self.items[place]) for place in places if place in self.items]
        return {
            "Responses": {table: found},
            "UnprocessedKeys": {table: {"Keys": later}} if later else {},
        }

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
            case "attribute_not_exists(pk) OR execution IN (:mine, :former)":
                values = request["ExpressionAttributeValues"].values()
                held = there is None or there["execution"] in values
            case "attribute_not_exists(pk) OR stored_at < :stored_at":
                stored_at = request["ExpressionAttributeValues"][":stored_at"]["S"]
                held = there is None or there["stored_at"]["S"] < stored_at
            case "attribute_not_exists(pk) OR #problem <> :problem OR #until <= :now":
                wanted = request["ExpressionAttributeValues"]
                held = (
                    there is None
                    or there["problem"] != wanted[":problem"]
                    or there["until"]["S"] <= wanted[":now"]["S"]
                )
            case "attribute_not_exists(pk) OR #until <= :now":
                now = request["ExpressionAttributeValues"][":now"]["S"]
                held = there is None or there["until"]["S"] <= now
            case unknown:
                message = f"a condition that this does not know: {unknown}"
                raise AssertionError(message)
        if not held:
            code = "ConditionalCheckFailedException"
            raise ClientError({"Error": {"Code": code, "Message": "it fails"}}, "PutItem")
        self.items[key] = deepcopy(item)
        return {}

    def delete_item(self, **request: Any) -> dict[str, Any]:  # noqa: ANN401
        self._called("DeleteItem")
        self.items.pop((request["Key"]["pk"]["S"], request["Key"]["sk"]["S"]), None)
        return {}

    def _called(self, operation: str) -> None:
        self.calls.append(operation)
        if self.failure:
            raise self.failure
