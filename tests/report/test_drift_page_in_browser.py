from __future__ import annotations

import pytest

from tests.report.documents import ALL, AWKWARD, DRIFTED, HOSTILE, HOSTILE_TEXTS, HUNDRED, OK
from tests.report.pages import BROKEN_NUMBERS, LOWEST_CONTRAST
from tfx_wine_ext.report.drift_page import render_drift_page
from tfx_wine_ext.report.words.text import visible

pytestmark = pytest.mark.e2e


def shown(page):
    """The names of the features that are shown, from the top."""
    return page.locator(".feature:visible > summary .name").all_inner_texts()


def opened(page):
    return page.locator(".feature[open] > summary .name").all_inner_texts()


BY_SEVERITY = ["grape", "alcohol", "sulphates", "quality", "vintage", "pH"]


@pytest.mark.parametrize("name", ALL)
def test_a_page_loads_without_a_complaint_and_asks_for_nothing(show, name):
    page = show(render_drift_page(ALL[name]))
    count = len(ALL[name]["features"])
    assert page.locator("output").inner_text() == f"{count} of {count} features shown"


def test_features_are_found_by_typing_a_part_of_a_name(show):
    page = show(render_drift_page(DRIFTED))
    page.keyboard.press("Tab")
    while page.evaluate("document.activeElement.name") != "find":
        page.keyboard.press("Tab")
    page.keyboard.type("PH")
    assert shown(page) == ["sulphates", "pH"]
    assert page.get_by_role("status").inner_text() == "2 of 6 features shown"
    assert page.evaluate("location.hash") == "#find=PH"
    page.keyboard.press("Escape")
    assert shown(page) == BY_SEVERITY
    assert page.evaluate("location.hash") == ""


def test_features_are_filtered_by_verdict_with_the_mouse_and_with_the_keyboard(show):
    page = show(render_drift_page(DRIFTED))
    page.get_by_role("checkbox", name="Drift").click()
    assert shown(page) == ["quality", "vintage", "pH"]
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    assert shown(page) == ["pH"]
    assert page.get_by_role("status").inner_text() == "1 of 6 features shown"
    assert page.evaluate("location.hash") == "#show=OK"


@pytest.mark.parametrize(
    ("by", "names"),
    [
        ("Severity", BY_SEVERITY),
        ("Name", ["alcohol", "grape", "pH", "quality", "sulphates", "vintage"]),
        ("Column order", ["pH", "alcohol", "quality", "grape", "sulphates", "vintage"]),
        # Those without the metric come last, the worst first.
        (
            "Kolmogorov-Smirnov",
            ["alcohol", "pH", "grape", "sulphates", "quality", "vintage"],
        ),
    ],
)
def test_features_are_sorted(show, by, names):
    page = show(render_drift_page(DRIFTED))
    page.get_by_label("Sort by").select_option(label=by)
    assert shown(page) == names


def test_names_are_sorted_as_people_count(show):
    page = show(render_drift_page(HUNDRED))
    page.get_by_label("Sort by").select_option(label="Name")
    assert shown(page)[:3] == ["measurement_000", "measurement_001", "measurement_002"]


def test_what_was_chosen_is_in_the_address_and_comes_back_with_it(show):
    page = show(render_drift_page(DRIFTED), "#find=a&sort=name&show=DRIFT+WARN")
    assert shown(page) == ["alcohol", "grape", "quality", "sulphates", "vintage"]
    assert page.get_by_label("Find").input_value() == "a"
    assert not page.get_by_role("checkbox", name="OK").is_checked()
    # What nobody can choose changes nothing.
    page = show(render_drift_page(DRIFTED), "#sort=nothing&show=DRIFT")
    assert shown(page) == ["grape", "alcohol", "sulphates"]


def test_a_link_shows_its_feature_whatever_is_filtered(show):
    page = show(render_drift_page(DRIFTED))
    page.get_by_label("Find").fill("grape")
    page.get_by_role("button", name="Close all").click()
    page.get_by_role("link", name="alcohol").click()
    assert shown(page) == BY_SEVERITY
    assert opened(page) == ["alcohol"] + [name for name in BY_SEVERITY[2:] if name != "pH"]
    assert page.evaluate("document.activeElement.closest('.feature').id") == "f1"


