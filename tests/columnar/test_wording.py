from __future__ import annotations

import pickle

from tfx_wine_ext.columnar.wording import Argument, Message, Setting
from tfx_wine_ext.sources.footers import ParquetFileError

WIDE = Message("/exclude_columns=/a: leave it out (", Setting(Argument.EXCLUDE_COLUMNS), ")")


def spelled(message: Message) -> str:
    return message.spelled(lambda each: f"<{each.name}>", lambda each: f"<{each}>".lower()[:9])


def test_only_what_is_an_argument_is_spelled_anew() -> None:
    assert str(WIDE) == "/exclude_columns=/a: leave it out (exclude_columns=)"
    assert spelled(WIDE) == "/exclude_columns=/a: leave it out (<setting()"
    assert spelled(Message(Argument.CAST, " is cast")) == "<CAST> is cast"


def test_the_parts_survive_wrapping_and_the_way_to_another_process() -> None:
    error = ParquetFileError("a", Message("columns= and ", Argument.COLUMNS), WIDE)
    copy = pickle.loads(pickle.dumps(error))
    assert str(copy) == str(error)
    wrapped = ValueError(Message("b: ", Message.of(copy)))
    assert str(wrapped) == f"b: Parquet file a: columns= and columns; {WIDE}"
    assert spelled(Message.of(wrapped)).startswith("b: Parquet file a: columns= and <COLUMNS>; ")


def test_an_error_of_others_is_a_message_of_one_part() -> None:
    assert spelled(Message.of(OSError(2, "No such file", "columns"))) == (
        "[Errno 2] No such file: 'columns'"
    )
    assert str(Message.of(ValueError())) == ""
