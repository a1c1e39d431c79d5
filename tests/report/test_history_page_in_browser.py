from __future__ import annotations

import pytest

from tests.report.documents import HOSTILE_TEXTS, IMAGE, SCRIPT
from tests.report.histories import FIRST, HISTORIES, HOSTILE, PLAIN, STOPPED, many
from tests.report.pages import BROKEN_NUMBERS, LOWEST_CONTRAST
from tfx_wine_ext.report.history_page import render_history_page

pytestmark = pytest.mark.e2e

OPEN_ALL = "document.querySelectorAll('details').forEach((d) => { d.open = true; })"
# Middles of the marks of a row, in pixels of the screen.
MIDDLES = """(uses) => uses.map((use) => {
  const box = use.getBoundingClientRect();
  return Math.round(box.left + box.width / 2);
})"""
ENDS = """(elements) => elements.map((element) => {
  const box = element.getBoundingClientRect();
  return [box.left, box.right];
})"""
# The lowest contrast of a text with the cell that it stands on, in any level's colour.
CELL_CONTRAST = """() => {
  const light = (color) => {
    const [r, g, b] = color.match(/[\\d.]+/g).map((x) => x / 255)
      .map((x) => (x <= 0.04045 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const path = document.querySelector(".cells path");
  const ink = getComputedStyle(document.querySelector(".cells text")).fill;
  return Math.min(...["ok1", "ok2", "ok3", "ok4", "warn", "open", "drift1", "drift2", "drift3"]
    .map((level) => {
      path.setAttribute("class", level);
      const [a, b] = [light(ink), light(getComputedStyle(path).fill)].sort((x, y) => y - x);
      return (a + 0.05) / (b + 0.05);
    }));
}"""


def opened(page):
    return page.locator(".run[open]").evaluate_all("(runs) => runs.map((run) => run.id)")


def wait_for_run(page, run):
    """Waits until an address has been followed to a run."""
    page.wait_for_url(f"**#{run}")
    page.locator(f"#{run} > summary:focus").wait_for()


def tip(page):
    shown = page.locator(".tip").inner_text()
    return shown.translate(dict.fromkeys(map(ord, "\u2068\u2069"))).split("\n")


def cell_of(page, feature, run, runs):
    """The place of a run's cell in the row of a feature."""
    box = page.locator(".strip", has_text=feature).locator(".cells").bounding_box()
    return box["x"] + box["width"] * (run - 0.5) / runs, box["y"] + box["height"] / 2


@pytest.mark.parametrize("name", HISTORIES)
def test_a_page_loads_without_a_complaint_and_asks_for_nothing(show, name):
    page = show(render_history_page(HISTORIES[name]))
    assert page.get_by_role("heading", level=1).is_visible()


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("document", [STOPPED, many(200)], ids=["five", "two_hundred"])
def test_all_rows_have_their_runs_exactly_below_each_other(show, document, width):
    page = show(render_history_page(document), width=width)
    runs = len(document["runs"])
    columns = page.locator(".hits rect").evaluate_all(MIDDLES)
    points = page.locator(".metric:visible .over-time use").evaluate_all(MIDDLES)
    assert len(columns) == len(points) == runs
    assert sorted(points) == pytest.approx(columns, abs=1.5)
    marks = page.locator(".strip .cells use:not(.beside)").evaluate_all(MIDDLES)
    assert marks
    assert all(min(abs(mark - column) for column in columns) <= 1.5 for mark in marks)
    # The stretched boxes, too: they begin and end where the columns do.
    places = page.locator(".strip:visible .cells, .metric:visible .over-time, .hits")
    assert len({tuple(map(round, place)) for place in places.evaluate_all(ENDS)}) == 1


def test_the_pointer_over_a_cell_says_score_metric_and_limit(show):
    page = show(render_history_page(STOPPED))
    page.locator(".strip").last.scroll_into_view_if_needed()
    page.mouse.move(*cell_of(page, "alcohol", 5, 5))
    assert tip(page) == [
        "alcohol: Drift; Wasserstein 0.451, limit 0.1",
        "Run 5 · 26 November 2026, 02:23 UTC · span 4 · Stopped by the drift gate",
    ]
    page.mouse.move(*cell_of(page, "alcohol", 1, 5))
    assert tip(page)[0] == "alcohol: No baseline"
    page.mouse.move(0, 0)
    assert not page.locator(".tip").is_visible()


