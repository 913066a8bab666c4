"""Whatever EMR leaves out of an answer, or sends as null: its model requires next to nothing."""

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import boto3
import botocore.session
import pytest
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from botocore.model import ListShape, MapShape, Shape, StringShape, StructureShape
from hypothesis import given
from hypothesis import strategies as st

from emr_log_guard.adapters.emr import EmrClusters
from emr_log_guard.domain.clusters import Cluster, ClusterSummary, Session, Step
from emr_log_guard.domain.unresolved import Unresolved
from emr_log_guard.errors import NotReadableError
from tests.unit.builders import CLUSTER_ID, a_cluster

MODEL = botocore.session.get_session().get_service_model("emr")
CALLS = ("DescribeCluster", "ListClusters", "ListSteps", "ListSessions")
NEEDED = {
    "DescribeCluster": {"Cluster", "ClusterArn", "Status", "State"},
    "ListClusters": {"Id", "ClusterArn"},
    "ListSteps": {"Id"},
    "ListSessions": set[str](),
}
"""What nothing can be said without, but that EMR's model does not require."""
SAID: dict[str, Any] = {"ClusterArn": a_cluster().arn, "State": "RUNNING", "Id": CLUSTER_ID}

type Path = tuple[str | int, ...]


def filled(shape: Shape | None, name: str = "", depth: int = 0) -> Any:  # noqa: ANN401 - JSON
    """Fill in all that an answer of a shape may have."""
    match shape:
        case StructureShape():
            deeper = {
                each: filled(member, each, depth + 1)
                for each, member in shape.members.items()
                if depth < 8 and each not in ("Marker", "NextToken")
            }
            return {each: value for each, value in deeper.items() if value is not None}
        case ListShape():
            return [filled(shape.member, name, depth + 1)]
        case MapShape():
            keys = shape.key.enum if isinstance(shape.key, StringShape) else []
            return {key: filled(shape.value, name, depth + 1) for key in keys or ["key"]}
        case StringShape():
            return SAID.get(name) or (shape.enum[0] if shape.enum else "arn:aws:kms:x")
        case Shape(type_name="boolean"):
            return True
        case Shape():
            return 1
        case _:
            return None


def optional(shape: Shape | None, whole: Any, at: Path = ()) -> Iterator[Path]:  # noqa: ANN401
    """Name each part that may be absent or null, outermost first."""
    match shape:
        case StructureShape():
            for each, member in shape.members.items():
                if each in whole:
                    if each not in shape.required_members:
                        yield (*at, each)
                    yield from optional(member, whole[each], (*at, each))
        case ListShape():
            yield (*at, 0)
            yield from optional(shape.member, whole[0], (*at, 0))
        case MapShape():
            for key in whole:
                yield (*at, key)
                yield from optional(shape.value, whole[key], (*at, key))
        case _:
            pass


def without(whole: Any, gone: Sequence[tuple[Path, bool]]) -> Any:  # noqa: ANN401
    """Drop parts of an answer, or set them to null."""
    whole = json.loads(json.dumps(whole))
    for path, null in gone:
        part = whole
        for step in path[:-1]:
            part = part[step] if _has(part, step) else None
        if not _has(part, path[-1]):
            continue
        if null or isinstance(part, list):
            part[path[-1]] = None
        else:
            del part[path[-1]]
    return whole


def _has(part: Any, step: str | int) -> bool:  # noqa: ANN401
    return step in part if isinstance(part, dict) else isinstance(part, list) and bool(part)


class Emr:
    """An EMR that answers what it is to answer, be it null."""

    def __init__(self) -> None:
        self.answer: dict[str, Any] = {}
        client = boto3.client("emr")
        respond: Callable[..., Any] = self._respond  # what it returns is taken for AWS's answer
        client.meta.events.register_first("before-call.*.*", respond)
        self.clusters = EmrClusters(client)

    def _respond(self, **_: object) -> tuple[AWSResponse, dict[str, Any]]:
        answered = AWSResponse("https://emr.invalid", 200, HTTPHeaders(), None)
        return answered, self.answer | {"ResponseMetadata": {}}

    def ask(self, call: str) -> object:
        match call:
            case "DescribeCluster":
                return self.clusters.describe(CLUSTER_ID)
            case "ListClusters":
                return tuple(self.clusters.summaries(["RUNNING"]))
            case "ListSteps":
                return self.clusters.steps(CLUSTER_ID)
            case _:
                return self.clusters.sessions(CLUSTER_ID)


WHOLE = {call: filled(MODEL.operation_model(call).output_shape) for call in CALLS}
OPTIONAL = {
    call: [*optional(MODEL.operation_model(call).output_shape, WHOLE[call])] for call in CALLS
}


def is_readable(answer: object) -> bool:
    kinds = (Cluster, ClusterSummary, Step, Session)
    return isinstance(answer, (Cluster, tuple)) and all(
        isinstance(each, kinds) for each in (answer if isinstance(answer, tuple) else (answer,))
    )


@pytest.mark.parametrize("call", CALLS)
def test_complete_answer_is_read(call: str) -> None:
    emr = Emr()
    emr.answer = WHOLE[call]
    answer = emr.ask(call)

    assert is_readable(answer)
    assert answer
    assert OPTIONAL[call]


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("null", [False, True], ids=["absent", "null"])
def test_each_optional_field_may_be_absent_or_null(call: str, null: bool) -> None:  # noqa: FBT001
    emr = Emr()
    for path in OPTIONAL[call]:
        emr.answer = without(WHOLE[call], [(path, null)])
        assert_answered(emr, call, {path[-1]})


@pytest.mark.parametrize("call", CALLS)
def test_any_combination_of_optional_fields_may_be_absent_or_null(call: str) -> None:
    emr = Emr()

    @given(st.lists(st.tuples(st.sampled_from(OPTIONAL[call]), st.booleans()), max_size=12))
    def answered(gone: list[tuple[Path, bool]]) -> None:
        emr.answer = without(WHOLE[call], gone)
        assert_answered(emr, call, {path[-1] for path, _ in gone})

    answered()


def assert_answered(emr: Emr, call: str, gone: set[str | int]) -> None:
    """Ask; only where something needed is gone may the answer be that it cannot be read."""
    try:
        answer = emr.ask(call)
    except NotReadableError as error:
        answer = Unresolved(str(error))
    if isinstance(answer, Unresolved):
        assert NEEDED[call] & gone, answer
        assert f"elasticmapreduce:{call} answered without" in answer.reason
    else:
        assert is_readable(answer)
