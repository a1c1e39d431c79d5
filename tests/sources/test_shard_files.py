"""A numbered set of files is whole, or it is an error that says what is missing."""

import pickle
import re

import pytest

from tfx_wine_ext.sources.shard_files import LostRowsError, check_shards

GOOD = {
    "none": [],
    "one": ["d/data_tfrecord-00000-of-00001.gz"],
    "all, in any order": ["d/a-00002-of-00003", "d/a-00000-of-00003", "d/a-00001-of-00003"],
    "numbers that begin with 1": ["d/a-00001-of-00002.parquet", "d/a-00002-of-00002.parquet"],
    "a hash in each name": ["d/a-00000-of-00002-6f3.parquet", "d/a-00001-of-00002-0b1.parquet"],
    "two sets": ["d/a-00000-of-00001", "d/b-00000-of-00002", "d/b-00001-of-00002"],
    "the same set in two folders": ["d/a-00000-of-00001", "e/a-00000-of-00001"],
    "no numbers": ["d/part-0.parquet", "d/x.csv", "d/a-1-of-2.csv"],
    "six digits": [f"d/a-{i:05d}-of-100001" for i in range(100_001)],
}


@pytest.mark.parametrize("name", GOOD)
def test_a_whole_set_and_what_is_no_set_are_no_fault(name):
    check_shards(GOOD[name])


LOST = {
    "the first": (
        ["d/a-00001-of-00003.gz", "d/a-00002-of-00003.gz"],
        "d: expected 3 files a-*-of-00003.gz, found 2: a-00000-of-00003.gz is missing; copy it",
    ),
    "the last": (
        ["d/a-00000-of-00003.gz", "d/a-00001-of-00003.gz"],
        "d: expected 3 files a-*-of-00003.gz, found 2: a-00002-of-00003.gz is missing; copy it",
    ),
    "the last of those that begin with 1": (
        ["d/a-00001-of-00003", "d/a-00002-of-00003"],
        "found 2: a-00000-of-00003 is missing",
    ),
    "most of many": (
        ["d/a-00003-of-99999"],
        "d: expected 99999 files a-*-of-99999, found 1: a-00000-of-99999, a-00001-of-99999, "
        "a-00002-of-99999, ... are missing; copy them there or write the folder again",
    ),
    "one of two sets": (
        ["d/a-00000-of-00001", "d/b-00001-of-00002"],
        "d: expected 2 files b-*-of-00002, found 1: b-00000-of-00002 is missing",
    ),
    "in one of two folders": (
        ["d/a-00000-of-00002", "d/a-00001-of-00002", "e/a-00000-of-00002"],
        "e: expected 2 files",
    ),
    "a copy under another name": (
        ["d/a-00000-of-00002.gz", "d/Copy of a-00001-of-00002.gz"],
        "d: expected 2 files a-*-of-00002.gz, found 1: a-00001-of-00002.gz is missing",
    ),
    "two runs": (
        ["d/a-00000-of-00002", "d/a-00001-of-00002", "d/a-00000-of-00003"],
        "d: expected the files of one run, a-*-of-00003, found those of several: -of-00002 and "
        "-of-00003; delete those of the earlier run",
    ),
    "twice": (
        ["d/a-00000-of-00001", "d/a-00000-of-00001.gz"],
        "d: expected each of the 1 files a-*-of-00001 once, found number 0 twice: "
        "a-00000-of-00001 and a-00000-of-00001.gz; delete the one",
    ),
    "beyond": (
        ["d/a-00000-of-00001", "d/a-00007-of-00001"],
        "d: expected 1 files a-*-of-00001, found number 7: a-00007-of-00001; delete what",
    ),
    "a number that no disk holds": (["d/a-00000-of-99999999999999999999"], "found 1: a-00001-of-"),
}


@pytest.mark.parametrize("name", LOST)
def test_a_set_that_is_not_whole_is_refused(name):
    paths, message = LOST[name]
    with pytest.raises(LostRowsError, match=re.escape(message)) as caught:
        check_shards(paths)
    again = pickle.loads(pickle.dumps(caught.value))
    assert (vars(again), str(again)) == (vars(caught.value), str(caught.value))


def test_what_nobody_asked_for_is_not_missed():
    check_shards(["a-00001-of-00003"], lambda name: name.startswith("a-00001"))
    with pytest.raises(LostRowsError, match="a-00000-of-00003 is missing"):
        check_shards(["a-00001-of-00003"], lambda name: not name.startswith("a-00002"))
