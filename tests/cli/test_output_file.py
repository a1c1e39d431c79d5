import os
import re
import stat

import pytest

from tfx_wine_ext.cli.errors import CommandError
from tfx_wine_ext.cli.output_file import OutputFile


def test_a_file_is_written_whole_and_nothing_else_is_left(tmp_path):
    (tmp_path / "a.html").write_text("old")
    with OutputFile(str(tmp_path / "a.html")) as file:
        assert (tmp_path / "a.html").read_text() == "old"
        file.write("rosé")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {
        "a.html": "rosé".encode()
    }


def test_a_file_has_the_rights_that_new_files_have(tmp_path):
    (tmp_path / "plain").touch()
    with OutputFile(str(tmp_path / "a.html")) as file:
        file.write("x")
    modes = [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("plain", "a.html")]
    assert modes[0] == modes[1]


def fail_within(path):
    with OutputFile(path):
        raise ValueError("in between")


def test_a_failure_leaves_the_old_file_and_no_trace(tmp_path):
    (tmp_path / "a.html").write_text("old")
    with pytest.raises(ValueError, match="in between"):
        fail_within(str(tmp_path / "a.html"))
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"a.html": "old"}


def test_a_link_is_followed(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "link.html").symlink_to(tmp_path / "folder" / "a.html")
    with OutputFile(str(tmp_path / "link.html")) as file:
        file.write("x")
    assert (tmp_path / "link.html").is_symlink()
    assert (tmp_path / "folder" / "a.html").read_text() == "x"


def test_a_device_stays_one():
    with OutputFile(os.devnull) as file:
        file.write("x")
    assert stat.S_ISCHR(os.stat(os.devnull).st_mode)


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("folder", "expected a file to write, found a folder; name one in it"),
        ("gone/a.html", "the folder .*gone is not there; make it first"),
        ("x" * 300, "cannot be written (File name too long); name another path"),
    ],
)
def test_a_path_that_cannot_be_written_is_refused_on_entering(tmp_path, path, message):
    (tmp_path / "folder").mkdir()
    path = str(tmp_path / path)
    pattern = re.escape(message).replace(r"\.\*", ".*")
    with pytest.raises(CommandError, match=f"^{re.escape(path)}: {pattern}$"), OutputFile(path):
        raise AssertionError("not reached")
