"""Reading answers: webMUSHRA's, pymushra's, our own; and what is wrong with a file, by line."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import pytest
import yaml

from snacbench.errors import UserError
from snacbench.listening.read import read_source
from snacbench.listening.study import Study
from snacbench.listening.tidy import write_tidy
from tests.support.studies import a_test, listener_with, study_of

# As version 1.4 writes it: a questionnaire of two, a comment with commas and quotes.
WEBMUSHRA = '''\
session_test_id,age,headphones,session_uuid,trial_id,rating_stimulus,rating_score,rating_time,\
rating_comment
mine,30,"Sennheiser, open",u-1,speech-1,reference,100,41000,
mine,30,"Sennheiser, open",u-1,speech-1,anchor35,10,41000,
mine,30,"Sennheiser, open",u-1,speech-1,anchor70,40,41000,
mine,30,"Sennheiser, open",u-1,speech-1,C1,62,41000,"dull, ""muffled"""
mine,25,none,u-2,speech-1,reference,95,38000,
mine,25,none,u-2,speech-1,C1,55,38000,
mine,25,none,u-2,speech-1,anchor70,30,38000,
mine,25,none,u-2,speech-1,anchor35,5,38000,
'''

# As pymushra's admin page exports it: columns in any order, other page types in between.
PYMUSHRA = """\
wm_date;responses_score;questionaire_age;wm_id;responses_stimulus;wm_testId;responses_comment;\
wm_type;responses_time;questionaire_uuid;wm_config
2024-01-01 10:00:00;100;30;speech-1;reference;mine;;mushra;41000;a-1;configs/x.yaml
2024-01-01 10:00:00;62;30;speech-1;C1;mine;dull;mushra;41000;a-1;configs/x.yaml
2024-01-01 10:00:00;3;30;other;C1;mine;;bs1116;1000;a-1;configs/x.yaml
"""
HEADING, *ROWS = WEBMUSHRA.splitlines()


def written(folder: Path, text: str, name: str = "mushra.csv") -> Path:
    path = folder / name
    path.write_text(text, "utf-8")
    return path


def tidy(folder: Path, study: Study) -> Path:
    path = folder / "tidy.csv"
    with path.open("w", encoding="utf-8", newline="") as stream:
        write_tidy(study, stream)
    return path


def test_webmushra_also_saved_again_by_a_spreadsheet(tmp_path: Path) -> None:
    excel = tmp_path / "excel.csv"
    with excel.open("w", encoding="utf-8-sig", newline="") as stream:
        csv.writer(stream, delimiter=";").writerows(csv.reader(WEBMUSHRA.splitlines()))
    for path in (written(tmp_path, WEBMUSHRA), excel):
        study = read_source(path).study
        assert (study.name, study.form, study.systems) == ("mine", "mushra", ("C1",))
        assert [one.id for one in study.listeners] == ["u-1", "u-2"]
        assert study.listeners[0].answers == {"age": "30", "headphones": "Sennheiser, open"}
        assert len(study.ratings) == 8
        r = study.ratings[3]
        assert (r.listener, r.item, r.condition, r.score) == ("u-1", "speech-1", "C1", 62.0)
        assert (r.time_s, r.comment) == (41.0, 'dull, "muffled"')


def test_webmushra_files_that_were_joined_have_headings_again(tmp_path: Path) -> None:
    other = WEBMUSHRA.replace("u-", "v-").replace("age,headphones", "headphones,age")
    study = read_source(written(tmp_path, WEBMUSHRA + "\n" + other)).study
    assert [one.id for one in study.listeners] == ["u-1", "u-2", "v-1", "v-2"]
    assert study.listeners[2].answers["age"] == "Sennheiser, open"  # as those headings have it
    assert len(study.ratings) == 16


def test_pymushra(tmp_path: Path) -> None:
    source = read_source(written(tmp_path, PYMUSHRA))
    assert source.study.form == "mushra-no-anchors"
    assert {r.condition: r.score for r in source.study.ratings} == {"reference": 100, "C1": 62}
    assert source.study.listeners[0].answers == {"age": "30"}
    assert source.study.ratings[1].comment == "dull"
    assert source.notes == ("1 lines of pages other than MUSHRA left out",)


def test_results_sent_twice_count_once_and_unknown_columns_are_named(tmp_path: Path) -> None:
    source = read_source(written(tmp_path, "\n".join([HEADING, *ROWS, *ROWS[:4]])))
    assert len(source.study.ratings) == 8
    assert source.notes == ("4 ratings that came twice counted once",)
    path = tidy(tmp_path, study_of(listener_with("x", 1)))
    first, *rest = path.read_text("utf-8").splitlines()
    path.write_text("\n".join([first + ",mood", *(line + ",calm" for line in rest * 2)]), "utf-8")
    assert read_source(path).notes == (
        "columns not known and not used: tidy.csv, mood",
        "5 ratings that came twice counted once",
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (WEBMUSHRA.replace("C1,62,", "C1,120,"),
         r"csv, line 5: rating_score: expected a number from 0 to 100, found '120'"),
        (WEBMUSHRA.replace("C1,62,", "C1,good,"),
         r"line 5: rating_score: expected a number, found 'good'"),
        (WEBMUSHRA.replace("C1,62,", ",62,"), r"line 5: rating_stimulus: expected a name, found"),
        (WEBMUSHRA.replace("u-2,speech-1,C1", "u-2,speech-1,x,C1"),
         r"line 7: expected 9 columns as in the headings of line 1, found 10; if the question"),
        (WEBMUSHRA.replace("mine,25,none,u-2,speech-1,C1", "yours,25,none,u-2,speech-1,C1"),
         r"answers of several tests \('mine', 'yours' in column session_test_id\)"),
        (WEBMUSHRA + "mine,25,none,u-2,speech-1,C1,70,38000,\n",
         r"line 10: C1 of item speech-1 was rated 70 by listener u-2, who rated it 55 in line 7"),
        (WEBMUSHRA.replace("rating_time", "rating_score"),
         r"line 1: the column 'rating_score' comes twice"),
        (HEADING, "no MUSHRA ratings under the headings"),
        ("name,grade\nx,1\n",
         r"line 1: columns of no known file: name, grade; expected .*trial_id.*webMUSHRA"),
        ("session_test_id,trial_id,rating_stimulus,rating_score\nmine,i,C1,5\n",
         r"line 1: columns of no known file: session_test_id, trial_id.*expected .*session_uuid"),
        ("\x00\udc80" * 9, r"cannot read the answers .*expected UTF-8, or UTF-16"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_by_line_and_column(tmp_path: Path, text: str, message: str) -> None:
    assert text != WEBMUSHRA
    path = tmp_path / "x.csv"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(UserError, match=message):
        read_source(path)
    with pytest.raises(UserError, match="neither a listening test's folder nor a CSV file"):
        read_source(tmp_path / "none.csv")


# ----------------------------------------------------------------------------- with the test


def folder_of(tmp_path: Path, **fields: object) -> Path:
    folder = tmp_path / "test"
    folder.mkdir(exist_ok=True)
    content = yaml.safe_dump(a_test(**fields).model_dump(mode="json"))
    (folder / "test.yaml").write_text(content, "utf-8")
    return folder


def answers_on(items: Sequence[str], conditions: Sequence[str]) -> Study:
    return study_of({("x", item): dict.fromkeys(conditions, 50.0) for item in items})


def test_the_test_tells_what_a_csv_does_not(tmp_path: Path) -> None:
    study = answers_on(["practice", "music-1"], ["reference", "b", "a@4kbps"])
    source = read_source(tidy(tmp_path, study), test_folder=folder_of(tmp_path))
    found = source.study
    assert (found.name, found.form) == ("t1", "mushra")
    assert found.systems == ("a@2kbps", "a@4kbps", "b")
    assert (found.domains["music-1"], found.clips["music-1"]) == ("music", "set/music1")
    assert found.kbps["a@4kbps"] == 4.2
    assert {r.item for r in found.ratings} == {"music-1"}
    assert source.notes == ("3 answers on training pages left out",)
    assert found.listeners[0].pages_planned == 6


def test_a_test_beside_the_csv_is_its_test(tmp_path: Path) -> None:
    path = tidy(folder_of(tmp_path, pages_per_listener=2), answers_on(["music-1"], ["b"]))
    source = read_source(path)
    assert source.study.kbps["b"] == 3.0
    assert source.study.listeners[0].pages_planned == 2


@pytest.mark.parametrize(
    ("items", "conditions", "message"),
    [
        (["musik-1"], ["b"], "on item 'musik-1', which test.yaml does not have; did you mean"),
        (["music-1"], ["C1"], "on condition 'C1', which test.yaml does not have; there are: a@2"),
    ],
)
def test_answers_to_another_test_are_refused(
    tmp_path: Path, items: list[str], conditions: list[str], message: str
) -> None:
    path = tidy(tmp_path, answers_on(items, conditions))
    with pytest.raises(UserError, match=message):
        read_source(path, test_folder=folder_of(tmp_path))
    with pytest.raises(UserError, match=r"are of form mushra, and test.yaml says abx"):
        read_source(path, test_folder=folder_of(tmp_path, form="abx"))


def test_a_test_with_and_without_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, study = folder_of(tmp_path), answers_on(["music-1"], ["b"])
    with pytest.raises(UserError, match=r"has no answers yet \(answers.sqlite\).*mushra serve"):
        read_source(folder)
    (folder / "answers.sqlite").touch()
    name = "snacbench.listening.responses.overview.read_study"
    monkeypatch.setattr(name, lambda test, path: study)
    source = read_source(folder)
    assert (source.folder, source.test and source.test.id) == (folder, "t1")
    assert source.study == study


# ------------------------------------------------------------------------ quotes and characters


def many(comments: Sequence[str], *, reference: str = "reference") -> str:
    """webMUSHRA's file with a listener per comment, each with four ratings; written as it is."""
    rows = [
        f"mine,u-{number},speech-1,{condition},{score},1000,{comment if condition == 'C1' else ''}"
        for number, comment in enumerate(comments)
        for condition, score in ((reference, 99), ("C1", 60), ("anchor35", 9), ("anchor70", 40))
    ]
    return "\n".join([HEADING.replace("age,headphones,", ""), *rows, ""])


def test_quotes_after_backslashes_are_php_s(tmp_path: Path) -> None:
    # As fputcsv writes them: a quote after a backslash is not doubled, others are.
    meant = {
        '"slash quote at end \\""': 'slash quote at end \\"',
        '"ends in a \\"': "ends in a \\",
        '"say \\", and ""so"""': 'say \\", and "so"',
        "": "",
        '"a\nb"': "a\nb",
        "b" * 200_000: "b" * 200_000,  # longer than Python's limit
    }
    source = read_source(written(tmp_path, many(list(meant))))
    assert len(source.study.listeners) == len(meant)
    comments = [r.comment for r in source.study.ratings if r.condition == "C1"]
    assert comments == list(meant.values())


def test_an_open_quote_is_an_error_with_its_line_and_loses_nobody(tmp_path: Path) -> None:
    text = many(["", '"loud', '"so, so"'])
    with pytest.raises(UserError, match=r"mushra\.csv, line 7: the quote that opens here"):
        read_source(written(tmp_path, text))
    source = read_source(written(tmp_path, text.replace('"loud', '"loud"')))
    assert len(source.study.listeners) == 3


def test_reserved_conditions_and_columns_in_any_case(tmp_path: Path) -> None:
    text = many(["", ""], reference="Reference").replace("anchor35", "Anchor35")
    study = read_source(written(tmp_path, text.replace("session_uuid", " Session_UUID "))).study
    assert (study.systems, study.form) == (("C1",), "mushra")
    assert {one.id for one in study.listeners} == {"u-0", "u-1"}
    path = tidy(tmp_path, study_of(listener_with("x", 1)))
    path.write_text(path.read_text("utf-8").replace(",reference,", ",REFERENCE,"), "utf-8")
    assert "REFERENCE" not in read_source(path).study.systems
