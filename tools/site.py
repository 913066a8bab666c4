"""Makes the pages outside docs/ part of the site: README and its neighbours, and lists of folders.

MkDocs calls these functions by their names: https://www.mkdocs.org/user-guide/configuration/#hooks
"""

import posixpath
import re
from pathlib import Path
from typing import TYPE_CHECKING

from mkdocs.structure.files import File  # type: ignore[import-not-found]

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig  # type: ignore[import-not-found]
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page  # type: ignore[import-not-found]

ROOT = Path(__file__).resolve().parents[1]
PAGES = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security.md",
    "CHANGELOG.md": "changelog.md",
    "LICENSE": "LICENSE.txt",
    "events/sns-alert.json": "sns-alert.json",
    "tools/many_accounts/hub.yaml": "hub.yaml",
}
"""Files outside docs/ that pages link to, and where they are on the site."""
FOLDERS = {"docs/runbooks": "Runbooks", "docs/adr": "Decision records"}
"""Folders that pages link to, and the titles of their lists."""

_BADGE = re.compile(r"^\[!\[.*\n", re.MULTILINE)
"""A line of README that GitHub shows as an image of the repository's state."""
_LINK = re.compile(r"(\]\()([^)\s#]+)")


def on_config(config: "MkDocsConfig") -> "MkDocsConfig":
    """Have the navigation end with the pages of each folder."""
    for folder, title in FOLDERS.items():
        under = folder.removeprefix("docs/")
        names = sorted(page.name for page in (ROOT / folder).glob("*.md"))
        config.nav += [{title: [f"{under}/{name}" for name in ["index.md", *names]]}]
    return config


def on_files(files: "Files", config: "MkDocsConfig") -> "Files":
    """Add the files outside docs/, and a list of the pages of each folder."""
    for source, target in PAGES.items():
        text = _BADGE.sub("", (ROOT / source).read_text())
        files.append(File.generated(config, target, content=_moved(text, source, target)))
    for folder, title in FOLDERS.items():
        names = sorted(page.name for page in (ROOT / folder).glob("*.md"))
        lines = [f"- [{_title(ROOT / folder / name)}]({name})" for name in names]
        content = "\n".join([f"# {title}", "", *lines, ""])
        target = f"{folder.removeprefix('docs/')}/index.md"
        files.append(File.generated(config, target, content=content))
    return files


def on_page_markdown(markdown: str, page: "Page", **_: object) -> str:
    """Lead the links of a page in docs/ to where their targets are on the site."""
    if page.file.generated_by:
        return markdown
    return _moved(markdown, f"docs/{page.file.src_uri}", page.file.src_uri)


def _moved(text: str, source: str, target: str) -> str:
    """Rewrite a page's relative links, as it moves from a path of the repository to the site."""

    def link(found: re.Match[str]) -> str:
        start, path = found.groups()
        if re.match(r"[a-z]+:", path):
            return found[0]
        to = posixpath.normpath(posixpath.join(posixpath.dirname(source), path))
        if to in FOLDERS:
            to += "/index.md"
        moved = PAGES.get(to, to.removeprefix("docs/"))
        return start + posixpath.relpath(moved, posixpath.dirname(target) or ".")

    return _LINK.sub(link, text) if source.endswith(".md") else text


def _title(page: Path) -> str:
    return page.read_text().partition("\n")[0].removeprefix("# ")
