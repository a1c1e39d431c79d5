"""What the tests of the pages share: a page's parts, and how well its text can be read."""

from __future__ import annotations

import html
import html.parser
import re

# The lowest contrast of any text with the ground that it stands on, and that text (WCAG 1.4.3).
LOWEST_CONTRAST = """() => {
  const channels = (color) => color.match(/[\\d.]+/g).map(Number);
  const light = (color) => {
    const [r, g, b] = channels(color).map((x) => x / 255)
      .map((x) => (x <= 0.04045 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = (element) => {
    for (let e = element; e; e = e.parentElement) {
      const color = getComputedStyle(e).backgroundColor;
      const [, , , alpha = 1] = channels(color);
      if (alpha > 0) return color;
    }
  };
  let lowest = [Infinity, ""];
  for (const element of document.querySelectorAll("body *")) {
    const own = [...element.childNodes].filter((n) => n.nodeType === 3 && n.data.trim());
    if (!own.length || !element.checkVisibility() || element.matches("script, title, desc"))
      continue;
    const style = getComputedStyle(element);
    const ink = element.ownerSVGElement ? style.fill : style.color;
    const [a, b] = [light(ink), light(ground(element))].sort((x, y) => y - x);
    const contrast = (a + 0.05) / (b + 0.05);
    if (contrast < lowest[0]) lowest = [contrast, own[0].data];
  }
  return lowest;
}"""

# Numbers (with sign, exponent and unit) whose ends stand on different lines; names are no numbers.
BROKEN_NUMBERS = r"""() => {
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const found = [];
  for (let node; (node = walker.nextNode()); ) {
    const of = node.parentElement;
    const names = "script, style, svg, code, pre, .unseen, .uri, .name, .cell, .whole-name";
    if (of.closest(names) || !of.checkVisibility()) continue;
    const numbers = /[-+±<>]?\d[\d.,:-]*(e[-+]?\d+)?(\u00a0[^\s.,;]+)?/g;
    for (const match of node.data.matchAll(numbers)) {
      const range = document.createRange();
      range.setStart(node, match.index);
      range.setEnd(node, match.index + match[0].length);
      const lines = [...range.getClientRects()].filter((box) => box.width > 0);
      if (new Set(lines.map((box) => Math.round(box.top))).size > 1) found.push(match[0]);
    }
  }
  return found;
}"""

VOID = {"meta", "link", "input", "br", "wbr"}


class Page(html.parser.HTMLParser):
    """What is on a page: its text by element, its attributes, and whether its elements nest."""

    def __init__(self, page):
        super().__init__()
        self.open, self.texts, self.attributes, self.ids = [], [], [], []
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.attributes += [(tag, *attribute) for attribute in attributes]
        self.ids += [value for name, value in attributes if name == "id"]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.attributes += [(tag, *attribute) for attribute in attributes]
        self.ids += [value for name, value in attributes if name == "id"]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] not in ("style", "script"):
            self.texts.append(data)

    @property
    def text(self):
        marks = str.maketrans(dict.fromkeys("\u2068\u2069"))
        return " ".join(" ".join(self.texts).split()).translate(marks)

    @property
    def addresses(self):
        """Tag, attribute and value of whatever may lead out of the page."""
        return [
            (tag, attribute, value)
            for tag, attribute, value in self.attributes
            if attribute in ("href", "src", "action", "xlink:href", "srcset", "data")
            and not value.startswith("#")
        ]

    def all(self, tag, name):
        return [value for t, n, value in self.attributes if (t, n) == (tag, name)]


def assert_data_stay_text(page: str) -> None:
    """Of a page of hostile names: no tag is theirs, and nothing hides or turns text."""
    assert len(re.findall("<script", page)) == len(re.findall("</script", page)) == 1
    assert "<img" not in page
    assert "{{ 7 * 7 }}" in html.unescape(page)
    # Nothing is left that turns or hides what is around it, but the marks that isolate.
    kinds = set(re.findall("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u200e\u200f\u2028-\u202f]", page))
    assert kinds == set()
    assert page.count("\u2068") == page.count("\u2069")
    page.encode("utf-8")  # No half of a surrogate pair.
