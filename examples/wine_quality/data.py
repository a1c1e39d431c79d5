"""Finds the wine data, reads it, and cuts it into the Parquet spans that the pipeline reads.

The data set: P. Cortez, A. Cerdeira, F. Almeida, T. Matos, J. Reis, "Modeling wine preferences
by data mining from physicochemical properties", Decision Support Systems 47(4), 2009; UCI Machine
Learning Repository, "Wine Quality", CC BY 4.0.

Example:
    >>> wine = load(environ={}, checkout=Path("no-such-folder"), download=False)
    >>> wine.source, wine.table.num_rows
    ('sample', 4898)
"""

from __future__ import annotations

import logging
import math
import os
import re
import shutil
import tempfile
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.parquet as pq

from examples.wine_quality import sample_statistics
from examples.wine_quality.constants import COLUMNS, LABEL
from examples.wine_quality.sample_statistics import Kind
from tfx_wine_ext.files.choose import files_for
from tfx_wine_ext.sources.csv import CsvTable
from tfx_wine_ext.sources.source import SchemaChangedError, TableFileError

_log = logging.getLogger(__name__)

CHECKOUT = Path(__file__).resolve().parents[2]
"""The folder that holds `examples/`."""

ENVIRONMENT_VARIABLE = "WINE_QUALITY_DATA"
"""Names the file, or the folder that holds it, if `--data` is not given."""

FILE_NAMES: Mapping[Kind, tuple[str, ...]] = {
    "white": ("wine-quality.csv", "winequality-white.csv"),
    "red": ("winequality-red.csv",),
}
"""The names of the file of each kind in a folder: MLflow's name first, then UCI's."""

SPAN_FILE = "wine-quality.parquet"
"""The one file in each `span-N/`."""

DOWNLOAD_SECONDS = 6.0
"""Time limit for one address, name look-up included, before the next one is tried.

The file has 264 kB, which takes 6 s at 350 kbit/s. A machine without a network waits at most 12 s
(two addresses), and usually not at all, because the name look-up fails at once.
"""

SAMPLE_WARNING = (
    "THESE ARE NOT THE REAL WINES but a sample like them: the results say nothing about wine."
)
"""The warning that all programs show once if their results come from the sample."""


class WineDataError(ValueError):
    """The wine data are missing or cannot be used; the message says where and what to do."""


@dataclass(frozen=True)
class WineData:
    """The wine data and where they came from.

    Attributes:
        table: The columns of `constants.COLUMNS` in that order: float64 features, int64 label,
            rows in the file's order. Features may have nulls, the label has none.
        source: `real` if read from a file, `sample` if drawn from published statistics.
        path: Text for a person: the file, the address that it was downloaded from, or a description
            of the sample.
        missing: Sentences that say why these are not the real data; empty if they are.
    """

    table: pa.Table
    source: Literal["real", "sample"]
    path: str
    missing: tuple[str, ...] = ()


@dataclass(frozen=True)
class Address:
    """A public address of a data file.

    Attributes:
        url: Where it is.
        sha256: The checksum of its content, 64 hexadecimal digits.
    """

    url: str
    sha256: str


# The commit is the one that MLflow's own tests read the file from; the file has since been
# removed from its main branch. UCI's checksums are those that TensorFlow Datasets publishes
# (structured/wine_quality/checksums.tsv). UCI's white file is MLflow's with `;` for `,`.
_MLFLOW = (
    "https://raw.githubusercontent.com/mlflow/mlflow/594a08f2a49c5754bb65d76cd719c15c5b8266e9"
    "/examples/sklearn_elasticnet_wine"
)
_UCI = "https://archive.ics.uci.edu/ml/machine-learning-databases/wine-quality"
ADDRESSES: Mapping[Kind, tuple[Address, ...]] = {
    "white": (
        Address(
            f"{_MLFLOW}/wine-quality.csv",
            "66b071bfe464e02aaef19d61fe28ce99b6f75efebb81be0fb58555713c3ab7a6",
        ),
        Address(
            f"{_UCI}/winequality-white.csv",
            "76c3f809815c17c07212622f776311faeb31e87610d52c26d87d6e361b169836",
        ),
    ),
    "red": (
        Address(
            f"{_UCI}/winequality-red.csv",
            "4a402cf041b025d4566d954c3b9ba8635a3a8a01e039005d97d6a710278cf05e",
        ),
    ),
}
"""Where the data are downloaded from, in the order in which the addresses are tried."""


