"""Names, values and numbers from data as text that a page can show.

Nothing here escapes HTML: all templates always do.
"""

from __future__ import annotations

import datetime
import math
import unicodedata
from collections.abc import Iterable, Mapping

# Characters that are invisible or move their neighbours: controls, formats (including the marks
# that reverse the direction of text), halves of surrogate pairs, line and paragraph separators. The
# two joiners stay, since Persian, Hindi and emoji are misspelt without them.
_UNSEEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}
_JOINERS = "\u200c\u200d"
NO_BREAK = "\u00a0"


def visible(text: str, limit: int | None = None) -> str:
    r"""Makes a text from data displayable: invisible characters become visible.

    Invisible characters become ``[U+202E]`` or the like, and spaces at the ends become ``·``. An
    empty text stays empty. (Many fonts lack Unicode's pictures of control characters.)

    Args:
        text: Any text, including halves of surrogate pairs, which cannot be written as UTF-8.
        limit: Longer texts are cut in the middle, so that names with the same beginning or the same
            end stay distinct. None: texts are never cut.

    Example:
        >>> visible("a\tb\u202e ")
        'a[U+0009]b[U+202E]·'
        >>> visible("x" * 100, 9)
        'xxxxxx…xx'
    """
    if limit is not None and len(text) > limit:
        text = _cut(text, limit)
    shown = "".join(map(_visible_character, text))
    inner = shown.strip(" ")
    start = len(shown) - len(shown.lstrip(" "))
    return "·" * start + inner + "·" * (len(shown) - start - len(inner))


def _cut(text: str, limit: int) -> str:
    end = limit // 3 - 1
    return f"{text[: limit - end - 1]}…{text[len(text) - end :]}"


def labels(names: Iterable[str], limit: int) -> dict[str, str]:
    r"""Distinct labels of names: long names are cut in the middle.

    If cut names would look alike, they are cut around the part in which they differ.

    Args:
        names: The names, for example of columns. Repeated names count once.
        limit: Length of a label, at least 16. A label with invisible characters may be a little
            longer.

    Returns:
        The label of each name.

    Example:
        >>> names = [f"{'head' * 9}_{i}_{'tail' * 9}" for i in (1, 2)]
        >>> list(labels(names, 20).values())
        ['headhea…ead_1_ta…ail', 'headhea…ead_2_ta…ail']
    """
    names = list(dict.fromkeys(names))
    shown = {name: visible(name, limit) for name in names}
    groups = _alike(shown)
    while groups:
        group = groups.pop()
        shown.update(_around_difference(group, limit))
        again = _alike({name: shown[name] for name in group})
        groups += [same for same in again if len(same) < len(group)]
    taken: set[str] = set()
    numbers: dict[str, int] = {}
    # Short names stay; labels that still look alike are numbered.
    for name in sorted(names, key=lambda name: len(name) > limit):
        label = shown[name]
        if label in taken:
            cut = visible(name, limit - 6)
            number = numbers.get(cut, 1)
            while label in taken:
                number += 1
                label = f"{cut} ({number})"
            numbers[cut] = number
        taken.add(label)
        shown[name] = label
    return shown


def _alike(found: Mapping[str, str]) -> list[list[str]]:
    groups: dict[str, list[str]] = {}
    for name, label in found.items():
        if "…" in label:
            groups.setdefault(label, []).append(name)
    return [group for group in groups.values() if len(group) > 1]


