"""Answers as CSV: what is written is read; webMUSHRA's; and what is wrong with a file, by line."""

import csv
import io
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snacbench.errors import UserError
from snacbench.listening import study as answers
from snacbench.listening.design import write_test
from snacbench.listening.read import Source, read_source
from tests.support.cases import cases
from tests.support.studies import a_test, choice_study, study_of

SEEN = {"headphones": "failed", "headphones_right": "2 of 6", "attention_failed": "0",
        "came_with_PID": "+1"}  # fmt: skip
ANN = answers.Listener("ann", {"mail": "=a@b.example"}, observed=SEEN)
RATINGS = answers.Study(
    "t", "mushra", (ANN, answers.Listener("bob")), ("opus@14kbps", "snac"),
    answers=tuple(answers.Rating(who, "speech-1", *of) for who, *of in (
        ("ann", "reference", 100.0, 0, 2, 31.5, 'clear, "crisp"\u00e4', 3, 4.25),
        ("ann", "anchor35", 12.5, 0, 0, 31.5),
        ("ann", "opus@14kbps", 70.0, 0, 1, 31.5, "=HYPERLINK(1)"),
        ("bob", "snac", 61.0),
    )),
    domains={"speech-1": "speech"}, clips={"speech-1": "quick/a"},
    kbps={"reference": None, "anchor35": None, "opus@14kbps": 14.2, "snac": None},
)  # fmt: skip
RIGHT = answers.Choice("ann", "i", "reference", "snac", "a", "snac", 0, 9.25)
WRONG = answers.Choice("ann", "i", "reference", "snac", "b", "snac", 1, 4.0, "+1", 2, 1.5)
TRIALS = choice_study([RIGHT, WRONG, replace(RIGHT, page=2)], "abx", ("snac",))
VOTES = {"ann": -3.0, "bob": 2.0}
WORSE = tuple(answers.Rating(who, "speech-1", "snac", vote) for who, vote in VOTES.items())
COMPARED = replace(RATINGS, form="ccr", systems=("snac",), answers=WORSE, clips={},
                   kbps={"snac": None})  # fmt: skip
PAIRS = choice_study([answers.Choice("ann", "i", "snac", "opus", "tie")], "ab", ("snac", "opus"))


def tidy(path, study):
    with path.open("w", encoding="utf-8", newline="") as stream:
        answers.write_tidy(study, stream)
    return path


@pytest.mark.parametrize("study", [RATINGS, COMPARED, TRIALS, PAIRS])
def test_what_is_written_is_read_under_the_columns_promised(study, tmp_path):
    path = tidy(tmp_path / "t.csv", study)
    assert read_source(path) == Source(study)
    heading, *lines = path.read_text("utf-8").splitlines()
    own = ["question_mail", "came_with_PID"] if study.ratings else []
    columns = answers.RATING_COLUMNS if study.ratings else answers.CHOICE_COLUMNS
    assert heading.split(",") == [*columns, *own]
    if study is RATINGS:
        told = "ann,speech-1,speech,quick/a,opus@14kbps,14.2,70,0,1,31.5,'=HYPERLINK(1),mushra,,,,,"
        assert lines[2] == f"{told},failed,2 of 6,,0,'=a@b.example,'+1"
    if study is TRIALS:
        assert [line.split(",")[6] for line in lines] == ["0", "1", "0"]  # which one was right
        path.write_text("\n".join([heading, *lines, lines[2]]), "utf-8")  # on one page but once
        assert read_source(path) == Source(study, notes=("1 ratings that came twice counted once",))


FORMULAS = ("=1+1", "+1", "-1", "@SUM(1)", "\t=1", "\r=1", "\uff1d1")


@given(st.text() | st.text(alphabet="'=+-@\t x", max_size=6) | st.sampled_from(FORMULAS))
def test_no_cell_begins_as_a_formula_and_none_is_changed(text):
    assert answers.plain_text(answers.safe_cell(text)) == text
    assert not answers.safe_cell(text).startswith(("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d"))
    study = replace(RATINGS, answers=(replace(RATINGS.ratings[0], comment=text),))
    stream = io.StringIO()
    answers.write_tidy(study, stream)
    row = next(csv.DictReader(io.StringIO(stream.getvalue(), newline="")))
    assert row["comment"] == answers.safe_cell(text)


FILES = cases(__file__)
WEBMUSHRA, PYMUSHRA = FILES["webmushra"], FILES["pymushra"]
HEADING, *ROWS = WEBMUSHRA.splitlines()


def written(folder, text):
    path = folder / "mushra.csv"
    path.write_text(text, "utf-8", "surrogateescape")
    return path


def test_webmushra_also_saved_again_by_a_spreadsheet_joined_and_sent_twice(tmp_path):
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
    other = WEBMUSHRA.replace("u-", "v-").replace("age,", " AGE ,")
    study = read_source(written(tmp_path, WEBMUSHRA + "\n" + other)).study
    assert [one.id for one in study.listeners] == ["u-1", "u-2", "v-1", "v-2"]
    assert len(study.ratings) == 16
    php = WEBMUSHRA.replace("session_uuid", " Session_UUID ").replace("reference", "Reference")
    php = php.replace('"dull, ""muffled"""', '"dull \\""')
    study = read_source(written(tmp_path, php)).study
    assert (study.form, study.systems) == ("mushra", ("C1",))
    assert study.ratings[3].comment == 'dull \\"'
    twice = read_source(written(tmp_path, "\n".join([HEADING, *ROWS, *ROWS[:4]])))
    assert len(twice.study.ratings) == 8
    assert twice.notes == ("4 ratings that came twice counted once",)


