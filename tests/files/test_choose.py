"""The file system of a path."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tfx_wine_ext.files.choose import files_for, has_scheme


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("gs://bucket/a", True),
        ("ram://a", True),
        ("file:///a", True),
        ("file:/a", True),
        ("/a/b", False),
        ("a:b/c", False),
        ("", False),
    ],
)
def test_a_scheme_is_told_from_a_folder(path, expected):
    assert has_scheme(path) is expected


def test_local_files_load_no_other_file_system():
    program = (
        "import sys; from tfx_wine_ext.files.choose import files_for;"
        "print(type(files_for('a')).__name__, {'tensorflow', 'apache_beam'} & {*sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout == "LocalFiles set()\n"


@pytest.mark.e2e
def test_a_path_with_a_scheme_has_the_file_system_of_tensorflow():
    files = files_for("ram://choose")
    for name in ("b/c", "a"):
        with files.create(f"ram://choose/{name}") as stream:
            stream.write(b"x")
    assert files.names("ram://choose") == ["a", "b"]
    assert [files.exists(f"ram://choose/{name}") for name in ("a", "b", "z")] == [True, True, False]
    with pytest.raises(FileNotFoundError):
        files.names("ram://choose/z")
