import pytest

from tfx_wine_ext.sources.layout import PartitionError, fixed_folder, partitions_of, visible

BELOW = [
    "d/x",
    "d/_SUCCESS",
    "d/.x.crc",
    "d/_temporary/0/x",
    "d/.staging/x",
    "d/_old/x",
    "d/_old/_old/x",
    "d/day=1/_tmp/x",
    "d/_day=1/x",
    "d/.day=1/x",
    "d/_day=1",
    "d/day=1/x",
]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("d/**", ["d/x", "d/_day=1/x", "d/day=1/x"]),
        ("d/**/x", ["d/x", "d/_day=1/x", "d/day=1/x"]),
        ("d/*/x", ["d/x", "d/_day=1/x", "d/day=1/x"]),
        ("d/**/_old/*", ["d/x", "d/_old/x", "d/_old/_old/x", "d/_day=1/x", "d/day=1/x"]),
        ("d/_*", ["d/x", "d/_SUCCESS", "d/_temporary/0/x", "d/_old/x", "d/_old/_old/x"]),
        ("d/.st*/*", ["d/x", "d/.staging/x", "d/_day=1/x", "d/day=1/x"]),
    ],
)
def test_what_lies_below_a_hidden_name_is_hidden_unless_the_pattern_names_it(pattern, expected):
    found = visible(BELOW, pattern)

    assert [path for path in found if pattern != "d/_*" or "=" not in path] == expected


def test_parts_that_a_pattern_fixes_are_not_looked_at():
    assert visible(["/_a/.b/c/x", "/_a/.b/_c/x"], "/_a/.b/*/x") == ["/_a/.b/c/x"]
    assert visible(["/_a/_x"], "/_a/_x") == ["/_a/_x"]


@pytest.mark.parametrize(
    ("pattern", "folder"),
    [
        ("x.parquet", ""),
        ("/x.parquet", ""),
        ("*/x", ""),
        ("a/b/c?", "a/b"),
        ("a/[ab]/c", "a"),
        ("gs://bucket/a/**", "gs://bucket/a"),
    ],
)
def test_the_folder_that_a_pattern_fixes_ends_before_the_first_wildcard(pattern, folder):
    assert fixed_folder(pattern) == folder


@pytest.mark.parametrize(
    ("folder", "root", "expected"),
    [
        ("d/a=1/b=x%2Fy", "d", (("a", "1"), ("b", "x/y"))),
        ("d//a=1/./b=2/", "d/", (("a", "1"), ("b", "2"))),
        ("gs://k=1/a=1", "gs://k=1", (("a", "1"),)),
        ("a=1", "", (("a", "1"),)),
        ("d/a=", "d", (("a", ""),)),
        ("d/a=b=c", "d", (("a", "b=c"),)),
        ("d/%61%20=50%/plain", "d", (("a ", "50%"),)),
        ("d/a=__HIVE_DEFAULT_PARTITION__", "d", (("a", None),)),
        ("d/a=1", "d/a=1", ()),
    ],
)
def test_partitions_are_read_below_the_root_and_decoded(folder, root, expected):
    assert partitions_of(folder, root) == expected


@pytest.mark.parametrize(
    ("folder", "message"),
    [
        ("d/a=1/b=2/a=3", "^d/a=1/b=2/a=3: the partition column 'a' comes twice in this path; ren"),
        ("d/a=%ff", "^d/a=%ff: the folder 'a=%ff' is no text in UTF-8 when its %-signs are decod"),
    ],
)
def test_folders_that_are_no_partitions_are_refused(folder, message):
    with pytest.raises(PartitionError, match=message):
        partitions_of(folder, "d")