def test_the_pointer_over_the_plot_says_the_metric_and_its_interval(show):
    page = show(render_history_page(STOPPED))
    box = page.locator(".metric:visible .over-time").bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + 60)
    assert tip(page)[0] == "R²: 0.41 (0.37 to 0.45)"
    page.mouse.move(box["x"] + box["width"] * 0.9, box["y"] + 60)
    assert tip(page)[0] == "R²: not measured"


def test_a_click_on_a_column_opens_the_run_and_puts_it_in_the_address(show):
    page = show(render_history_page(STOPPED))
    assert opened(page) == ["run-5"]
    page.locator(".strip").last.scroll_into_view_if_needed()
    page.mouse.click(*cell_of(page, "pH", 2, 5))
    wait_for_run(page, "run-2")
    assert opened(page) == ["run-5", "run-2"]
    assert page.evaluate("document.activeElement.parentElement.id") == "run-2"


def test_an_address_with_a_run_opens_it(show):
    page = show(render_history_page(STOPPED), "#run-3")
    assert opened(page) == ["run-5", "run-3"]
    # The Tab key goes on from there.
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.closest('.run').id") == "run-3"


def test_keys_go_from_run_to_run_and_down_to_the_features(show):
    page = show(render_history_page(STOPPED))
    while not page.evaluate("document.activeElement.matches('.hits a')"):
        page.keyboard.press("Tab")
    # One stop for the whole chart: the latest run.
    assert tip(page)[0].startswith("Run 5 · ")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    assert tip(page)[:2] == [
        "Run 3 · 25 November 2026, 02:23 UTC · span 3 · Pushed",
        "R² 0.41, up 0.08 from run 2",
    ]
    page.keyboard.press("ArrowDown")
    assert tip(page)[0] == "R²: 0.41 (0.37 to 0.45)"
    page.keyboard.press("ArrowDown")
    assert tip(page)[0] == "alcohol: OK; Wasserstein 0.05, limit 0.1"
    page.keyboard.press("ArrowLeft")
    assert tip(page)[0] == "alcohol: Warning; PSI 0.15, limit 0.1"
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowUp")
    assert tip(page)[0].startswith("Run 2 · ")
    page.keyboard.press("Escape")
    assert not page.locator(".tip").is_visible()
    page.keyboard.press("Home")
    page.keyboard.press("Enter")
    wait_for_run(page, "run-1")
    assert opened(page) == ["run-5", "run-1"]


def test_a_tap_says_what_is_there_and_the_link_leads_on(show):
    page = show(render_history_page(STOPPED), width=390, has_touch=True, is_mobile=True)
    page.locator(".strip").last.scroll_into_view_if_needed()
    page.touchscreen.tap(*cell_of(page, "density", 5, 5))
    assert tip(page)[0] == "density: Drift; Kolmogorov-Smirnov 0.25, limit 0.1"
    assert page.evaluate("location.hash") == ""
    page.locator(".tip a").tap()
    wait_for_run(page, "run-5")


def test_a_metric_is_chosen_and_stays_in_the_address(show):
    page = show(render_history_page(STOPPED))
    names = page.locator(".metric:visible .metric-name")
    assert names.all_inner_texts() == ["R²"]
    page.get_by_label("Metric").select_option(label="Mean squared error")
    assert names.all_inner_texts() == ["Mean squared error"]
    assert page.evaluate("location.hash") == "#metric=mean_squared_error"
    page = show(render_history_page(STOPPED), "#metric=mean_squared_error")
    assert page.locator(".metric:visible .metric-name").all_inner_texts() == ["Mean squared error"]
    page = show(render_history_page(STOPPED), "#metric=nothing")
    assert page.locator(".metric:visible .metric-name").all_inner_texts() == ["R²"]


@pytest.mark.parametrize("with_script", [True, False])
def test_names_of_metrics_lead_to_what_they_mean(show, with_script):
    page = show(render_history_page(STOPPED), "#run-5", java_script_enabled=with_script)
    entry = page.locator("#glossary dd", has_text="Squared Pearson correlation")
    assert not entry.is_visible()
    page.locator(".metric-name").get_by_role("link", name="R²").first.click()
    assert page.url.endswith("#metric-evaluation-squared_pearson_correlation")
    entry.wait_for()
    page.go_back()
    if with_script:
        page.locator("#run-5").get_by_role("link", name="Wasserstein").first.click()
        page.locator("#glossary dd", has_text="How far values have moved").wait_for()


