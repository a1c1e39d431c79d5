"""What a page reads of a document is checked before anything of it is rendered."""

import copy

import pytest

from tests.report import documents, histories
from tfx_wine_ext.documents import DocumentError, checked
from tfx_wine_ext.report import shapes


@pytest.mark.parametrize("name", documents.ALL)
def test_a_document_of_each_kind_has_the_shape_of_its_page(name):
    checked(documents.ALL[name], shapes.DRIFT, "drift.json")


def test_a_history_has_the_shape_of_its_page():
    checked(histories.history([histories.run(1)]), shapes.HISTORY, "history.json")


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
    with pytest.raises(DocumentError, match=rf"^drift.json: .*{place}: expected "):
        checked(document, shapes.DRIFT, "drift.json")


def test_what_a_later_release_adds_is_passed_over():
    checked({**documents.OK, "new": [1]}, shapes.DRIFT, "drift.json")
