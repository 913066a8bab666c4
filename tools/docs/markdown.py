"""Markdown, as far as the pages need it."""

from collections.abc import Iterable, Sequence

MADE = "<!-- Made from the code by `make docs`: change the code, not this page. -->"


def page(title: str, *parts: str) -> str:
    """Put a page together."""
    return "\n\n".join((MADE, f"# {title}", *(part for part in parts if part))) + "\n"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Write a table. What is special in a cell is escaped, a line's end becomes a space."""
    lines = [head, ["---"] * len(head), *([_cell(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def code(text: str) -> str:
    """Write a value as it is typed; nothing as the word empty."""
    return f"`{text}`" if text else "empty"


def codes(values: Iterable[object]) -> str:
    """Write some values."""
    return ", ".join(code(str(value)) for value in values)


def sentence(text: str) -> str:
    """Begin with a capital letter and end with a full stop."""
    text = " ".join(text.split())
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", ":")) else ".") if text else ""


def _cell(text: str) -> str:
    parts = " ".join(text.split()).replace("|", "\\|").split("`")
    # Every second part is code, where nothing but the bar is special.
    return "`".join(p if i % 2 else p.replace("<", "&lt;") for i, p in enumerate(parts))