def load(
    data: str | os.PathLike[str] | None = None,
    *,
    environ: Mapping[str, str] = os.environ,
    checkout: Path = CHECKOUT,
    download: bool = True,
    kind: Kind = "white",
    addresses: Sequence[Address] | None = None,
    cache: Path | None = None,
    download_seconds: float = DOWNLOAD_SECONDS,
) -> WineData:
    """Finds and reads the wine data.

    The first of these that exists is taken:

    1. `data`: a file, or a folder that holds one of `FILE_NAMES`;
    2. the environment variable `WINE_QUALITY_DATA`, likewise (ignored if it is empty);
    3. `data/` in the checkout;
    4. `shared/data/` beside the checkout;
    5. the user's cache, else a download from `addresses` into it, checked by its sha256;
    6. a sample drawn from published statistics (see `sample_statistics.draw`). `missing` then says
       why; whatever shows its results must show `SAMPLE_WARNING`.

    A path that was named (1, 2) must be usable, and so must a file that was found (3, 4): an
    unusable file is an error, and the next place is not tried.

    Args:
        data: The value of `--data`. Default: not given.
        environ: The environment variables.
        checkout: The folder for steps 3 and 4.
        download: Whether step 5 is taken. If False, neither the network nor the cache is used.
        kind: The data set: `white` (4,898 wines) or `red` (1,599 wines).
        addresses: What to download from. Default: `ADDRESSES[kind]`.
        cache: The folder of the downloaded files. Default: `tfx_wine_ext` in the platform's cache
            folder for the user.
        download_seconds: Time limit for one address, in seconds.

    Returns:
        The table, whether it is real, and where it came from.

    Raises:
        WineDataError: If a named path does not exist or is a folder without the file, or if a
            file cannot be read as wine data (see `read_csv`).
    """
    named = environ.get(ENVIRONMENT_VARIABLE)
    if data is not None:
        path: Path | None = _named_file(data, "--data", kind)
    elif named:
        path = _named_file(named, f"${ENVIRONMENT_VARIABLE}", kind)
    else:
        path = _file_in(checkout / "data", kind) or _file_in(
            checkout.parent / "shared" / "data", kind
        )
    if path is not None:
        return WineData(read_csv(path), "real", str(path))

    missing = [
        f"No file with the {kind} wines was found: put {FILE_NAMES[kind][0]} "
        f"({ADDRESSES[kind][0].url}) into {checkout / 'data'}, or name it with --data or "
        f"${ENVIRONMENT_VARIABLE}."
    ]
    if download:
        downloaded, failures = _download(
            ADDRESSES[kind] if addresses is None else addresses, cache, download_seconds
        )
        if downloaded is not None:
            for failure in failures:
                _log.warning("%s", failure)
            path, url = downloaded
            return WineData(read_csv(path), "real", f"{url} (cached in {path})")
        missing += failures
    return WineData(
        sample_statistics.draw(kind),
        "sample",
        f"sample drawn from published statistics of the {kind} wines, not real data",
        tuple(missing),
    )


def read_csv(path: str | os.PathLike[str]) -> pa.Table:
    r"""Reads a file of wine data with the library's CSV reader, and checks what makes it wine data.

    The columns may have any order, and spaces in their names count as `_`. Columns that are not in
    `constants.COLUMNS` are dropped with a warning in the log. Empty cells, and what R, pandas and
    SQL write for them, become nulls; the label must not be missing.

    Args:
        path: The file, as `tfx_wine_ext.sources.csv.CsvTable` reads it: plain or gzipped.

    Returns:
        The columns of `constants.COLUMNS` in that order, each in one chunk: float64 features,
        int64 label, rows in the file's order.

    Raises:
        WineDataError: If the file is missing or is no CSV file with rows, lacks a column or has one
            twice, or has a cell that is not a finite number (label: a whole number). The message
            names the file, the column and the row.

    Example:
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = Path(folder, "wine.csv")
        ...     names = '"fixed acidity";"volatile acidity";"citric acid";"residual sugar";' + (
        ...         '"chlorides";"free sulfur dioxide";"total sulfur dioxide";"density";"pH";'
        ...         '"sulphates";"alcohol";"quality"')
        ...     _ = file.write_text(names + "\n7;0.27;;20.7;0.045;45;170;1.001;3;0.45;8.8;6\n")
        ...     read_csv(file).select(["fixed_acidity", "citric_acid", "quality"]).to_pylist()
        [{'fixed_acidity': 7.0, 'citric_acid': None, 'quality': 6}]
    """
    if not os.path.isfile(path):
        found = "a folder" if os.path.isdir(path) else "nothing there"
        raise WineDataError(
            f"{path}: expected a file, found {found}. Name a CSV file of wine data."
        )
    try:
        source = CsvTable([os.fspath(path)], lambda name: _clean(name) in COLUMNS)
        _check_names(path, [_clean(name) for name in source.names])
        table = _all_rows(source)
    except TableFileError as error:
        raise WineDataError(str(error)) from error
    cells = {_clean(name): table[name].to_pylist() for name in table.column_names}
    columns = {name: _numbers(path, name, cells[name]) for name in COLUMNS}
    types = [(name, pa.int64() if name == LABEL else pa.float64()) for name in COLUMNS]
    return pa.table(columns, pa.schema(types))