def test_the_name_of_a_metric_leads_to_what_it_means_and_what_was_filtered_stays(show):
    page = show(render_drift_page(DRIFTED))
    page.get_by_role("checkbox", name="Warning").click()
    left = shown(page)
    entry = page.locator("#glossary dd", has_text="How far values have moved")
    assert not entry.is_visible()
    page.locator("#f1 .scores").get_by_role("link", name="Wasserstein").click()
    assert page.url.endswith("#metric-drift-wasserstein")
    entry.wait_for()
    in_sight = "(element) => element.getBoundingClientRect().top < innerHeight"
    assert page.locator("#metric-drift-wasserstein").evaluate(in_sight)
    assert shown(page) == left != BY_SEVERITY


def test_features_are_opened_and_closed_one_by_one_and_all_together(show):
    page = show(render_drift_page(DRIFTED))
    # What is fine is closed at first.
    assert opened(page) == BY_SEVERITY[:-1]
    summary = page.locator("#f0 > summary")
    summary.focus()
    page.keyboard.press("Enter")
    assert opened(page) == BY_SEVERITY
    page.get_by_role("button", name="Close all").click()
    assert opened(page) == []
    page.get_by_role("button", name="Open all").click()
    assert opened(page) == BY_SEVERITY


def test_hostile_names_and_values_are_seen_as_the_text_that_they_are(show):
    page = show(render_drift_page(HOSTILE))
    assert page.title().startswith("Drift report: Drift, long_xxx")
    assert page.evaluate("document.images.length") == 0
    assert page.evaluate("document.scripts.length") == 1
    page.get_by_label("Sort by").select_option(label="Column order")
    names = [visible(text, 48) or "(no name)" for text in HOSTILE_TEXTS]
    assert shown(page)[: len(names)] == names
    values = page.locator(".categories bdi").all_text_contents()
    assert values == [visible(text[:200], 60) or "(empty text)" for text in HOSTILE_TEXTS]


def test_a_name_from_right_to_left_does_not_move_what_stands_beside_it(show):
    page = show(render_drift_page(HOSTILE))
    order = page.evaluate(
        """() => [...document.querySelectorAll(".feature > summary h3")].map((title) => {
          const [name, kind] = [...title.children].map((e) => e.getClientRects());
          return kind[0].top > name[0].top || kind[0].left >= name[name.length - 1].right;
        })"""
    )
    assert order == [True] * 11


def test_a_feature_is_found_by_the_part_of_its_name_that_is_cut_off(show):
    page = show(render_drift_page(HOSTILE))
    page.get_by_label("Find").fill("x" * 1000)
    assert page.locator("output").inner_text() == "1 of 11 features shown"


@pytest.mark.parametrize("width", [320, 390, 768, 1280])
@pytest.mark.parametrize("name", ["drifted", "no_baseline", "inconclusive", "hostile"])
def test_no_page_is_wider_than_the_screen(show, name, width):
    page = show(render_drift_page(ALL[name]), width=width)
    page.evaluate("document.querySelectorAll('details').forEach((d) => { d.open = true; })")
    assert page.evaluate("document.documentElement.scrollWidth") == width


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", ["drifted", "no_baseline", "inconclusive", "ok"])
def test_all_text_stands_out_from_its_ground(show, name, scheme):
    page = show(render_drift_page(ALL[name]), color_scheme=scheme)
    page.evaluate("document.querySelectorAll('details').forEach((d) => { d.open = true; })")
    contrast, text = page.evaluate(LOWEST_CONTRAST)
    assert contrast >= 4.5, text
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert ground == {"light": "rgb(246, 245, 242)", "dark": "rgb(20, 21, 25)"}[scheme]


