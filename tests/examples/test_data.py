from __future__ import annotations

import gzip
import hashlib
import http.server
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from scipy.stats import spearmanr

from examples.wine_quality import sample_statistics
from examples.wine_quality.constants import COLUMNS, FEATURES, LABEL
from examples.wine_quality.data import (
    ADDRESSES,
    Address,
    WineData,
    WineDataError,
    copy_spans,
    cut,
    load,
    read_csv,
    write_spans,
)
from examples.wine_quality.hyperparameters import TreesHyperparameters
from examples.wine_quality.sample_statistics import Kind
from examples.wine_quality.training_data import TrainingData
from examples.wine_quality.trees_trainer import cross_validate

# Looked for once, without the network. Where there are no real data, the tests of them run on the
# sample, and the test's id says so.
KINDS: tuple[Kind, ...] = ("white", "red")
FOUND = {kind: load(kind=kind, download=False) for kind in KINDS}

each_wine = pytest.mark.parametrize(
    ("kind", "wine"),
    [pytest.param(kind, wine, id=f"{kind}-{wine.source}") for kind, wine in FOUND.items()],
)

HEADER = (
    "fixed acidity,volatile acidity,citric acid,residual sugar,chlorides,free sulfur dioxide,"
    "total sulfur dioxide,density,pH,sulphates,alcohol,quality\n"
)
ROW_1 = "7,0.27,0.36,20.7,0.045,45,170,1.001,3,0.45,8.8,6\n"
ROW_2 = "6.3,0.3,0,1.6,0.049,14,132,0.994,3.3,0.49,9.5,5\n"
TWO_WINES = {
    "fixed_acidity": [7.0, 6.3],
    "volatile_acidity": [0.27, 0.3],
    "citric_acid": [0.36, 0.0],
    "residual_sugar": [20.7, 1.6],
    "chlorides": [0.045, 0.049],
    "free_sulfur_dioxide": [45.0, 14.0],
    "total_sulfur_dioxide": [170.0, 132.0],
    "density": [1.001, 0.994],
    "pH": [3.0, 3.3],
    "sulphates": [0.45, 0.49],
    "alcohol": [8.8, 9.5],
    "quality": [6, 5],
}
SCHEMA = pa.schema([*((name, pa.float64()) for name in FEATURES), (LABEL, pa.int64())])


def a_file(folder: Path, content: str | bytes, name: str = "wine-quality.csv") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


# --- the published data, or their stand-in ---------------------------------------------------


@each_wine
def test_the_columns_have_clean_names_and_types(kind: Kind, wine: WineData) -> None:
    assert wine.table.schema == SCHEMA
    assert wine.table.column_names == COLUMNS
    assert [column.num_chunks for column in wine.table.columns] == [1] * 12


@each_wine
def test_no_value_is_missing(kind: Kind, wine: WineData) -> None:
    assert wine.table.num_rows == {"white": 4898, "red": 1599}[kind]
    assert [column.null_count for column in wine.table.columns] == [0] * 12


@each_wine
def test_the_label_has_the_published_grades(kind: Kind, wine: WineData) -> None:
    grades = set(wine.table[LABEL].to_pylist())
    assert grades == {"white": {3, 4, 5, 6, 7, 8, 9}, "red": {3, 4, 5, 6, 7, 8}}[kind]


@each_wine
def test_zeros_of_citric_acid_stay_zeros(kind: Kind, wine: WineData) -> None:
    zeros = wine.table["citric_acid"].to_pylist().count(0.0)
    # The sample has a heap where a quantile and the next are zero.
    expected = {"white": 19, "red": 132}[kind]
    assert zeros == expected if wine.source == "real" else expected / 2 < zeros < 2 * expected


