import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import MAGIC_NUMBER
from pathlib import Path
from typing import Any

import pytest

from emr_log_guard.bootstrap.generated_methods import digest, use, written


@pytest.fixture
def generated() -> Iterator[list[str]]:
    """What dataclasses generate; compiled in this process as ever."""
    texts: list[str] = []

    def remember(text: str, *namespaces: dict[str, Any]) -> None:
        texts.append(text)
        exec(text, *namespaces)  # noqa: S102 - as dataclasses does

    vars(dataclasses)["exec"] = remember
    yield texts
    vars(dataclasses).pop("exec", None)


def an_instance() -> object:
    @dataclass(frozen=True, slots=True)
    class Place:
        name: str
        number: int = 3

    return Place("a")


def test_what_was_compiled_is_run(generated: list[str], tmp_path: Path) -> None:
    """A text that was compiled to something else shows which of the two is run."""
    assert repr(an_instance()).endswith("Place(name='a', number=3)")
    [text] = generated
    other = compile(text.replace("number={", "count={"), "<string>", "exec")
    (tmp_path / "file").write_bytes(written({digest(text): other}))

    use(tmp_path / "file")

    assert repr(an_instance()).endswith("Place(name='a', count=3)")


def test_what_was_not_compiled_is_compiled_as_ever(generated: list[str], tmp_path: Path) -> None:
    expected = repr(an_instance())
    (tmp_path / "file").write_bytes(written({digest("another"): compile("1", "", "exec")}))

    use(tmp_path / "file")

    assert repr(an_instance()) == expected
    assert len(generated) == 1  # not any more by what was there before


@pytest.mark.parametrize("content", [None, b"", bytes(len(MAGIC_NUMBER)) + b"\xff"])
def test_without_a_file_of_this_python_nothing_changes(
    generated: list[str], tmp_path: Path, content: bytes | None
) -> None:
    if content is not None:
        (tmp_path / "file").write_bytes(content)

    use(tmp_path / "file")

    an_instance()
    assert len(generated) == 1