def _around_difference(names: list[str], limit: int) -> dict[str, str]:
    """Cuts names on both sides of the place where they begin to differ."""
    first, last = min(names), max(names)
    start = next((i for i, (x, y) in enumerate(zip(first, last)) if x != y), len(first))
    head, tail = limit // 3 + 1, limit // 6
    middle = limit - head - tail - 2
    shown = {}
    for name in names:
        # A few common characters, for orientation, and the characters after them.
        at = max(0, min(start - middle // 2, len(name) - tail - middle))
        if at <= head:
            cut = f"{name[: limit - tail - 1]}…{name[-tail:]}"
        elif at + middle >= len(name) - tail:
            cut = f"{name[:head]}…{name[len(name) - (limit - head - 1) :]}"
        else:
            cut = f"{name[:head]}…{name[at : at + middle]}…{name[-tail:]}"
        shown[name] = visible(cut if len(name) > limit else name)
    return shown


def _visible_character(character: str) -> str:
    if character in _JOINERS or unicodedata.category(character) not in _UNSEEN:
        return character
    return f"[U+{ord(character):04X}]"


def isolated(text: str) -> str:
    r"""Keeps right-to-left text from reordering the sentence around it without ``<bdi>``.

    Example:
        >>> isolated("name")
        '\u2068name\u2069'
    """
    return f"\u2068{text}\u2069"


def number(value: float | None, digits: int = 4) -> str:
    """Shows a number with `digits` significant digits; whole numbers in full.

    Digits are grouped by three from 10,000 on. Smaller numbers are not grouped, since many are
    years.

    Example:
        >>> number(0.123456), number(2015), number(1e-7), number(12345.678), number(None)
        ('0.1235', '2015', '1e-07', '12,346', '—')
    """
    if value is None:
        return "—"
    value = float(value)
    if value == 0:
        return "0"
    size = math.floor(math.log10(abs(value)))
    if size >= 15 or size < -4:
        mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
        if "." in mantissa:
            mantissa = mantissa.rstrip("0").rstrip(".")
        return f"{mantissa}e{exponent}"
    decimals = 0 if value.is_integer() else max(0, digits - 1 - size)
    shown = f"{value:{',' if size >= 4 else ''}.{decimals}f}"
    if "." in shown:
        shown = shown.rstrip("0").rstrip(".")
    return shown


def span_text(span: int, date: str | None) -> str:
    """Returns the label of a span: its date, if it has one, else its number.

    Args:
        span: TFX's number.
        date: The date of the span, if ParquetExampleGen found it by a date.

    Example:
        >>> span_text(3, None), span_text(20000, "2024-10-04")
        ('3', '2024-10-04')
    """
    return date or str(span)


def split_text(split: str, span: int | None, date: str | None = None) -> str:
    """Returns the label of a split, with its span if it has one.

    Example:
        >>> split_text("train", 3), split_text("train", None)
        ('span 3, split train', 'split train')
    """
    return f"split {split}" if span is None else f"span {span_text(span, date)}, split {split}"


def pair(one: float, other: float) -> tuple[str, str]:
    """Shows two numbers with enough digits, at least 3, to tell them apart.

    Example:
        >>> pair(0.99574, 0.99468), pair(10.4, 9.9), pair(2.0, 2.0)
        (('0.996', '0.995'), ('10.4', '9.9'), ('2', '2'))
    """
    if one == other:
        return number(one), number(other)
    for digits in range(3, 18):
        shown = number(one, digits), number(other, digits)
        if shown[0] != shown[1]:
            break
    return shown


def percent(share: float | None) -> str:
    r"""Shows a share, 0 to 1, in percent; never as 0 or 100 unless that is exact.

    Example:
        >>> [percent(x).replace("\u00a0", " ") for x in (0.0, 0.00001, 0.0312, 0.534, 0.9999, 1.0)]
        ['0 %', '<0.01 %', '3.1 %', '53 %', '>99.9 %', '100 %']
    """
    if share is None:
        return "—"
    hundredths = share * 100
    if 0 < hundredths < 0.01:
        shown = "<0.01"
    elif 99.9 < hundredths < 100:
        shown = ">99.9"
    elif 0 < hundredths < 10 or 99 < hundredths < 100:
        shown = f"{hundredths:.2g}" if hundredths < 10 else f"{hundredths:.1f}"
    else:
        shown = f"{hundredths:.0f}"
    return f"{shown}{NO_BREAK}%"


def probability(value: float | None) -> str:
    """Shows a p-value or q-value.

    Example:
        >>> probability(0.0432), probability(3e-9), probability(1.0), probability(None)
        ('0.043', '<0.001', '1', '—')
    """
    if value is None:
        return "—"
    return "<0.001" if value < 0.001 else f"{value:.2g}"


def count(amount: float | None, noun: str = "") -> str:
    """A number with its noun, in the plural if needed. Estimates are rounded.

    Example:
        >>> count(3262), count(1, "feature"), count(3262, "row"), count(None)
        ('3,262', '1 feature', '3,262 rows', '—')
    """
    if amount is None:
        return "—"
    plural = "" if amount == 1 or not noun else "s"
    return f"{amount:,.0f} {noun}{plural}".rstrip()


def moment(iso: str) -> str:
    """Shows a time in ISO 8601 to the minute; any other text is unchanged.

    Example:
        >>> moment("2026-11-24T23:30:00+00:00"), moment("2026-11-24"), moment("yesterday")
        ('24 November 2026, 23:30 UTC', '24 November 2026', 'yesterday')
    """
    try:
        time = datetime.datetime.fromisoformat(iso.replace("Z", "+00:00"))
    except ValueError:
        return visible(iso, 40)
    # Not strftime, whose month names depend on the locale.
    months = "January February March April May June July August September October November December"
    day = f"{time.day} {months.split()[time.month - 1]} {time.year}"
    if len(iso) <= len("2026-11-24"):
        return day
    return f"{day}, {time:%H:%M}{f' {time.tzname()}' if time.tzinfo else ''}"


def duration(seconds: float | None) -> str:
    """Shows a duration with a useful precision.

    Example:
        >>> duration(0.214), duration(59.7), duration(125), duration(7260), duration(None)
        ('0.21 s', '60 s', '2 min 5 s', '2 h 1 min', '—')
    """
    if seconds is None:
        return "—"
    if seconds < 60:
        return f"{number(seconds, 2)} s"
    minutes = round(seconds) // 60
    if minutes < 60:
        return f"{minutes} min {round(seconds) % 60} s"
    return f"{minutes // 60} h {minutes % 60} min"