PUBLISHED = {
    # Mean and deviation of each column, as the article has them or the files give them.
    "white": {
        "fixed_acidity": (6.85479, 0.843868),
        "volatile_acidity": (0.278241, 0.100795),
        "citric_acid": (0.334192, 0.12102),
        "residual_sugar": (6.39141, 5.07206),
        "chlorides": (0.0457724, 0.021848),
        "free_sulfur_dioxide": (35.3081, 17.0071),
        "total_sulfur_dioxide": (138.361, 42.4981),
        "density": (0.994027, 0.00299091),
        "pH": (3.18827, 0.151001),
        "sulphates": (0.489847, 0.114126),
        "alcohol": (10.5143, 1.23062),
        "quality": (5.87791, 0.885639),
    },
    "red": {
        "fixed_acidity": (8.31964, 1.7411),
        "volatile_acidity": (0.527821, 0.17906),
        "citric_acid": (0.270976, 0.194801),
        "residual_sugar": (2.53881, 1.40993),
        "chlorides": (0.0874665, 0.0470653),
        "free_sulfur_dioxide": (15.8749, 10.4602),
        "total_sulfur_dioxide": (46.4678, 32.8953),
        "density": (0.996747, 0.00188733),
        "pH": (3.31111, 0.154386),
        "sulphates": (0.658149, 0.169507),
        "alcohol": (10.423, 1.06567),
        "quality": (5.63602, 0.807569),
    },
}
RANK_CORRELATIONS = {
    ("white", "residual_sugar", "density"): 0.7804,
    ("white", "density", "alcohol"): -0.8219,
    ("white", "alcohol", "quality"): 0.4404,
    ("white", "free_sulfur_dioxide", "total_sulfur_dioxide"): 0.6186,
    ("white", "fixed_acidity", "pH"): -0.4183,
    ("red", "fixed_acidity", "citric_acid"): 0.6617,
    ("red", "fixed_acidity", "pH"): -0.7067,
    ("red", "alcohol", "quality"): 0.4785,
    ("red", "volatile_acidity", "quality"): -0.3806,
}


@each_wine
def test_the_statistics_are_the_published_ones(kind: Kind, wine: WineData) -> None:
    mean, deviation = np.array([PUBLISHED[kind][name] for name in COLUMNS]).T
    values = np.stack([np.asarray(column.to_numpy(), float) for column in wine.table.columns])
    # The literals have six digits. The sample loses what lies between two of its quantiles.
    real = wine.source == "real"
    limits = (1e-5 * mean, 1e-5 * deviation) if real else (0.03 * deviation, 0.12 * deviation)
    assert np.all(np.abs(values.mean(axis=1) - mean) <= limits[0])
    assert np.all(np.abs(values.std(axis=1, ddof=1) - deviation) <= limits[1])
    for (of, one, other), expected in RANK_CORRELATIONS.items():
        if of == kind:
            found = spearmanr(wine.table[one].to_numpy(), wine.table[other].to_numpy()).statistic
            assert found == pytest.approx(expected, abs=6e-5 if real else 0.05), (one, other)


@pytest.mark.parametrize("source", [pytest.param(None, id=FOUND["white"].source)])
def test_the_addresses_expect_the_white_file_with_commas_and_with_semicolons(source: None) -> None:
    # Without the real file, what is known of it are the checksums that others published.
    wine = FOUND["white"]
    mlflow = "66b071bfe464e02aaef19d61fe28ce99b6f75efebb81be0fb58555713c3ab7a6"
    uci = "76c3f809815c17c07212622f776311faeb31e87610d52c26d87d6e361b169836"
    if wine.source == "real":
        content = Path(wine.path).read_bytes()
        mlflow = hashlib.sha256(content.replace(b";", b",")).hexdigest()
        uci = hashlib.sha256(content.replace(b",", b";")).hexdigest()
    assert [address.sha256 for address in ADDRESSES["white"]] == [mlflow, uci]


# --- the sample ------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_the_sample_has_the_published_statistics(kind: Kind) -> None:
    sample = WineData(sample_statistics.draw(kind), "sample", "")
    test_the_columns_have_clean_names_and_types(kind, sample)
    test_no_value_is_missing(kind, sample)
    test_the_label_has_the_published_grades(kind, sample)
    test_the_statistics_are_the_published_ones(kind, sample)


def test_the_sample_is_the_same_at_every_call() -> None:
    assert sample_statistics.draw("white").equals(sample_statistics.draw("white"))
    # And on every machine: a change of these numbers is a change of the sample.
    assert list(sample_statistics.draw("white").slice(0, 1).to_pylist()[0].values()) == [
        *(6.3, 0.293, 0.58, 5.38, 0.039, 25.6, 143.0, 0.99276, 3.3, 0.38, 10.77, 7)
    ]