def test_pymushra(tmp_path):
    source = read_source(written(tmp_path, PYMUSHRA))
    assert source.study.form == "mushra-no-anchors"
    assert {r.condition: r.score for r in source.study.ratings} == {"reference": 100, "C1": 62}
    assert source.study.listeners[0].answers == {"age": "30"}
    assert [r.time_s for r in source.study.ratings] == [None, 41.0]
    assert source.notes == ("1 lines of pages other than MUSHRA left out",)


HEAD = ",".join(answers.RATING_COLUMNS).partition(",plays")[0] + "\n"  # of earlier versions
PAIR_HEAD = ",".join(answers.CHOICE_COLUMNS).partition(",plays")[0] + "\n"
LINE = "a,i,speech,c,snac,1,50,0,0,1,,\n"
RATED = LINE.replace(",50,", ",3,").replace(",,", ",,acr")


@pytest.mark.parametrize(("text", "message"), [
    ("", "columns of no known file: none; expected listener, item, domain"),
    ("session_test_id,trial_id,rating_stimulus,rating_score\nmine,i,C1,5\n",
     "line 1: columns of no known file: session_test_id, trial_id.*expected .*session_uuid"),
    (HEAD, "no answers under the headings"),
    (WEBMUSHRA.replace("C1,62,", "C1,120,"), "csv, line 5: score: .*equal to 100, found '120'"),
    (WEBMUSHRA.replace("u-2,speech-1,C1,55,38000,", "u-2,speech-1,x,C1,55,38000,dull"),
     "line 7: 10 cells under 9 columns; a cell that holds a separator"),
    (WEBMUSHRA.replace("mine,25,none,u-2,speech-1,C1", "yours,25,none,u-2,speech-1,C1"),
     r"answers of several tests \('mine', 'yours'\); put each into a file of its own"),
    (WEBMUSHRA + "mine,25,none,u-2,speech-1,C1,70,38000,\n",
     "line 10: C1 of item speech-1 was rated 70 by listener u-2, who rated it 55 in line 7"),
    (WEBMUSHRA.replace("rating_time", "rating_score"), "1: the column 'rating_score' comes"),
    (HEAD + RATED + RATED.replace(",3,", ",6,"), "3: score: expected 1 to 5, found 6"),
    (HEAD + RATED + RATED.replace("acr", "dcr"), "one form of ratings, found acr, dcr"),
    (HEAD + RATED.replace("acr", "mos"), "line 2: form: .*'acr', .*found 'mos'"),
    (HEAD + RATED.replace("acr", "ab"), "one form of ratings, found ab"),
    (HEAD + LINE.replace("50", "nan"), "line 2: score: .*finite number, found 'nan'"),
    (PAIR_HEAD + "a,i,snac,opus,,both,,0,1,\n", "line 2: answer: .*'a', 'b' or 'tie', found"),
    (PAIR_HEAD + "a,i,reference,snac,snac,b,,0,1,\na,j,reference,snac,,tie,,1,1,\n",
     "line 3: x: expected reference or snac, found ''"),  # "no idea" would be right
    ("\x00\udc80" * 9, "cannot read the answers .*expected UTF-8, or UTF-16"),
])  # fmt: skip
def test_what_is_wrong_is_named_by_line_and_column(tmp_path, text, message):
    assert text != WEBMUSHRA
    with pytest.raises(UserError, match=message):
        read_source(written(tmp_path, text))
    with pytest.raises(UserError, match="neither a listening test's folder nor a CSV file"):
        read_source(tmp_path / "none.csv")


def test_the_test_tells_what_a_csv_does_not(tmp_path):
    scores = dict.fromkeys(("reference", "b", "a@4kbps"), 50.0)
    study = study_of({("x", item): scores for item in ("practice", "music-1")})
    path = tidy(tmp_path / "tidy.csv", study)
    told = path.read_text("utf-8").replace(",form", "").replace(",mushra-no-anchors", "")
    first, *rest = told.splitlines()  # of earlier versions, without a form
    other = ["mood,kind,test,time_ms", "calm,b,x,1", "calm,c,y,2", "calm,d,z,3"]  # none of ours
    more = [f"{line},{cells}" for line, cells in zip([first, *rest], other * 2, strict=False)]
    path.write_text("\n".join(more), "utf-8")
    write_test(tmp_path, a_test(pages_per_listener=2))  # beside the CSV
    source = read_source(path)
    found = source.study
    assert (found.name, found.form) == ("t1", "mushra")
    assert found.systems == ("a@2kbps", "a@4kbps", "b")
    assert (found.domains["music-1"], found.clips["music-1"]) == ("music", "set/music1")
    assert found.kbps["a@4kbps"] == 4.2
    assert {r.item for r in found.ratings} == {"music-1"}
    assert source.notes == (
        "columns not known and not used: tidy.csv, mood, kind, test, time_ms",
        "3 answers on training pages left out",
    )
    assert found.listeners[0].pages_planned == 2


@pytest.mark.parametrize(("item", "condition", "form", "message"), cases(__file__)["others"])
def test_answers_to_another_test_are_refused(tmp_path, item, condition, form, message):
    path = tidy(tmp_path / "tidy.csv", study_of({("x", item): {condition: 50.0}}))
    folder = write_test(tmp_path, a_test(form=form)).parent
    with pytest.raises(UserError, match=message):
        read_source(path, test_folder=folder)
    with pytest.raises(UserError, match=r"has no answers yet \(answers.sqlite\).*mushra serve"):
        read_source(folder)
