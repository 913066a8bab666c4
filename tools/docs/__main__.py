"""Writes the pages: `python -m tools.docs`."""

import sys

from tools.docs.pages import PAGES, ROOT


def main() -> None:
    """Write each page that changed, and name it."""
    for path, make in PAGES.items():
        page = ROOT / path
        text = make()
        if not page.exists() or page.read_text() != text:
            page.write_text(text)
            sys.stdout.write(f"{path}\n")


if __name__ == "__main__":
    main()
