"""What the page reads of a document is checked before anything of it is rendered."""

import copy

import pytest

from tests.report import documents
from tfx_wine_ext.report.drift_page import render_drift_page


def first_histogram(document):
    return next(each["histogram"] for each in document["features"] if each.get("histogram"))


@pytest.mark.parametrize(
    ("change", "place"),
    [
        (lambda document: document.update(features=None), "features"),
        (lambda document: document.update(verdict="GOOD"), "verdict"),
        (lambda document: document.update(share_drifted=1.5), "share_drifted"),
        (lambda document: document["features"][0].update(name=3), r"features\[0\].name"),
        (lambda document: first_histogram(document).update(kind="pie"), "histogram.kind"),
        (lambda document: first_histogram(document)["edges"].reverse(), "histogram.edges"),
        (lambda document: first_histogram(document)["current"].pop(), "histogram.current"),
        (lambda document: first_histogram(document)["below"].__setitem__(1, -1), r"below\[1\]"),
    ],
)
def test_a_value_that_the_page_cannot_show_is_named_by_its_place(change, place):
    document = copy.deepcopy(documents.DRIFTED)
    assert first_histogram(document)["kind"] == "numeric"
    change(document)
    with pytest.raises(ValueError, match=rf"^document: .*{place}: expected "):
        render_drift_page(document)


def test_what_a_later_release_adds_is_passed_over():
    assert render_drift_page({**documents.OK, "new": [1]}) == render_drift_page(documents.OK)