def test_on_paper_everything_is_open_and_light_and_there_are_no_controls(show):
    page = show(render_drift_page(DRIFTED), color_scheme="dark")
    page.emulate_media(media="print", color_scheme="dark")
    assert not page.locator(".controls").is_visible()
    assert page.locator("details:not([open]) > :not(summary)").count() > 2
    hidden = "e => [...e].filter((x) => x.getBoundingClientRect().height === 0).length"
    closed = page.locator("details:not([open]) > :not(summary)")
    assert closed.evaluate_all(hidden) == 0
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.evaluate(LOWEST_CONTRAST)[0] >= 4.5

    page.emulate_media(media="screen")
    before = opened(page)
    assert page.pdf().startswith(b"%PDF-")
    assert opened(page) == before


def test_the_page_is_whole_without_javascript(show):
    page = show(render_drift_page(DRIFTED), java_script_enabled=False)
    assert not page.locator(".controls").is_visible()
    assert page.locator("main h3:visible .name").all_inner_texts() == BY_SEVERITY
    page.locator("#f0 > summary").click()
    assert page.get_by_text("All differences are within what chance makes").is_visible()


def test_screen_readers_get_landmarks_headings_tables_and_described_plots(show):
    page = show(render_drift_page(OK))
    page.locator(".feature > summary").click()
    assert page.get_by_role("banner").count() == page.get_by_role("main").count() == 1
    assert page.get_by_role("heading", level=1).text_content() == (
        "OK. No drift: 1 feature stayed within its limits."
    )
    assert page.get_by_role("heading", level=2).all_inner_texts() == [
        "All features",
        "What the metrics mean",
        "Limits and settings in force",
    ]
    assert page.get_by_role("search", name="Features").is_visible()
    plot = page.get_by_role("img", name="Distribution of \u2068pH\u2069: share of the values")
    assert plot.is_visible()
    # On a telephone the table is laid out as blocks, and stays a table.
    page.set_viewport_size({"width": 390, "height": 800})
    scores = page.get_by_role("table", name="Scores")
    assert scores.get_by_role("columnheader").all_text_contents() == [
        *("Metric", "Value", "Limit", "Noise floor", "q-value", "Verdict"),
    ]
    assert scores.get_by_role("rowheader").all_text_contents() == ["Kolmogorov-Smirnov"]
    assert scores.get_by_role("cell", name="Limit 0.2", exact=True).count() == 1


def test_the_focus_can_be_seen(show):
    page = show(render_drift_page(OK))
    page.keyboard.press("Tab")
    outline = "getComputedStyle(document.activeElement).outlineWidth"
    assert page.evaluate(outline) == "3px"


@pytest.mark.parametrize("width", [1280, 390])
def test_no_number_is_broken_and_nothing_is_cut_off(show, width):
    page = show(render_drift_page(AWKWARD), width=width)
    page.evaluate("for (const each of document.querySelectorAll('details')) each.open = true")
    assert page.evaluate(BROKEN_NUMBERS) == []
    assert page.evaluate("document.documentElement.scrollWidth") == width


def test_a_feature_is_found_by_what_its_label_leaves_out(show):
    page = show(render_drift_page(AWKWARD))
    page.locator("input[name=find]").fill("cellar_2_as_measured")
    assert page.get_by_role("status").inner_text() == "1 of 9 features shown"


def test_lines_of_a_large_report_are_found_and_sorted_with_the_features_above(show):
    features = [{**DRIFTED["features"][0], "name": f"x{i:03}"} for i in range(230)]
    page = show(render_drift_page({**DRIFTED, "features": features}))
    assert page.get_by_role("status").inner_text() == "230 of 230 features shown"
    page.locator("input[name=find]").fill("X229")
    assert page.get_by_role("status").inner_text() == "1 of 230 features shown"
    assert page.locator(".lines tr:visible").all_inner_texts()[0].split()[1] == "x229"
    page.locator("input[name=find]").fill("")
    page.get_by_label("Sort by").select_option(label="Kolmogorov-Smirnov")
    assert page.locator(".lines tr").count() == 30


def test_a_link_to_a_line_opens_the_table(show):
    features = [{**DRIFTED["features"][0], "name": f"x{i:03}"} for i in range(230)]
    page = show(render_drift_page({**DRIFTED, "features": features}), "#f229")
    assert page.locator("#f229").is_visible()
