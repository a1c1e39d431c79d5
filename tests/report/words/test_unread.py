from tfx_wine_ext.files.tolerant import Unread
from tfx_wine_ext.lineage.records import distinct
from tfx_wine_ext.report.words.unread import unread_sentences


def file(path, problem="missing", why=None, searched=()):
    return Unread(path, problem, why, tuple(searched))


def test_a_file_that_several_runs_name_is_told_of_once():
    assert distinct([file("a"), file("b"), file("a")]) == (file("a"), file("b"))
    assert len(distinct([file("a"), file("a", "unreadable", "denied")])) == 2


def test_where_all_was_read_nothing_is_said():
    assert unread_sentences([]) == []


def test_of_many_missing_files_the_first_are_named_and_the_rest_are_counted():
    [sentence] = unread_sentences([file(f"/gone/{number}") for number in range(1_203)])
    assert sentence.startswith("1,203 files that the store names are not there")
    assert "/gone/0, /gone/1, /gone/2 and 1,200 more" in sentence
    assert sentence.endswith("or are on another machine: call the command there.")


def test_where_relative_paths_were_looked_for_is_said():
    [sentence] = unread_sentences([file("root/a", searched=["/data/wine", "/home"])])
    assert "looked for in /data/wine, in the folders above it and in the current fol" in sentence


def test_each_problem_is_a_sentence_of_its_own():
    missing, unreadable, ambiguous = unread_sentences(
        [
            file("c", "ambiguous", searched=["/one", "/other"]),
            file("b", "unreadable", "Permission denied"),
            file("a"),
        ]
    )
    assert missing.startswith("1 file that the store names is not there")
    assert unreadable == "1 file is there and cannot be read: b: Permission denied."
    assert "in /one were read, and not those in /other: c." in ambiguous


def test_what_nobody_could_look_at_is_told_once_for_each_cause():
    def silent(path, why, place="s3://wine"):
        return Unread(path, "unreadable", why, (), place)

    first, second, unreadable = unread_sentences(
        [
            silent("s3://wine/a", "no answer"),
            silent("s3://beer/b", "no answer", "s3://beer"),
            silent("s3://wine/c", "denied"),
            file("d", "unreadable", "damaged"),
        ]
    )
    assert first == (
        "2 files at s3://wine, s3://beer could not be looked at, so what they hold is not shown, "
        "and whether they are there is not known: no answer."
    )
    assert second.startswith("1 file at s3://wine could not be looked at, so what it holds is not")
    assert second.endswith("whether it is there is not known: denied.")
    assert unreadable == "1 file is there and cannot be read: d: damaged."


def test_a_path_without_a_uri_or_with_controls_can_be_shown():
    [sentence] = unread_sentences([file(""), file("a\x1b[31m\u202e")])
    assert "an artifact without a URI" in sentence
    assert "\x1b" not in sentence
    assert "\u202e" not in sentence