def test_all_features_are_shown_on_demand_without_a_script_too(show):
    for script in (True, False):
        page = show(render_history_page(many(20, 50)), java_script_enabled=script)
        rows = page.locator(".strip:visible")
        assert rows.count() == 12
        page.get_by_label("Show all 50 features").check()
        assert rows.count() == 50
    page = show(render_history_page(many(20, 50)), "#all=1")
    assert page.locator(".strip:visible").count() == 50


def test_many_runs_scroll_in_their_region_from_the_latest_backwards_and_names_stay(show):
    page = show(render_history_page(many(200)), width=390)
    reel = page.get_by_role("region", name="Chart of all runs")
    assert reel.evaluate("(e) => e.scrollWidth") > 3000
    region = reel.bounding_box()
    last = page.locator(".hits rect").last.bounding_box()
    assert last["x"] + last["width"] == pytest.approx(region["x"] + region["width"], abs=1)
    reel.evaluate("(e) => { e.scrollLeft = -e.scrollWidth; }")
    first = page.locator(".hits rect").first.bounding_box()
    assert first["x"] == pytest.approx(region["x"], abs=1)
    assert page.locator(".strip .label").first.bounding_box()["x"] == pytest.approx(region["x"])


def test_keys_bring_a_run_into_sight(show):
    page = show(render_history_page(many(200)))
    page.locator(".hits a").last.focus()
    page.keyboard.press("Home")
    reel = page.locator(".reel").bounding_box()
    column = page.locator(".hits rect").first.bounding_box()
    assert reel["x"] <= column["x"] < reel["x"] + reel["width"]
    page.keyboard.press("Enter")
    page.wait_for_url("**#older")


@pytest.mark.parametrize("width", [390, 1280])
def test_labels_of_the_axis_do_not_overlap(show, width):
    for document in (STOPPED, many(16), many(17), many(200), many(1000)):
        page = show(render_history_page(document), width=width)
        for line in ("20", "36", "51"):
            found = page.locator(f".axis-row text[y='{line}']").evaluate_all(ENDS)
            assert all(left[1] < right[0] for left, right in zip(found, found[1:]))
        last = page.locator(".axis-row .number").last.bounding_box()
        reel = page.locator(".reel").bounding_box()
        assert last["x"] + last["width"] <= reel["x"] + reel["width"] + 1


@pytest.mark.parametrize("width", [320, 390, 768, 1280])
@pytest.mark.parametrize("name", HISTORIES)
def test_no_page_is_wider_than_the_screen(show, name, width):
    page = show(render_history_page(HISTORIES[name]), width=width)
    page.evaluate(OPEN_ALL)
    assert page.evaluate("document.documentElement.scrollWidth") == width


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", ["stopped", "failed", "plain", "empty", "pushed"])
def test_all_text_stands_out_from_its_ground(show, name, scheme):
    page = show(render_history_page(HISTORIES[name]), color_scheme=scheme)
    page.evaluate(OPEN_ALL)
    contrast, text = page.evaluate(LOWEST_CONTRAST)
    assert contrast >= 4.5, text
    if name == "stopped":
        page.locator(".hits a").last.focus()
        page.keyboard.press("ArrowDown")
        assert page.locator(".tip").is_visible()
        contrast, text = page.evaluate(LOWEST_CONTRAST)
        assert contrast >= 4.5, text
        assert page.evaluate(CELL_CONTRAST) >= 4.5


def test_the_page_is_whole_without_javascript(show):
    page = show(render_history_page(STOPPED), java_script_enabled=False)
    assert page.locator(".metric:visible .metric-name").all_inner_texts() == [
        "R²",
        "Mean squared error",
    ]
    assert not page.get_by_label("Metric").first.is_visible()
    assert not page.get_by_text("Arrow keys").is_visible()
    page.locator("#run-2 > summary").click()
    assert page.locator("#run-2").get_by_text("R2 fell by 0.02 (0.35 to 0.33).").is_visible()
    page.locator(".hits a").nth(2).click()
    assert page.url.endswith("#run-3")


def test_on_paper_the_chart_has_all_runs_and_what_is_open_is_printed(show):
    page = show(render_history_page(many(200, 50)), color_scheme="dark")
    page.emulate_media(media="print", color_scheme="dark")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    reel = page.locator(".reel")
    assert reel.evaluate("(e) => e.scrollWidth <= e.clientWidth + 1")
    assert page.locator(".strip:visible").count() == 50
    labels = page.locator(".axis-row text[y='36']:visible").evaluate_all(ENDS)
    assert len(labels) == 10
    assert all(left[1] < right[0] for left, right in zip(labels, labels[1:]))
    assert page.locator("#run-200 .body").is_visible()
    assert not page.locator("#run-199 .body").is_visible()
    assert not page.locator(".controls").is_visible()
    assert page.pdf().startswith(b"%PDF-")


