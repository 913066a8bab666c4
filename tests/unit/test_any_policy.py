"""Whatever is stored is a policy, or each problem of it is named by its field."""

import json
import re
from copy import deepcopy
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from emr_log_guard.errors import InvalidPolicyError
from emr_log_guard.policy_document import parse_policy
from tests.unit.builders import TODAY
from tests.unit.test_policy_document import JSON, VALUES, WHOLE, places

PLACED = re.compile(r".*: \S|[A-Za-z`]", re.DOTALL)


@st.composite
def mutated(draw: st.DrawFn) -> str:
    """Change a policy in a few places, at times also its text."""
    document = json.loads(WHOLE)
    for _ in range(draw(st.integers(0, 4))):
        place: dict[str, Any] = draw(st.sampled_from([*places(document)]))
        name = draw(st.sampled_from([*place, "another"]))
        if draw(st.booleans()):
            place[name] = deepcopy(draw(VALUES | JSON))
        else:
            place.pop(name, None)
    text = json.dumps(document)
    if draw(st.booleans()):
        return text
    start = draw(st.integers(0, len(text)))
    return text[:start] + draw(st.text(max_size=3)) + text[start + draw(st.integers(0, 5)) :]


@given(mutated() | JSON.map(json.dumps) | st.text() | st.text(st.characters(categories=["Cs"])))
def test_any_stored_document_is_a_policy_or_has_problems_with_positions(text: str) -> None:
    try:
        policy = parse_policy(text, TODAY)
    except InvalidPolicyError as error:
        problems = error.problems
    else:
        # What is written again without its layout says the same.
        again = json.dumps(json.loads(text), sort_keys=True, separators=(",", ":"))
        assert parse_policy(again, TODAY) == policy
        assert not policy.enforcement.allowed
        assert not policy.suspended
        return
    assert problems
    for problem in problems:
        assert PLACED.match(problem), problem
