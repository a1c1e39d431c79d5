"""A hook of MkDocs: the documents in the top folder are pages of the site, too.

Code hosts, PyPI and people look for them in the top folder, and MkDocs takes pages only from
`docs/`. Copies would grow apart, so the files themselves become pages, with their links as a page
of `docs/` would write them; and links of other pages to them lead to these pages.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

PAGES = {
    "CHANGELOG.md": "changelog.md",
    "CODE_OF_CONDUCT.md": "code-of-conduct.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security.md",
}
"""The files in the top folder, and what their pages are called."""


def links_from_the_top(text: str) -> str:
    """Turns the links of a file in the top folder into those of a page in `docs/`.

    Example:
        >>> links_from_the_top("[a](docs/adr/README.md#b), [c](https://example.com/docs/d.md)")
        '[a](adr/README.md#b), [c](https://example.com/docs/d.md)'
        >>> links_from_the_top("[ours](SECURITY.md#secrets)")
        '[ours](security.md#secrets)'
    """
    text = re.sub(r"\]\(docs/", "](", text)
    for file, page in PAGES.items():
        text = text.replace(f"]({file}", f"]({page}")
    return text


def links_to_the_top(text: str) -> str:
    """Turns links of a page in `docs/` to the files in the top folder into links to their pages.

    Example:
        >>> links_to_the_top("[how](../CONTRIBUTING.md#add-a-component), [a](../../CHANGELOG.md)")
        '[how](contributing.md#add-a-component), [a](../changelog.md)'
    """
    for file, page in PAGES.items():
        text = re.sub(rf"\]\(((?:\.\./)*)\.\./{re.escape(file)}", rf"](\1{page}", text)
    return text


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Adds the pages."""
    from mkdocs.structure.files import File

    top = Path(config.config_file_path).parent
    for file, page in PAGES.items():
        text = links_from_the_top((top / file).read_text(encoding="utf-8"))
        files.append(File.generated(config, page, content=text))
    return files


def on_page_markdown(markdown: str, *, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Mends the links of every page."""
    return links_to_the_top(markdown)
