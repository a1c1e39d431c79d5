"""What setup.cfg cannot say: README's links, as they have to read on a package index.

The index shows README without the checkout around it, so links and pictures that are relative to
the checkout lead nowhere there. Here they get the address of the code host (`project_urls`,
"Source", in setup.cfg) and the tag of the release. Without an address they stay as they are, and
`make release-check` says so.
"""

from __future__ import annotations

import configparser
import pathlib
import re

import setuptools

HERE = pathlib.Path(__file__).resolve().parent
PICTURES = (".gif", ".jpg", ".png", ".svg", ".webp")

# Links and pictures of Markdown, its references, and attributes of HTML. `//` begins an address.
_RELATIVE = re.compile(
    r"""(?P<before>\]\(|^\[[^\]\n]+\]: +|\b(?:href|src|srcset)=["'])"""
    r"""(?![a-z][a-z0-9+.-]*:|//)(?P<target>[^)\s"']+)""",
    re.MULTILINE,
)
_CODE = re.compile(r"(^```.*?^```$|`[^`\n]+`)", re.MULTILINE | re.DOTALL)


def with_absolute_links(text: str, source: str, tag: str) -> str:
    """Returns Markdown whose relative links lead to files of a tag on a code host.

    Args:
        text: The Markdown. Links in code are left as they are.
        source: Address of the repository, laid out as GitHub's are.
        tag: A tag or branch.

    Example:
        >>> with_absolute_links("[docs](docs/a.md#b)", "https://host/us/it", "v1.0")
        '[docs](https://host/us/it/blob/v1.0/docs/a.md#b)'
        >>> with_absolute_links("![gate](docs/gate.png)", "https://host/us/it", "v1.0")
        '![gate](https://host/us/it/raw/v1.0/docs/gate.png)'
    """

    def absolute(link: re.Match[str]) -> str:
        target = link["target"]
        if target.startswith("#"):
            return f"{link['before']}{source}/blob/{tag}/README.md{target}"
        kind = "raw" if target.lower().endswith(PICTURES) else "blob"
        return f"{link['before']}{source}/{kind}/{tag}/{target}"

    parts = _CODE.split(text)  # Text and code, in turn.
    parts[::2] = [_RELATIVE.sub(absolute, part) for part in parts[::2]]
    return "".join(parts)


def source_address() -> str | None:
    """Returns the address of the code host that setup.cfg names, or None."""
    config = configparser.ConfigParser()
    config.read(HERE / "setup.cfg", encoding="utf-8")
    urls = config.get("metadata", "project_urls", fallback="")
    found = re.search(r"^\s*Source\s*=\s*(\S+?)/?\s*$", urls, re.MULTILINE)
    return found[1] if found else None


def long_description() -> str:
    """Returns the text that the package index shows."""
    readme = (HERE / "README.md").read_text(encoding="utf-8")
    package = (HERE / "tfx_wine_ext" / "__init__.py").read_text(encoding="utf-8")
    [version] = re.findall(r'^__version__ = "(.+)"$', package, re.MULTILINE)
    source = source_address()
    return with_absolute_links(readme, source, f"v{version}") if source else readme


if __name__ == "__main__":
    setuptools.setup(long_description=long_description())