def _clean(name: str) -> str:
    """Returns a column's name as `constants.COLUMNS` spells it."""
    return name.strip().replace(" ", "_")


def _check_names(path: str | os.PathLike[str], names: Sequence[str]) -> None:
    missing = [name for name in COLUMNS if name not in names]
    if missing:
        raise WineDataError(
            f"{path}: missing column{'s' if len(missing) > 1 else ''} "
            f"{', '.join(map(repr, missing))}: expected the names {COLUMNS}, found {names}. "
            "Add what is missing, or download the file anew."
        )
    twice = [name for name in COLUMNS if names.count(name) > 1]
    if twice:
        raise WineDataError(
            f"{path}: duplicate column{'s' if len(twice) > 1 else ''} "
            f"{', '.join(map(repr, twice))}: expected every name once, found {names}. "
            "Remove or rename one of them."
        )
    dropped = [name for name in names if name not in COLUMNS]
    if dropped:
        _log.warning("%s: dropped the columns that are not wine data: %s.", path, dropped)


def _all_rows(source: CsvTable) -> pa.Table:
    while True:
        try:
            return pa.Table.from_batches(source.batches(), source.schema)
        except SchemaChangedError:  # A later row has corrected the type of a column.
            continue


def _numbers(path: str | os.PathLike[str], name: str, cells: Sequence[Any]) -> list[float | None]:
    """Returns the cells of a column as numbers, those of the label as integers."""
    numbers: list[float | None] = []
    for row, cell in enumerate(cells, start=1):
        number = None if cell in (None, b"") else _number(cell)
        if name != LABEL:
            expected = "a finite number with a decimal point, or an empty cell"
            is_good = number is None or math.isfinite(number)
        else:
            expected = "a whole number, never missing"
            is_good = number is not None and number.is_integer() and abs(number) < 2**53
        if not is_good:
            shown = "" if cell is None else cell
            shown = shown.decode("utf-8", "replace") if isinstance(shown, bytes) else str(shown)
            raise WineDataError(
                f"{path}: column {name!r}: row {row}: expected {expected}, found "
                f"{shown[:80]!r}. Correct the cell, or remove the row."
            )
        numbers.append(int(number) if name == LABEL and number is not None else number)
    return numbers


def _number(cell: Any) -> float:
    """Returns a cell as a number, NaN if it is none; in a column with other cells it is bytes."""
    try:
        return float(cell) if isinstance(cell, (float, bytes)) else math.nan
    except ValueError:
        return math.nan


