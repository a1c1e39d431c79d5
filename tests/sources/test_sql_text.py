import pytest

from tfx_wine_ext.sources.sql_text import quoted, single_query, within


@pytest.mark.parametrize(
    ("text", "query"),
    [
        ("SELECT 1", "SELECT 1"),
        ("select 1 ; ; -- done\n /* ; */ ", "select 1 "),
        (
            "-- first\n(SELECT ';' AS a) -- ; not the end",
            "-- first\n(SELECT ';' AS a) -- ; not the end",
        ),
        (
            "SELECT 'it''s;', \"a;b\", `c;d`, $$;$$, $x$ ; $$ $x$;",
            "SELECT 'it''s;', \"a;b\", `c;d`, $$;$$, $x$ ; $$ $x$",
        ),
        (r"SELECT E'it\'s;', 'a\';", r"SELECT E'it\'s;', 'a\'"),
        ("WITH e AS (SELECT 1) SELECT * FROM e", "WITH e AS (SELECT 1) SELECT * FROM e"),
        ("VALUES (1)", "VALUES (1)"),
    ],
)
def test_one_query_is_taken_without_its_semicolon(text, query):
    assert single_query(text) == query


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("DELETE FROM wines", "found 'DELETE'"),
        ("-- SELECT\ndrop table wines", "found 'drop'"),
        ("", "found none"),
        (" ; ", "found none"),
        ("SELECT 1; SELECT 2", "found 'SELECT' after its semicolon"),
        ("SELECT 1 /* ; */; -- ;\nDROP TABLE wines", "found 'DROP' after its semicolon"),
        ("SELECT 1) q; DROP TABLE wines", "found a parenthesis that closes none"),
        ("SELECT 1) q --", "found a parenthesis that closes none"),
    ],
)
def test_what_is_not_one_query_is_refused(text, found):
    with pytest.raises(ValueError, match=f"^expected one query.*{found}"):
        single_query(text)


def test_names_are_quoted_and_comments_of_an_inner_query_end():
    assert quoted('a "b"; --') == '"a ""b""; --"'
    assert within("SELECT 1 -- a", "*", "WHERE false") == (
        "SELECT * FROM (\nSELECT 1 -- a\n) tfx_wine_ext WHERE false"
    )
