"""Whatever arrives is read, or refused as an InvalidEventError: nothing else ever comes of it."""

import json
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emr_log_guard.errors import InvalidEventError
from emr_log_guard.events.emr import parse_cluster_event
from emr_log_guard.events.enforcement import parse_enforcement_request
from emr_log_guard.events.import_findings import parse_import
from emr_log_guard.events.kms import parse_key_event
from emr_log_guard.events.log_objects import parse_log_object_request
from emr_log_guard.events.published_alerts import parse_published_alerts
from emr_log_guard.events.replay import cause_of, parse_dead_letter, parse_replayable
from emr_log_guard.events.rescan import parse_finish, parse_plan, parse_shard
from emr_log_guard.events.review import parse_review
from emr_log_guard.events.s3 import parse_encryption_updated, parse_object_created
from emr_log_guard.events.sns import parse_alerts
from emr_log_guard.events.sqs import each_body

EVENTS = [
    json.loads(file.read_text())
    for file in sorted((Path(__file__).parents[3] / "events").glob("*.json"))
]


def parts(plain: Any) -> Iterator[dict[str, Any] | list[Any]]:  # noqa: ANN401 - any JSON
    """Give every object and list of a document."""
    if isinstance(plain, dict | list):
        yield plain
        for inner in plain.values() if isinstance(plain, dict) else plain:
            yield from parts(inner)


NAMES = sorted({n for e in EVENTS for part in parts(e) if isinstance(part, dict) for n in part})
JSON: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.text(st.characters(categories=["Cs", "Cc", "Ll"]), max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=4), inner, max_size=4)
    ),
    max_leaves=10,
)


@st.composite
def mutated(draw: st.DrawFn) -> Any:  # noqa: ANN401 - any JSON
    """Change an event in a few places, also in messages that are JSON in a string."""
    event = deepcopy(draw(st.sampled_from(EVENTS)))
    for _ in range(draw(st.integers(0, 3))):
        part = draw(st.sampled_from([*parts(event)]) if isinstance(event, dict) else st.just([]))
        if isinstance(part, dict):
            _change(draw, part, draw(st.sampled_from([*part, "another"])))
        elif part:
            _change(draw, part, draw(st.integers(0, len(part) - 1)))
    return event


def _change(draw: st.DrawFn, part: Any, place: Any) -> None:  # noqa: ANN401
    there = part[place] if isinstance(part, list) or place in part else None
    match draw(st.sampled_from(["value", "another event", "string", "inside", "away"])):
        case "value":
            part[place] = draw(JSON)
        case "another event":
            part[place] = deepcopy(draw(st.sampled_from(EVENTS)))
        case "string":
            part[place] = json.dumps(draw(JSON | st.sampled_from(EVENTS)))
        case "inside" if isinstance(there, str) and there.startswith("{"):
            inner = json.loads(there) if _is_json(there) else {}
            inner[draw(st.sampled_from([*inner, "another"]))] = draw(JSON)
            part[place] = json.dumps(inner)
        case _ if isinstance(part, list):
            part.pop(place)
        case _:
            part.pop(place, None)


def _is_json(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except ValueError:
        return False


ANYTHING = mutated() | JSON
PARSERS: Mapping[str, Callable[[Any], object]] = {
    "cluster": parse_cluster_event,
    "key": parse_key_event,
    "import": parse_import,
    "review": parse_review,
    "alerts": parse_alerts,
    "published alerts": parse_published_alerts,
    "plan": parse_plan,
    "shard": parse_shard,
    "finish": parse_finish,
    "replayable": parse_replayable,
    "batch": lambda event: each_body(event, str.upper),
}
TEXT_PARSERS: Mapping[str, Callable[[str], object]] = {
    "enforcement": parse_enforcement_request,
    "log object": parse_log_object_request,
    "object created": parse_object_created,
    "encryption updated": parse_encryption_updated,
    "dead letter": parse_dead_letter,
    "cause": lambda body: cause_of(body, {}),
}


def read[T](parse: Callable[[T], object], event: T) -> None:
    """Read it, or have it refused with a message; any other error flies."""
    try:
        parsed = parse(event)
    except InvalidEventError as error:
        said = str(error)
    else:
        said = getattr(parsed, "title", "what it is")
    assert said


@pytest.mark.parametrize("name", PARSERS)
@given(event=ANYTHING)
def test_any_event_is_parsed_or_rejected(name: str, event: object) -> None:
    read(PARSERS[name], event)


@pytest.mark.parametrize("name", TEXT_PARSERS)
@given(body=st.text() | st.text(st.characters(categories=["Cs", "Ll"])) | ANYTHING.map(json.dumps))
def test_any_message_is_parsed_or_rejected(name: str, body: str) -> None:
    read(TEXT_PARSERS[name], body)