def cut(table: pa.Table, spans: int) -> list[pa.Table]:
    """Cuts the data into spans, in order, whose lengths differ by at most one row.

    Args:
        table: The data, at least one row per span.
        spans: Number of spans.

    Raises:
        ValueError: If `spans` is less than 1.
        WineDataError: If there are fewer rows than spans.

    Example:
        >>> [part["quality"].to_pylist() for part in cut(pa.table({"quality": [5, 6, 7]}), 2)]
        [[5], [6, 7]]
    """
    if spans < 1:
        raise ValueError(f"spans: expected a whole number of at least 1, found {spans}.")
    if table.num_rows < spans:
        raise WineDataError(
            f"spans: expected at most one per row, found {spans} spans for {table.num_rows} rows. "
            "Ask for fewer spans."
        )
    bounds = [i * table.num_rows // spans for i in range(spans + 1)]
    return [table.slice(start, end - start) for start, end in zip(bounds, bounds[1:])]


def write_spans(spans: Sequence[pa.Table], folder: str | os.PathLike[str]) -> list[Path]:
    """Writes each span as Parquet.

    The layout is `folder/span-1/wine-quality.parquet`, `folder/span-2/...`, which TFX reads with
    the pattern `span-{SPAN}/*.parquet`. Nothing half-written can be read: every file is complete
    before the first one takes its place. The same spans give the same bytes (under the same version
    of Arrow). Spans that an earlier call left and this one does not write are removed; other files
    are left alone.

    Args:
        spans: The tables, in their order in time.
        folder: Where they go. It is created if it is missing.

    Returns:
        The files in the order of the spans.

    Example:
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     files = write_spans(cut(pa.table({"quality": [5, 6, 7]}), 2), folder)
        ...     [pq.read_table(file)["quality"].to_pylist() for file in files]
        [[5], [6, 7]]
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    files = [folder / f"span-{number}" / SPAN_FILE for number in range(1, len(spans) + 1)]
    with tempfile.TemporaryDirectory(prefix=".writing-", dir=folder) as scratch:
        written = [Path(scratch, file.parent.name) for file in files]
        for span, file in zip(spans, written):
            pq.write_table(span.replace_schema_metadata(None), file)
        for ready, file in zip(written, files):
            file.parent.mkdir(exist_ok=True)
            os.replace(ready, file)
    _remove_stale_spans(folder, keep=files)
    return files


def copy_spans(spans: Sequence[Path], data_root: str) -> None:
    """Copies the files of `write_spans` to a folder on any file system.

    Args:
        spans: The files, in the order of the spans.
        data_root: The folder, such as ``s3://wine/data``.
    """
    files = files_for(data_root)
    for number, span in enumerate(spans, start=1):
        target = f"{data_root.rstrip('/')}/span-{number}/{SPAN_FILE}"
        with span.open("rb") as source, files.create(target) as copy:
            shutil.copyfileobj(source, copy)


def _remove_stale_spans(folder: Path, keep: Sequence[Path]) -> None:
    """Removes the files of earlier calls, and their folders unless something else is in them."""
    for file in folder.glob(f"span-*/{SPAN_FILE}"):
        if file not in keep and re.fullmatch(r"span-\d+", file.parent.name):
            file.unlink()
            if not any(file.parent.iterdir()):
                file.parent.rmdir()


def _named_file(value: str | os.PathLike[str], origin: str, kind: Kind) -> Path:
    """Returns the file that a user named, directly or by its folder."""
    expected = " or ".join(FILE_NAMES[kind])
    advice = f"Name the file, or a folder that holds {expected}."
    if not os.fspath(value):
        raise WineDataError(f"{origin}: expected a path, found an empty text. {advice}")
    path = Path(value).expanduser()
    if path.is_dir():
        file = _file_in(path, kind)
        if file is None:
            raise WineDataError(
                f"{origin}: {path}: expected {expected} in this folder, found none. {advice}"
            )
        return file
    if not path.exists():
        raise WineDataError(f"{origin}: {path}: expected a file, found nothing there. {advice}")
    return path


def _file_in(folder: Path, kind: Kind) -> Path | None:
    """Returns the data file in a folder, None if there is none."""
    candidates = (folder / name for name in FILE_NAMES[kind])
    return next((path for path in candidates if path.is_file()), None)


def _download(
    addresses: Sequence[Address], cache: Path | None, seconds: float
) -> tuple[tuple[Path, str] | None, list[str]]:
    """Returns the cached or downloaded file with its address, and why earlier addresses failed."""
    # This import takes half a second, which only a user without the data should pay.
    try:
        import pooch
    except ImportError:
        return None, ["Cannot download the wine data: expected pooch, found it is not installed."]

    folder = Path(pooch.os_cache("tfx_wine_ext")) if cache is None else cache
    # The checksum in the name keeps two versions of one name apart.
    files = [
        folder / f"{address.sha256[:8]}-{address.url.rpartition('/')[2]}" for address in addresses
    ]
    # The whole cache before the network: a first address that is down must not cost its time limit
    # in every run.
    for address, file in zip(addresses, files):
        if file.is_file() and pooch.file_hash(str(file)) == address.sha256:
            return (file, address.url), []
    failures: list[str] = []
    for address, file in zip(addresses, files):
        error = _retrieve(address, file, seconds)
        if error is None:
            return (file, address.url), failures
        failures.append(f"Cannot download the wine data from {address.url}: {error}")
    return None, failures


def _retrieve(address: Address, file: Path, seconds: float) -> str | None:
    """Downloads a file, or returns in one line why it could not.

    Pooch moves the file into its place only once its checksum is right.
    """
    import pooch

    # `load` reports what pooch would say about each file.
    pooch.get_logger().setLevel(logging.WARNING)
    errors: list[Exception] = []

    def work() -> None:
        try:
            pooch.retrieve(
                address.url,
                known_hash=f"sha256:{address.sha256}",
                fname=file.name,
                path=file.parent,
                downloader=pooch.HTTPDownloader(timeout=seconds),
            )
        except Exception as error:  # whatever it is, the next address is tried
            errors.append(error)

    # The timeout of the HTTP client limits neither the name look-up, nor the number of a host's
    # addresses, nor a server that sends a byte now and then. Waiting for a thread limits them all.
    thread = threading.Thread(target=work, name="wine-data-download", daemon=True)
    thread.start()
    thread.join(seconds)
    if thread.is_alive():
        return f"expected it within {seconds:g} s, found no complete file by then."
    if errors:
        return " ".join(f"{type(errors[0]).__name__}: {errors[0]}".split())
    return None
