import fcntl
import os
import stat

import pytest

from tfx_wine_ext.cli.staging import staged


@pytest.mark.parametrize("folder", [False, True])
def test_what_is_not_renamed_is_removed_though_the_work_fails(tmp_path, folder):
    def work():
        with staged(str(tmp_path / "out"), folder=folder) as path:
            assert os.path.isdir(path) is folder
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        work()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("folder", [False, True])
def test_what_is_renamed_stays(tmp_path, folder):
    with staged(str(tmp_path / "out"), folder=folder) as path:
        os.rename(path, tmp_path / "out")
    assert [entry.name for entry in tmp_path.iterdir()] == ["out"]


def test_a_file_may_be_read_by_whom_the_umask_allows(tmp_path):
    before = os.umask(0o027)
    try:
        with staged(str(tmp_path / "out"), folder=False) as path:
            assert stat.S_IMODE(os.stat(path).st_mode) == 0o640
    finally:
        os.umask(before)


def test_two_of_one_target_do_not_meet(tmp_path):
    target = str(tmp_path / "out")
    with staged(target, folder=True) as first, staged(target, folder=True) as second:
        assert first != second
        assert sorted(map(str, tmp_path.iterdir())) == sorted([first, second])
    assert list(tmp_path.iterdir()) == []


def test_remains_that_nobody_has_locked_are_removed_and_others_are_not(tmp_path):
    left = tmp_path / ".out.0123456789abcdef.part"
    left.mkdir()
    (left / "half").write_text("x")
    used, of_others = tmp_path / ".out.fedcba9876543210.part", tmp_path / ".out.mine.part"
    used.write_text("")
    of_others.write_text("")
    with open(used) as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with staged(str(tmp_path / "out"), folder=False):
            assert not left.exists()
    assert sorted(tmp_path.iterdir()) == sorted([used, of_others])


def test_a_target_in_no_folder_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError), staged(str(tmp_path / "no" / "out"), folder=False):
        pass
