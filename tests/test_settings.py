"""Files of settings that somebody wrote carelessly, or with bad intent: one error, soon."""

from __future__ import annotations

import os
import pathlib
import time

import pytest

from tfx_wine_ext.documents import DocumentError
from tfx_wine_ext.drift import DriftConfig
from tfx_wine_ext.files.choose import files_for
from tfx_wine_ext.settings import read_settings

LAUGHS = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 10)
)


@pytest.mark.e2e
def test_a_file_at_an_address_is_read() -> None:
    with files_for("ram://settings").create("ram://settings/drift.yaml") as file:
        file.write(b"thresholds: {ks: 0.15}")
    assert read_settings("ram://settings/drift.yaml") == {"thresholds": {"ks": 0.15}}
    with pytest.raises(FileNotFoundError, match=r"ram://settings/other\.yaml"):
        read_settings("ram://settings/other.yaml")


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.yaml", LAUGHS, "expected at most 1,000,000 values, found more, with its anchors writt"),
        (
            "a.yaml",
            f"critical: [x]\nfeatures:\n  {LAUGHS.splitlines()[0]}\n  b: {{<<: ["
            + ", ".join(["*a0"] * 120_000)
            + "]}",
            "expected at most 1,000,000 values",
        ),
        (
            "a.yaml",
            "critical: &a [*a]",
            r"expected anchors that are complete where used, found one in itself \(\*a\)",
        ),
        ("a.yaml", "&a x: {y: {z: *b}}", "expected YAML, found found undefined alias"),
        ("a.yaml", "[" * 50_000, "expected YAML nested at most 100 deep, found deeper nesting"),
        ("a.yaml", "{a: " * 200 + "}" * 200, "expected YAML nested at most 100 deep, found deeper"),
        ("a.yaml", "- " * 5_000, "expected YAML nested at most 100 deep, found deeper nesting"),
        ("a.yaml", "".join("\n" + " " * n + "a:" for n in range(150)), "nested at most 100 deep"),
        ("a.json", "[" * 50_000, "expected JSON nested at most 100 deep, found deeper nesting"),
        ("a.json", '{"a":' * 200 + "1" + "}" * 200, "expected JSON nested at most 100 deep"),
        ("a.yaml", "share: !!python/object/apply:os.system [true]", "could not determine a constr"),
        ("a.yaml", "share: !mine 1", "expected YAML, found could not determine a constructor"),
        ("a.yaml", "share: 2026-13-45", r"expected YAML, found a value that is none \(month must"),
        ("a.yaml", "share: \0", "expected YAML, found unacceptable character"),
        ("a.yaml", "share: 1\n---\nshare: 2\n", "expected YAML, found expected a single document"),
        ("a.yaml", b"critical: [caf\xe9]", "expected YAML in UTF-8, found the byte 0xe9 at 14"),
        ("a.json", b'["caf\xe9"]', "expected JSON in UTF-8, found the byte 0xe9 at 5"),
        ("a.json", "", "expected JSON, found nothing"),
        ("a.json", '{"share": ' + "9" * 5_000 + "}", "expected integers of at most 308 digits"),
        ("a.json", '{"share": 1e999}', "expected finite numbers, found one beyond the range"),
    ],
)
def test_what_cannot_be_read_is_said_at_once(
    tmp_path: pathlib.Path, name: str, text: str | bytes, message: str
) -> None:
    path = tmp_path / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    started = time.monotonic()
    with pytest.raises(DocumentError, match=rf"a\.(yaml|json): .*{message}") as raised:
        read_settings(path)
    assert time.monotonic() - started < 60
    assert len(str(raised.value)) < 1_000


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("share: 0x" + "f" * 8_000, ValueError, "share must be finite, found a number of too many"),
        ("share: " + "9" * 4_000, ValueError, "share must be finite, found 99999"),
        ("share: .nan", ValueError, "share must be finite, found nan"),
        (
            "min_count: 0x" + "f" * 8_000,
            ValueError,
            r"min_count must be from 1 to 2\*\*53, found a",
        ),
        ("thresholds: {ks: 0x" + "f" * 400 + "}", ValueError, r"thresholds\['ks'\]: the threshold"),
        ("share: [" + "1, " * 5_000 + "]", TypeError, r"share must be a number, found \[1, 1, "),
        (
            "features: {2026-01-01: {ks: 1}}",
            TypeError,
            r"features must have names as keys, found d",
        ),
        (
            "importances: {1: 2}",
            TypeError,
            "importances must have names as keys, found 1: quote it",
        ),
        ("? 7\n: 1", TypeError, "the drift config must have names as keys, found 7"),
        ("critical: !!set {a, b}", TypeError, "critical must be a list of feature names, found {"),
        ("- a", TypeError, r"the drift config must be a mapping, found \['a'\]"),
    ],
)
def test_settings_of_other_types_and_sizes_are_refused(
    tmp_path: pathlib.Path, text: str, error: type[Exception], message: str
) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(text)
    with pytest.raises(error, match=message) as raised:
        DriftConfig.from_file(path)
    assert len(str(raised.value)) < 1_000


def test_a_pipe_is_refused_and_not_waited_for(tmp_path: pathlib.Path) -> None:
    os.mkfifo(tmp_path / "a.yaml")
    with pytest.raises(DocumentError, match=r"a\.yaml: expected a regular file, found a pipe"):
        DriftConfig.from_file(tmp_path / "a.yaml")


def test_anchors_and_merges_that_stay_small_are_read(tmp_path: pathlib.Path) -> None:
    (tmp_path / "a.yaml").write_text(
        "features:\n"
        "  pH: &strict {ks: 0.1, psi: &level {fail: 0.5, warn: 0.2}}\n"
        "  alcohol: *strict\n"
        "  density: {<<: *strict, ks: 0.3}\n"
        "thresholds: {js: *level}\n"
    )
    config = DriftConfig.from_file(tmp_path / "a.yaml")
    assert [config.threshold(name, "ks").fail for name in ("pH", "alcohol", "density")] == [
        *(0.1, 0.1, 0.3)
    ]
    assert config.threshold("density", "psi").warn == config.threshold("x", "js").warn == 0.2
