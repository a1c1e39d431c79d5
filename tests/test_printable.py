from tfx_wine_ext.printable import printable


def test_names_from_data_cannot_move_the_cursor():
    assert printable("a\x1b[2J\r\u202eb é 酒") == "a\\x1b[2J\\r\\u202eb é 酒"
