"""Records each event, and reports which calls its role does not allow."""

import json
import os
import sys
import time
from typing import Any

import boto3
from botocore.exceptions import ClientError

STARTED = time.time()
TABLE = boto3.resource("dynamodb").Table(os.environ["TABLE"])


def lambda_handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Store every event under an id that a test can query."""
    for record in event.get("Records", [{"body": json.dumps(event)}]):
        detail = json.loads(record["body"]).get("detail", {})
        kept = detail.get("clusterId") or detail.get("object", {}).get("key")
        if kept:
            TABLE.put_item(Item={"id": kept, "at": str(time.time())})
    sys.stdout.write(json.dumps({"greeting": os.environ["GREETING"]}) + "\n")
    try:
        TABLE.delete_item(Key={"id": "none"})
    except ClientError as error:
        return {"refused": error.response["Error"]["Message"], "started": STARTED}
    return {"refused": None, "started": STARTED}