def test_the_sample_asks_numpy_for_nothing_that_a_release_may_change(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class BitsAlone(np.random.Generator):
        """PCG64's bits, as numbers below 1, are all that NumPy promises to keep."""

        def __getattribute__(self, name: str) -> object:
            assert name == "random", f"{name} is none of the promised streams"
            return super().__getattribute__(name)

    expected = sample_statistics.draw("red")
    monkeypatch.setattr(np.random, "Generator", BitsAlone)
    assert sample_statistics.draw("red").equals(expected)


def test_each_third_of_the_white_sample_has_the_grades_of_the_real_third() -> None:
    counts = [
        [part[LABEL].to_pylist().count(grade) for grade in range(3, 10)]
        for part in cut(sample_statistics.draw("white"), 3)
    ]
    assert counts == [
        [10, 65, 486, 697, 302, 67, 5],
        [5, 59, 549, 686, 276, 58, 0],
        [5, 39, 422, 815, 302, 50, 0],
    ]


@pytest.mark.parametrize("kind", KINDS)
def test_no_row_of_the_sample_is_one_of_the_real_file(kind: Kind) -> None:
    wine = FOUND[kind]
    if wine.source != "real":
        pytest.skip("the real wine data are not there")
    real, sample = (
        {tuple(row.values()) for row in table.select(FEATURES).to_pylist()}
        for table in (wine.table, sample_statistics.draw(kind))
    )
    assert not real & sample


def test_the_committed_statistics_are_those_of_the_real_files(checkout: Path) -> None:
    if any(wine.source != "real" for wine in FOUND.values()):
        pytest.skip("the real wine data are not there")
    done = subprocess.run(
        [sys.executable, checkout / "scripts" / "fit_wine_sample.py", "--check"],
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout) == (0, "sample_statistics.json: as computed\n")


@pytest.mark.parametrize(("kind", "real"), [("white", 0.282), ("red", 0.361)])
def test_a_linear_model_explains_as_much_of_the_sample_as_of_the_real_data(
    kind: Kind, real: float
) -> None:
    table = sample_statistics.draw(kind)
    columns = [np.asarray(column.to_numpy(), float) for column in table.columns]
    features = np.stack([np.ones(table.num_rows), *columns[:-1]], axis=1)
    fit = features @ np.linalg.lstsq(features, columns[-1], rcond=None)[0]
    assert np.corrcoef(fit, columns[-1])[0, 1] ** 2 == pytest.approx(real, abs=0.02)


@pytest.mark.parametrize(
    ("kind", "part", "real"),
    [
        ("white", slice(None), 0.376),
        ("white", slice(0, 1632), 0.361),
        ("white", slice(1632, 3265), 0.388),
        ("white", slice(3265, None), 0.390),
        ("red", slice(None), 0.391),
    ],
)
def test_trees_explain_as_much_of_the_sample_as_of_the_real_data(
    kind: Kind, part: slice, real: float
) -> None:
    rows = sample_statistics.draw(kind).to_pandas()[part]
    data = TrainingData(
        rows[FEATURES].to_numpy(np.float32, copy=True), rows[LABEL].to_numpy(np.float32)
    )
    assert cross_validate(data, TreesHyperparameters()) == pytest.approx(real, abs=0.03)


def test_the_sample_says_why_it_is_not_the_real_data(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    wine = load(environ={}, checkout=tmp_path / "checkout", download=False)

    assert wine.source == "sample"
    assert wine.path == "sample drawn from published statistics of the white wines, not real data"
    assert wine.table.equals(sample_statistics.draw("white"))
    assert caplog.records == []
    (why,) = wine.missing
    assert why.startswith("No file with the white wines was found: put wine-quality.csv (")
    assert ADDRESSES["white"][0].url in why
    assert str(tmp_path / "checkout" / "data") in why


# --- the search ------------------------------------------------------------------------------


@pytest.fixture
def places(tmp_path: Path) -> dict[str, Path]:
    """Every place has a file of one wine with a grade of its own."""
    checkout = tmp_path / "checkout"
    folders = {
        "option": tmp_path / "option",
        "variable": tmp_path / "variable",
        "checkout": checkout / "data",
        "beside": tmp_path / "shared" / "data",
    }
    for grade, folder in enumerate(folders.values(), start=3):
        a_file(folder, HEADER + ROW_1.replace(",6\n", f",{grade}\n"))
    return folders


def grade_of(wine: WineData) -> int:
    (grade,) = wine.table[LABEL].to_pylist()
    return int(grade)


def test_the_places_are_searched_in_order(places: dict[str, Path]) -> None:
    checkout = places["checkout"].parent
    environ = {"WINE_QUALITY_DATA": str(places["variable"])}

    def found(data: Path | None, environ: dict[str, str]) -> tuple[int, str, str]:
        wine = load(data, environ=environ, checkout=checkout, download=False)
        return grade_of(wine), wine.source, wine.path

    def file(place: str) -> str:
        return str(places[place] / "wine-quality.csv")

    assert found(places["option"], environ) == (3, "real", file("option"))
    assert found(None, environ) == (4, "real", file("variable"))
    assert found(None, {}) == (5, "real", file("checkout"))
    (places["checkout"] / "wine-quality.csv").unlink()
    assert found(None, {}) == (6, "real", file("beside"))


def test_a_file_or_its_folder_can_be_named(places: dict[str, Path]) -> None:
    file = a_file(places["option"], HEADER + ROW_2, "any-name.csv")
    assert grade_of(load(str(file))) == 5
    assert grade_of(load(str(places["option"]))) == 3
    assert grade_of(load(environ={"WINE_QUALITY_DATA": str(file)})) == 5


def test_a_tilde_is_the_home_folder(
    places: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(places["option"]))
    assert grade_of(load("~/wine-quality.csv")) == 3


def test_an_empty_environment_variable_is_none(places: dict[str, Path]) -> None:
    wine = load(environ={"WINE_QUALITY_DATA": ""}, checkout=places["checkout"].parent)
    assert grade_of(wine) == 5


def test_a_folder_may_hold_the_names_of_uci(tmp_path: Path) -> None:
    white = a_file(tmp_path, HEADER + ROW_1, "winequality-white.csv")
    red = a_file(tmp_path, HEADER + ROW_2, "winequality-red.csv")
    assert load(tmp_path).path == str(white)
    assert load(tmp_path, kind="red").path == str(red)


def test_a_named_path_that_does_not_exist_is_an_error(places: dict[str, Path]) -> None:
    checkout = places["checkout"].parent
    nowhere = places["option"] / "nowhere.csv"
    with pytest.raises(WineDataError, match=rf"--data: {nowhere}: expected a file, found nothing"):
        load(nowhere, checkout=checkout)
    with pytest.raises(WineDataError, match=rf"\$WINE_QUALITY_DATA: {nowhere}: expected a file"):
        load(environ={"WINE_QUALITY_DATA": str(nowhere)}, checkout=checkout)
    with pytest.raises(WineDataError, match="--data: expected a path, found an empty text"):
        load("", checkout=checkout)


def test_a_named_folder_without_the_file_is_an_error(places: dict[str, Path]) -> None:
    (places["option"] / "wine-quality.csv").unlink()
    with pytest.raises(
        WineDataError,
        match=rf"--data: {places['option']}: expected wine-quality.csv or winequality-white.csv in "
        r"this folder, found none. Name the file, or a folder that holds",
    ):
        load(places["option"], checkout=places["checkout"].parent)


def test_a_bad_file_that_was_found_is_an_error_and_not_passed_over(places: dict[str, Path]) -> None:
    file = a_file(places["checkout"], "")
    with pytest.raises(WineDataError, match=rf"^{file}: .*found an empty file"):
        load(environ={}, checkout=places["checkout"].parent)


# --- the download ----------------------------------------------------------------------------


class Server:
    """An HTTP server on the loopback interface."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.stalled: set[str] = set()
        self.requests: list[str] = []
        self.closing = threading.Event()
        server = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                server.requests.append(self.path)
                if self.path in server.stalled:
                    self.send_response(200)
                    self.send_header("Content-Length", "1000")
                    self.end_headers()
                    # A byte now and then: no single read ever times out.
                    while not server.closing.wait(0.1):
                        try:
                            self.wfile.write(b" ")
                        except OSError:
                            return
                elif self.path in server.files:
                    self.send_response(200)
                    self.end_headers()
                    self.wfile.write(server.files[self.path])
                else:
                    self.send_error(404)

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.02,))
        self._thread.start()

    def address(self, path: str, content: str) -> Address:
        """The address of a path that is expected to have this content."""
        port = self._http.server_address[1]
        sha256 = hashlib.sha256(content.encode()).hexdigest()
        return Address(f"http://127.0.0.1:{port}{path}", sha256)

    def close(self) -> None:
        if not self.closing.is_set():
            self.closing.set()
            self._http.shutdown()
            self._http.server_close()
            self._thread.join()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    server = Server()
    yield server
    server.close()


def downloaded(tmp_path: Path, *addresses: Address, seconds: float = 5.0) -> WineData:
    return load(
        environ={},
        checkout=tmp_path / "checkout",
        addresses=addresses,
        cache=tmp_path / "cache",
        download_seconds=seconds,
    )


def cached(tmp_path: Path) -> list[str]:
    return sorted(path.name for path in (tmp_path / "cache").iterdir())


def test_a_download_is_cached_and_the_network_needed_once(tmp_path: Path, server: Server) -> None:
    server.files["/a/wine.csv"] = (HEADER + ROW_1).encode()
    address = server.address("/a/wine.csv", HEADER + ROW_1)

    first = downloaded(tmp_path, address)
    server.close()
    second = downloaded(tmp_path, address)

    name = f"{address.sha256[:8]}-wine.csv"
    assert server.requests == ["/a/wine.csv"]
    assert cached(tmp_path) == [name]
    assert (tmp_path / "cache" / name).read_bytes() == (HEADER + ROW_1).encode()
    assert first.source == "real"
    assert first.path == f"{address.url} (cached in {tmp_path / 'cache' / name})"
    assert grade_of(first) == 6
    assert second == first


def test_a_wrong_checksum_is_refused_and_the_next_address_is_tried(
    tmp_path: Path, server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    server.files["/changed.csv"] = (HEADER + ROW_1).encode()
    server.files["/right.csv"] = (HEADER + ROW_2).replace(",", ";").encode()
    changed = server.address("/changed.csv", "something else")
    right = server.address("/right.csv", (HEADER + ROW_2).replace(",", ";"))

    wine = downloaded(tmp_path, changed, right)

    assert server.requests == ["/changed.csv", "/right.csv"]
    assert grade_of(wine) == 5
    assert cached(tmp_path) == [f"{right.sha256[:8]}-right.csv"]
    (warning,) = [r.getMessage() for r in caplog.records if r.name.startswith("examples")]
    assert warning.startswith(f"Cannot download the wine data from {changed.url}: ValueError: ")
    assert changed.sha256 in warning


def test_a_cached_file_of_a_later_address_spares_the_earlier_ones(
    tmp_path: Path, server: Server
) -> None:
    server.files["/right.csv"] = (HEADER + ROW_2).encode()
    absent = server.address("/absent.csv", HEADER)
    right = server.address("/right.csv", HEADER + ROW_2)

    downloaded(tmp_path, absent, right)
    assert server.requests == ["/absent.csv", "/right.csv"]
    downloaded(tmp_path, absent, right)
    assert server.requests == ["/absent.csv", "/right.csv"]


def test_a_cached_file_that_was_damaged_is_downloaded_anew(tmp_path: Path, server: Server) -> None:
    server.files["/wine.csv"] = (HEADER + ROW_1).encode()
    address = server.address("/wine.csv", HEADER + ROW_1)
    downloaded(tmp_path, address)
    a_file(tmp_path / "cache", HEADER, cached(tmp_path)[0])

    assert grade_of(downloaded(tmp_path, address)) == 6
    assert server.requests == ["/wine.csv", "/wine.csv"]


def test_the_sample_is_drawn_where_no_address_answers(
    tmp_path: Path, server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        refused = Address(f"http://127.0.0.1:{unused.getsockname()[1]}/wine.csv", "0" * 64)
        absent = server.address("/absent.csv", HEADER)

        wine = downloaded(tmp_path, refused, absent)

    assert wine.source == "sample"
    first, second, third = wine.missing
    assert first.startswith("No file with the white wines was found")
    assert second.startswith(f"Cannot download the wine data from {refused.url}: ConnectionError")
    assert third.startswith(f"Cannot download the wine data from {absent.url}: HTTPError: 404")
    assert caplog.records == []


def test_a_server_that_never_finishes_costs_the_time_limit_and_no_more(
    tmp_path: Path, server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    server.stalled.add("/slow.csv")
    server.files["/wine.csv"] = (HEADER + ROW_1).encode()
    slow = server.address("/slow.csv", HEADER)
    wine_address = server.address("/wine.csv", HEADER + ROW_1)

    start = time.monotonic()
    wine = downloaded(tmp_path, slow, wine_address, seconds=1.0)

    assert 1.0 <= time.monotonic() - start < 30.0
    assert grade_of(wine) == 6
    assert "expected it within 1 s, found no complete file by then" in caplog.text


def test_no_download_opens_no_connection(tmp_path: Path, server: Server) -> None:
    server.files["/wine.csv"] = (HEADER + ROW_1).encode()
    wine = load(
        environ={},
        checkout=tmp_path / "checkout",
        download=False,
        addresses=[server.address("/wine.csv", HEADER + ROW_1)],
        cache=tmp_path / "cache",
    )
    assert wine.source == "sample"
    assert server.requests == []
    assert not (tmp_path / "cache").exists()


# --- what a file may look like ---------------------------------------------------------------


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(HEADER + ROW_1 + ROW_2, id="as published by MLflow"),
        pytest.param((HEADER + ROW_1 + ROW_2).replace(",", ";"), id="semicolons, as UCI has it"),
        pytest.param(
            '"' + HEADER.strip().replace(",", '","') + '"\n' + ROW_1 + ROW_2, id="quoted names"
        ),
        pytest.param(HEADER.replace(" ", "_") + ROW_1 + ROW_2, id="clean names"),
        pytest.param((HEADER + ROW_1 + ROW_2).replace("\n", "\r\n"), id="CRLF"),
        pytest.param("\ufeff" + HEADER + ROW_1 + ROW_2, id="byte order mark"),
        pytest.param((HEADER + ROW_1 + ROW_2).strip(), id="no newline at the end"),
        pytest.param("\n" + HEADER + "\n" + ROW_1 + "\n\n" + ROW_2 + "\n", id="blank lines"),
        pytest.param(HEADER + ROW_1.replace("0.27", '"0.27"') + ROW_2, id="quoted numbers"),
        pytest.param(gzip.compress((HEADER + ROW_1 + ROW_2).encode()), id="gzipped"),
    ],
)
def test_a_file_is_read_whatever_its_dialect(tmp_path: Path, content: str | bytes) -> None:
    table = read_csv(a_file(tmp_path, content))
    assert table.schema == SCHEMA
    assert table.to_pydict() == TWO_WINES


def test_columns_may_stand_in_any_order(tmp_path: Path) -> None:
    lines = [",".join(reversed(line.strip().split(","))) for line in (HEADER, ROW_1, ROW_2)]
    assert read_csv(a_file(tmp_path, "\n".join(lines))).to_pydict() == TWO_WINES


def test_additional_columns_are_dropped_with_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = a_file(
        tmp_path,
        "Id," + HEADER.replace("\n", ",note\n") + "1," + ROW_1.replace("\n", ',"dry,\nfruity"\n')
        + "2," + ROW_2.replace("\n", ",\n"),
    )  # fmt: skip
    assert read_csv(path).to_pydict() == TWO_WINES
    assert [record.getMessage() for record in caplog.records] == [
        f"{path}: dropped the columns that are not wine data: ['Id', 'note']."
    ]


@pytest.mark.parametrize("cell", ["", '""', "NA", "NaN", "nan", "NULL", "null"])
def test_an_empty_cell_is_a_null(tmp_path: Path, cell: str) -> None:
    path = a_file(tmp_path, HEADER + ROW_1.replace("0.36", cell) + ROW_2)
    assert read_csv(path).to_pydict() == {**TWO_WINES, "citric_acid": [None, 0.0]}


# --- what a file may not look like -----------------------------------------------------------


@pytest.mark.parametrize(
    "content",
    [
        pytest.param("", id="empty"),
        pytest.param(" \n\n", id="blank"),
        pytest.param(HEADER, id="header only"),
        pytest.param(b"PAR1\x15\x04\x00\x10", id="Parquet"),
        pytest.param(b"\x1f\x8b\x08\x00\x00\x00", id="gzip, cut off"),
        pytest.param("\n<!DOCTYPE html>\n<html><body>Not found</body></html>", id="HTML"),
        pytest.param((HEADER + ROW_1).encode("utf-16"), id="UTF-16"),
        pytest.param(HEADER + ROW_1 + "6.3,0.3,0\n", id="too few cells"),
        pytest.param(HEADER + ROW_1.replace("\n", ",9\n") + ROW_2, id="too many cells"),
        pytest.param(HEADER + ROW_1 + '"' + ROW_2 * 3000, id="a quote that is never closed"),
    ],
)
def test_what_the_library_does_not_read_as_csv_is_refused_by_its_name(
    tmp_path: Path, content: str | bytes
) -> None:
    path = a_file(tmp_path, content)
    with pytest.raises(WineDataError, match=rf"^{path}: "):
        read_csv(path)


A_NUMBER = "expected a finite number with a decimal point, or an empty cell"
A_WHOLE_NUMBER = "expected a whole number, never missing"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param(
            HEADER.replace("pH,", "") + ROW_1.replace(",3,", ","),
            f"missing column 'pH': expected the names {COLUMNS}, found "
            f"{[name for name in COLUMNS if name != 'pH']}. Add what is missing, or download the "
            "file anew.",
            id="missing column",
        ),
        pytest.param(
            HEADER.replace("chlorides", "salt").replace("quality", "grade") + ROW_1,
            f"missing columns 'chlorides', 'quality': expected the names {COLUMNS}, found "
            + str([{"chlorides": "salt", "quality": "grade"}.get(n, n) for n in COLUMNS])
            + ". Add what is missing, or download the file anew.",
            id="missing columns",
        ),
        pytest.param(
            HEADER.replace("\n", ",fixed_acidity\n") + ROW_1.replace("\n", ",3\n"),
            "duplicate column 'fixed_acidity': expected every name once, found "
            f"{[*COLUMNS, 'fixed_acidity']}. Remove or rename one of them.",
            id="one name in two spellings",
        ),
        pytest.param(
            HEADER + ROW_1 + ROW_2.replace("9.5", "strong"),
            f"column 'alcohol': row 2: {A_NUMBER}, found 'strong'. Correct the cell, or remove "
            "the row.",
            id="text in a number column",
        ),
        pytest.param(
            (HEADER + "\n" + ROW_1).replace(",", ";").replace("8.8", "8,8"),
            f"column 'alcohol': row 1: {A_NUMBER}, found '8,8'. Correct the cell, or remove the "
            "row.",
            id="decimal comma after a blank line",
        ),
        pytest.param(
            HEADER.encode() + ROW_1.encode() + ROW_2.replace("6.3", "6.3\xb0").encode("latin-1"),
            f"column 'fixed_acidity': row 2: {A_NUMBER}, found '6.3\ufffd'. Correct the cell, or "
            "remove the row.",
            id="Latin-1",
        ),
        pytest.param(
            HEADER + ROW_1 + ROW_2.replace("9.5", "1e999"),
            f"column 'alcohol': row 2: {A_NUMBER}, found 'inf'. Correct the cell, or remove the "
            "row.",
            id="too large a number",
        ),
        pytest.param(
            HEADER + ROW_1 + ROW_2.replace("9.5", "-inf"),
            f"column 'alcohol': row 2: {A_NUMBER}, found '-inf'. Correct the cell, or remove the "
            "row.",
            id="infinity",
        ),
        pytest.param(
            HEADER + ROW_1 + ROW_2.replace("9.5", " "),
            f"column 'alcohol': row 2: {A_NUMBER}, found ' '. Correct the cell, or remove the row.",
            id="a space",
        ),
        pytest.param(
            HEADER + ROW_1.replace("8.8", "true") + ROW_2.replace("9.5", "false"),
            f"column 'alcohol': row 1: {A_NUMBER}, found 'True'. Correct the cell, or remove the "
            "row.",
            id="yes and no",
        ),
        pytest.param(
            HEADER + ROW_1.replace(",6\n", ",good\n") + ROW_2,
            f"column 'quality': row 1: {A_WHOLE_NUMBER}, found 'good'. Correct the cell, or remove "
            "the row.",
            id="text in the label",
        ),
        pytest.param(
            HEADER + ROW_1.replace(",6\n", ",6.5\n") + ROW_2,
            f"column 'quality': row 1: {A_WHOLE_NUMBER}, found '6.5'. Correct the cell, or remove "
            "the row.",
            id="a fraction in the label",
        ),
        pytest.param(
            HEADER + ROW_1 + ROW_2.replace(",5\n", ",\n"),
            f"column 'quality': row 2: {A_WHOLE_NUMBER}, found ''. Correct the cell, or remove "
            "the row.",
            id="no label",
        ),
    ],
)
def test_what_is_no_wine_gets_an_error_that_names_file_column_and_row(
    tmp_path: Path, content: str | bytes, message: str
) -> None:
    path = a_file(tmp_path, content)
    with pytest.raises(WineDataError, match=rf"^{re.escape(f'{path}: {message}')}$"):
        read_csv(path)


def test_the_row_is_found_in_a_long_file(tmp_path: Path) -> None:
    # Beyond the first megabyte, by which the library guesses that the column holds numbers.
    wines = ROW_1 * 25_000
    path = a_file(tmp_path, HEADER + wines + ROW_1.replace("170", "many") + wines)
    with pytest.raises(WineDataError, match=r"column 'total_sulfur_dioxide': row 25001: .*'many'"):
        read_csv(path)


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "nowhere.csv"
    with pytest.raises(WineDataError, match=rf"^{path}: expected a file, found nothing there\."):
        read_csv(path)
    with pytest.raises(WineDataError, match=rf"^{tmp_path}: expected a file, found a folder\."):
        read_csv(tmp_path)


# --- the spans -------------------------------------------------------------------------------

SEVEN = pa.table({"quality": [3, 4, 5, 6, 7, 8, 9]})


def grades(files: list[Path]) -> list[list[int]]:
    return [pq.read_table(file)["quality"].to_pylist() for file in files]


def test_spans_cut_the_rows_in_their_order(tmp_path: Path) -> None:
    files = write_spans(cut(SEVEN, 3), tmp_path / "spans")
    assert [str(file.relative_to(tmp_path)) for file in files] == [
        "spans/span-1/wine-quality.parquet",
        "spans/span-2/wine-quality.parquet",
        "spans/span-3/wine-quality.parquet",
    ]
    assert grades(files) == [[3, 4], [5, 6], [7, 8, 9]]


@each_wine
def test_one_span_holds_the_whole_table(tmp_path: Path, kind: Kind, wine: WineData) -> None:
    (file,) = write_spans([wine.table], tmp_path)
    assert pq.read_table(file).equals(wine.table)


def test_nulls_survive_in_a_span(tmp_path: Path) -> None:
    table = read_csv(a_file(tmp_path, HEADER + ROW_1.replace("0.36", "") + ROW_2))
    (file,) = write_spans([table], tmp_path / "spans")
    assert pq.read_table(file).equals(table)


def test_the_same_data_give_the_same_bytes(tmp_path: Path) -> None:
    table = sample_statistics.draw("red")
    in_chunks = pa.concat_tables([table.slice(0, 700), table.slice(700)])
    with_metadata = table.replace_schema_metadata({"made": "today"})
    written = [
        [file.read_bytes() for file in write_spans(cut(same, 2), tmp_path / name)]
        for name, same in [("a", table), ("a", table), ("b", in_chunks), ("c", with_metadata)]
    ]
    assert written[1:] == written[:1] * 3


def test_fewer_spans_leave_none_of_an_earlier_call(tmp_path: Path) -> None:
    write_spans(cut(SEVEN, 4), tmp_path)
    a_file(tmp_path / "span-3", "mine", "notes.txt")
    a_file(tmp_path / "span-last", "mine", "wine-quality.parquet")

    files = write_spans(cut(SEVEN, 2), tmp_path)

    assert grades(files) == [[3, 4, 5], [6, 7, 8, 9]]
    left = sorted(str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*") if p.is_file())
    assert left == [
        "span-1/wine-quality.parquet",
        "span-2/wine-quality.parquet",
        "span-3/notes.txt",
        "span-last/wine-quality.parquet",
    ]
    assert not (tmp_path / "span-4").exists()


def test_a_failed_write_leaves_the_earlier_spans_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = write_spans(cut(SEVEN, 2), tmp_path)
    write_table = pq.write_table

    def fails_on_the_second(table: pa.Table, where: Path) -> None:
        write_table(table, where)
        if where.name == "span-2":
            where.write_bytes(where.read_bytes()[:10])
            raise OSError("No space left on device")

    monkeypatch.setattr(pq, "write_table", fails_on_the_second)
    with pytest.raises(OSError, match="No space left on device"):
        write_spans(cut(SEVEN.slice(0, 4), 2), tmp_path)

    assert grades(before) == [[3, 4, 5], [6, 7, 8, 9]]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["span-1", "span-2"]


def test_spans_are_copied_in_their_layout(tmp_path: Path) -> None:
    spans = write_spans(cut(SEVEN, 2), tmp_path / "made")

    copy_spans(spans, f"{tmp_path}/copies/")

    copies = [tmp_path / "copies" / f"span-{n}" / "wine-quality.parquet" for n in (1, 2)]
    assert [copy.read_bytes() for copy in copies] == [span.read_bytes() for span in spans]


def test_spans_must_be_at_least_one_and_at_most_the_rows() -> None:
    with pytest.raises(ValueError, match="spans: expected a whole number of at least 1, found 0"):
        cut(SEVEN, 0)
    with pytest.raises(WineDataError, match=r"found 8 spans for 7 rows\. Ask for fewer spans"):
        cut(SEVEN, 8)
