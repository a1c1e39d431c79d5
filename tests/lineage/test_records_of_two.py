import pytest

from tfx_wine_ext.lineage.records import interval_of_change, same_examples


def test_the_interval_of_a_change_is_that_of_zou_and_donner():
    low, high = interval_of_change((0.5, 0.4, 0.7), (0.6, 0.55, 0.65))
    assert low == pytest.approx(0.1 - (0.05**2 + 0.2**2) ** 0.5)
    assert high == pytest.approx(0.1 + (0.05**2 + 0.1**2) ** 0.5)


def examples(id_, fingerprint=None, rows=None):
    return {"id": id_, "content_fingerprint": fingerprint, "rows": rows}


@pytest.mark.parametrize(
    ("old", "new", "same"),
    [
        (examples(1), examples(1), True),
        (examples(1, "a", {"train": 2}), examples(2, "a", {"train": 2}), True),
        (examples(1, "a", {"train": 2}), examples(2, "b", {"train": 2}), False),
        # The same files, split in another way.
        (examples(1, "a", {"train": 2, "eval": 1}), examples(2, "a", {"train": 3}), False),
        (examples(1, "a", {"train": 2}), examples(2, None, {"train": 3}), False),
        (examples(1, "a", {"train": 2}), examples(2, None, {"train": 2}), None),
        (examples(1), examples(2), None),
        (None, examples(2), None),
    ],
)
def test_two_runs_read_the_same_data_or_others_or_it_is_unknown(old, new, same):
    assert same_examples(old, new) is same
