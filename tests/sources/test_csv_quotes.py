"""A quote that is not closed is found wherever it is, and quotes as they should be are none."""

import gzip
import random
import re

import pytest

from tfx_wine_ext.sources import csv_quotes
from tfx_wine_ext.sources.csv_quotes import QuoteCheck, longest_row
from tfx_wine_ext.sources.source import TableFileError


@pytest.fixture
def write(tmp_path):
    def write(content, name="a.csv"):
        (tmp_path / name).write_bytes(content)
        return str(tmp_path / name)

    return write


def check(path, delimiter=","):
    with QuoteCheck(path, delimiter) as quotes:
        quotes.finish()


GOOD = {
    "no quote": b"x,y\n1,2\n",
    "no byte": b"",
    "line breaks": b'x,y\n1,"two\nlines"\r\n2,"\r\n"\r\n',
    "doubled": b'x\n"a ""b"" c"\n""""\n""\n""""""\n"""a"\n"a"""',
    "empty cells": b'"","",""\n"",1,""\n',
    "separators": b'x,y\n",",1\n"\n","\r\n"\n",",","',
    "an inch mark": b'x,y\n1,5" pipe\n2,6""\n3,a"b"c\n',
    "an inch mark among quotes": b'x,y\n1,5" pipe\n"2,""",6"\n"3\n",a"b"c\n',
    "spaces behind": b'x,y\n"a" ,"b"  \n1,2\n',
    "a mark and a quote": b'\xef\xbb\xbf"x","y"\n1,2\n',
    "old line ends": b'x,y\r"1","2"\r',
    "any bytes": b'x,y\n"\xff\xfe",\xef\xbb\xbf\n',
    "a mark in a cell": b"x,y\n1,a\xef\xbb\xbf\n",
}


@pytest.mark.parametrize("size", [1, 2, 3, 5, 1000])
@pytest.mark.parametrize("name", GOOD)
def test_quotes_as_they_should_be_are_no_fault(write, monkeypatch, name, size):
    monkeypatch.setattr(csv_quotes, "BLOCK_BYTES", size)
    check(write(GOOD[name]))
    check(write(gzip.compress(GOOD[name]), "a.csv.gz"))


ROWS = b"1,a\n" * 400
BAD = {
    "never closed": (
        b"x,y\n" + ROWS + b'2,"b\n' + ROWS,
        """line 402: expected a quote that closes the cell '"b', found none up to the e""",
    ),
    "closed by the next cell that opens": (
        b"x,y\n" + ROWS + b'2,"b\n' + ROWS + b'3,"c"\n' + ROWS,
        """line 402: expected a quote that closes the cell '"b', found b'c"\\n1,a""",
    ),
    "an escape on the way": (
        b'x,y\n1,"a\n2,""\n3,"b"\n',
        """line 2: expected a quote that closes the cell '"a', found b'b"\\n' after one""",
    ),
    "in the line of names": (b'x,"y\n1,2\n', "line 1: expected a quote that closes the cell '\"y'"),
    "the first byte": (b'"x,y\n1,2\n', "line 1: expected a quote that closes the cell '\"x,y'"),
    "the last byte": (
        b'x,y\n1,"',
        "line 2: expected a quote that closes the cell '\"', found none",
    ),
    "behind a mark": (
        b'\xef\xbb\xbf"x\n1\n',
        "line 1: expected a quote that closes the cell '\"x'",
    ),
    "text behind": (
        b'x\n"a"b\n',
        "line 2: expected a quote that closes the cell '\"a\"b', found b'b",
    ),
    "a backslash": (b'x\n"a \\"b\\" c"\n', "line 2: expected a quote that closes the cell"),
    "Windows": (
        b'x,y\r\n1,2\r\n3,"4\r\n',
        "line 3: expected a quote that closes the cell '\"4', fo",
    ),
    "old line ends": (
        b'x,y\r1,2\r3,"4\r',
        "line 3: expected a quote that closes the cell '\"4', fo",
    ),
    "after an inch mark": (
        b'x,y\n1,5" pipe\n2,"b\n',
        "line 3: expected a quote that closes the cel",
    ),
    "a byte of 0": (
        b"x,y\n" + ROWS + b"1,\0\n",
        "line 402: expected text, found a byte of 0; the f",
    ),
    "a mark": (
        b"x\n1\n\xef\xbb\xbfx\n2\n",
        "line 3: expected text, found a byte order mark",
    ),
}


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000, 10_000])
@pytest.mark.parametrize("name", BAD)
def test_the_line_where_the_quote_was_opened_is_named(write, monkeypatch, name, size):
    monkeypatch.setattr(csv_quotes, "BLOCK_BYTES", size)
    content, message = BAD[name]
    if size < 1000:
        content, message = content.replace(ROWS, b""), message.replace("402", "2")
        message = message.partition(", found b")[0]
    for path in (write(content), write(gzip.compress(content), "a.csv.gz")):
        with pytest.raises(TableFileError, match=f"^{re.escape(path)}: .*{re.escape(message)}"):
            check(path)


def test_spaces_and_text_behind_a_quote_are_too_much(write):
    with pytest.raises(TableFileError, match=r"found b'  b\\n' after one in line 2"):
        check(write(b'x\n"a"  b\n'))


def reference(content):
    """Whether all quotes are closed where they can be, and the end is none of the errors."""
    inside, at = False, 0
    separators = b",\n\r"
    while at < len(content):
        if not inside:
            begins = at == 0 or content[at - 1] in separators
            inside = begins and content[at : at + 1] == b'"'
            at += 1
            continue
        if content[at : at + 2] == b'""':
            at += 2
            continue
        if content[at : at + 1] == b'"':
            rest = content[at + 1 :].lstrip(b" ")
            if rest and rest[0] not in separators:
                return False
            inside = False
        at += 1
    return not inside and not content.endswith(b'",')


def test_it_is_what_the_rules_say_of_any_bytes(write, monkeypatch):
    draw = random.Random(11)
    verdicts = []
    for _ in range(4000):
        content = bytes(draw.choices(b'"a,\n', [4, 3, 3, 2], k=draw.randrange(12)))
        monkeypatch.setattr(csv_quotes, "BLOCK_BYTES", draw.randrange(1, 5))
        try:
            check(write(content))
            verdicts.append(True)
        except TableFileError:
            verdicts.append(False)
        assert verdicts[-1] == reference(content), content
    assert 1000 < sum(verdicts) < 3000


def test_only_what_the_reader_has_read_is_looked_at(write):
    path = write(b"x,y\n" + b"1,2\n" * 100_000 + b'1,"')
    with QuoteCheck(path, ",") as quotes:
        quotes.upto(200_000)
        with pytest.raises(TableFileError, match="line 100002: expected a quote that closes"):
            quotes.finish()


@pytest.mark.parametrize("size", [1, 3, 1000])
def test_the_longest_row_is_counted_with_its_line_breaks(write, monkeypatch, size):
    monkeypatch.setattr(csv_quotes, "BLOCK_BYTES", size)
    assert longest_row(write(b'x,y\n1,"a\n""\nb"\r\n2,3\n')) == 12
    assert longest_row(write(b"x,y\n1,2222222")) == 10
    assert longest_row(write(b"")) == 1
