"""The pages of the documentation, and the command lines in them."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import tree_sitter_bash
from markdown_it import MarkdownIt
from tree_sitter import Language, Node, Parser

ROOT = Path(__file__).resolve().parents[2]
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
]

SHELL = {"bash", "console", "sh", "shell"}
"""The languages of a block that say: this is for a shell."""

_MARKDOWN = MarkdownIt("commonmark").enable("table")
_BASH = Parser(Language(tree_sitter_bash.language()))
_COMMAND_LIKE = re.compile(r"(aws|emr-log-guard|make|sam|python3? -m|\.venv/\S+) \S")


@dataclass(frozen=True, slots=True)
class Command:
    """One simple command of a page: `aws kms describe-key --key-id KEY` is one."""

    page: str
    line: int
    words: tuple[str, ...]
    whole: bool
    """Whether it is meant to be run as it stands: it is in a block, and not only spoken of."""

    def __str__(self) -> str:
        return f"{self.page}:{self.line}: {shlex.join(self.words)}"


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block, or a piece of code within a sentence."""

    page: str
    line: int
    language: str
    text: str
    inline: bool = False

    @property
    def where(self) -> str:
        """Name the place for a reader."""
        return f"{self.page}:{self.line}"

    @property
    def is_shell(self) -> bool:
        """Whether a shell is to run it."""
        return _COMMAND_LIKE.match(self.text) is not None if self.inline else self.language in SHELL

    @property
    def looks_like_shell(self) -> bool:
        """Whether one of its lines is a command, even if its language is not a shell."""
        return any(map(_COMMAND_LIKE.match, self.text.splitlines()))

    def is_sound(self) -> bool:
        """Whether a shell could parse it."""
        return not _BASH.parse(self.text.encode()).root_node.has_error

    def commands(self) -> Iterator[Command]:
        """Give each command in it, those within $( ) and pipes among them."""
        for node in _descendants(_BASH.parse(self.text.encode()).root_node):
            name = node.child_by_field_name("name")
            if node.type != "command" or name is None:
                continue
            words = (name, *node.children_by_field_name("argument"))
            line = self.line if self.inline else self.line + node.start_point.row + 1
            yield Command(self.page, line, tuple(map(_word, words)), not self.inline)

    def files_written(self) -> Iterator[str]:
        """Name the files that its redirections make."""
        for node in _descendants(_BASH.parse(self.text.encode()).root_node):
            target = node.child_by_field_name("destination")
            if node.type == "file_redirect" and target is not None:
                yield _word(target)


@cache
def blocks(page: Path) -> tuple[Block, ...]:
    """Give the code of a page, in its order."""
    return tuple(blocks_of(page.read_text(), str(page.relative_to(ROOT))))


def blocks_of(text: str, page: str) -> Iterator[Block]:
    """Give the code of a text in Markdown, in its order."""
    for token in _MARKDOWN.parse(text):
        line = token.map[0] + 1 if token.map else 0
        if token.type == "fence":
            yield Block(page, line, token.info.strip(), token.content)
        for part in token.children or ():
            if part.type == "code_inline":
                yield Block(page, line, "", part.content, inline=True)


@cache
def commands_of(page: Path) -> tuple[Command, ...]:
    """Give every command of a page that a shell is to run, and those that it speaks of."""
    return tuple(
        command for block in blocks(page) if block.is_shell for command in block.commands()
    )


def _descendants(node: Node) -> Iterator[Node]:
    for child in node.children:
        yield child
        yield from _descendants(child)


def _word(node: Node) -> str:
    """Give a word as the command would get it; what a shell fills in stays as it is written."""
    text = (node.text or b"").decode()
    try:
        words = shlex.split(text)
    except ValueError:
        return text
    return words[0] if len(words) == 1 else text