def test_hostile_names_and_values_are_seen_as_the_text_that_they_are(show):
    page = show(render_history_page(HOSTILE))
    assert page.title().startswith("History of </script><script>document.title='owned'</script>")
    assert page.evaluate("document.images.length") == 0
    assert page.evaluate("document.scripts.length") == 1
    page.locator(".hits a").last.focus()
    said = []
    for _ in range(1 + len(HOSTILE_TEXTS)):
        page.keyboard.press("ArrowDown")
        said.append(tip(page)[0])
    assert said[1].startswith(f"{SCRIPT}: Drift; {SCRIPT} 0.5, limit 0.1")
    assert said[2].startswith(f"{IMAGE}: Drift; ")
    assert page.evaluate("document.images.length") == 0


def test_screen_readers_get_landmarks_headings_runs_and_tables(show):
    page = show(render_history_page(STOPPED))
    assert page.get_by_role("banner").count() == page.get_by_role("main").count() == 1
    assert page.get_by_role("heading", level=2).all_inner_texts() == [
        "Runs over time",
        "Which drift went with the metric",
        "Run by run, latest first",
        "What the metrics mean",
    ]
    assert page.get_by_role("img", name="R² of 5 runs").is_visible()
    run = page.get_by_role("link", name="Run 5 · 26 November 2026, 02:23 UTC · span 4 · Stopped")
    assert run.get_attribute("href") == "#run-5"
    # On a telephone the table is laid out as blocks, and stays a table.
    page.set_viewport_size({"width": 390, "height": 800})
    table = page.get_by_role(
        "table", name="Features, worst first: drift from span 3; of numbers, the means"
    )
    assert table.get_by_role("columnheader").all_text_contents() == [
        *("Feature", "Verdict", "Before", "After", "Metric", "Score", "Limit"),
    ]
    assert table.get_by_role("rowheader").all_text_contents() == [
        "alcohol",
        "density",
        "grape",
        "pH",
    ]


def test_a_path_is_selected_as_a_whole_by_one_click(show):
    page = show(render_history_page(FIRST))
    page.get_by_text("files and folders").click()
    page.locator(".paths .path", has_text="model_run").click()
    assert page.evaluate("getSelection().toString()") == (
        "/pipelines/wine/WarmStartTrainer/model_run/9"
    )


def test_a_pipeline_without_metrics_has_a_row_of_outcomes(show):
    runs = [{**run, "metrics": {}} for run in PLAIN["runs"]]
    page = show(render_history_page({**PLAIN, "metric": None, "runs": runs}))
    assert page.locator(".row .label").all_inner_texts() == [
        "Outcome",
        "Start of the model",
        "Run",
    ]


def test_the_focus_can_be_seen(show):
    page = show(render_history_page(STOPPED))
    page.locator(".hits a").last.focus()
    page.keyboard.press("ArrowLeft")
    column = page.locator(".hits a:focus-visible rect")
    assert column.evaluate("(e) => getComputedStyle(e).strokeWidth") == "3px"
    page.keyboard.press("Tab")
    outline = "getComputedStyle(document.activeElement).outlineWidth"
    assert page.evaluate(outline) == "3px"


@pytest.mark.parametrize("width", [1280, 390])
def test_no_number_is_broken_and_no_two_features_look_alike(show, width):
    history = many(12, 6)
    head, tail = "sensor_of_the_tank_in_the_cellar_" * 3, "_in_degrees_celsius" * 3
    names = {feature["name"]: f"{head}{i}{tail}" for i, feature in enumerate(history["features"])}
    for of in (history["features"], history["correlations"]):
        for each in of:
            key = "name" if "name" in each else "feature"
            each[key] = names[each[key]]
    page = show(render_history_page(history), width=width)
    page.evaluate(OPEN_ALL)
    assert page.evaluate(BROKEN_NUMBERS) == []
    labels = page.locator(".strip .name")
    assert len(set(labels.all_inner_texts())) == len(names)
    assert [x.get_attribute("title") for x in labels.all()] == list(names.values())
    cut_off = "(names) => names.filter((x) => x.scrollWidth > x.clientWidth).length"
    assert labels.evaluate_all(cut_off) == 0
