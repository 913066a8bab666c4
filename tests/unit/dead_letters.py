"""Messages as they lie in a dead-letter queue, made from the project's real events."""

import json
from pathlib import Path
from typing import Any

EVENTS = Path(__file__).resolve().parents[2] / "events"
CLUSTER_ARN = "arn:aws:elasticmapreduce:eu-west-1:111122223333:cluster/j-2AXXXXXXGAPLF"
REQUEST = json.dumps({"schema": "emr-log-guard/enforcement/1", "cluster_arn": CLUSTER_ARN})


def event(name: str) -> Any:  # noqa: ANN401 - any JSON
    """Read one of the project's events."""
    return json.loads((EVENTS / f"{name}.json").read_text())


CLUSTER_EVENT = event("emr-cluster-state-change-starting")
OBJECT_EVENT = event("s3-object-created-log")
NOTIFICATION = event("sns-alert")["Records"][0]["Sns"]


def failed(payload: object, **answer: object) -> str:
    """Write what Lambda keeps of an asynchronous invocation that failed for good.

    https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html
    """
    return json.dumps(
        {
            "version": "1.0",
            "timestamp": "2026-03-14T15:10:00.000Z",
            "requestContext": {
                "requestId": "e4b46cbf-b738-xmpl-8880-a18cdf61200e",
                "functionArn": "arn:aws:lambda:eu-west-1:111122223333:function:check:$LATEST",
                "condition": "RetriesExhausted",
                "approximateInvokeCount": 3,
            },
            "requestPayload": payload,
        }
        | ({"responsePayload": answer} if answer else {})
    )
