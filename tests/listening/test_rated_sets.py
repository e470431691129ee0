"""Data sets of rated audio by maps of their columns: shipped ones, one's own, and wrong ones."""

import pytest
import yaml

from snacbench.errors import UserError
from snacbench.listening.rated_sets import read_rated_set, shipped_maps
from tests.support.cases import cases

TREES = cases(__file__)
OWN = {
    "summary": "s", "source": "https://example.org", "files": "*.csv", "reference": "{ref}",
    "degraded": "{deg}", "item": "{ref:(.*)[.]wav}", "condition": "{codec}", "score": "{grade}",
    "scale": [1, 5], "better": "lower", "keep": {"test": "b"}, "domain": "{kind}", "kbps": "{kbps}",
}  # fmt: skip
HEADING = "ref;deg;codec;grade;test;kind;kbps\n"
LINE = "a.wav;b.wav;x;2;b;speech;6\n"


def grown(root, files):
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text or "", "utf-8")
    return root


@pytest.mark.parametrize("name", shipped_maps())
def test_each_shipped_map_reads_a_tree_after_its_description(name, tmp_path):
    tree = TREES[name]
    found = read_rated_set(name, grown(tmp_path, tree["files"]))
    ratings = [[r.listener, r.item, r.condition, r.score] for r in found.ratings]
    assert ratings == tree["ratings"]
    assert {r.clip for r in found.ratings} == {f"{name}/{of[1]}" for of in tree["ratings"]}
    codecs = {c.name: [c.nominal_kbps, c.family, c.anchor] for c in found.codecs}
    assert codecs == tree["codecs"]
    decodes = {" ".join(pair): str(p.relative_to(tmp_path)) for pair, p in found.decodes.items()}
    assert decodes.items() >= tree["decodes"].items()
    clips = {k: [str(p.relative_to(tmp_path)), *of] for k, (p, *of) in found.clips.items()}
    assert clips.items() >= tree["clips"].items()
    assert list(found.notes) == tree["notes"]


def own(root, lines, **changed):
    files = {"m.yaml": yaml.safe_dump(OWN | changed), "r.csv": HEADING + lines}
    grown(root, files | {"a.wav": "", "b.wav": "", "folder/c": ""})
    return read_rated_set(str(root / "m.yaml"), root)


def test_a_map_of_ones_own_turns_scales_and_keeps_rows(tmp_path):
    found = own(tmp_path, LINE + LINE.replace(";b;speech", ";other;speech"))
    assert [(r.item, r.condition, r.score) for r in found.ratings] == [("a", "x", 4.0)]
    assert (found.codecs[0].nominal_kbps, found.clips["m/a"][1]) == (6.0, "speech")


@pytest.mark.parametrize(("line", "changed", "message"), [
    (LINE.replace(";2;", ";7;"), {}, r"r.csv, line 2: score: expected a number from 1 to 5"),
    (LINE.replace(";6\n", ";fast\n"), {}, "kbps: expected a number from 0 to 1e"),
    (LINE.replace("speech", "song"), {}, "domain: expected one of speech, music"),
    (LINE + LINE.replace("b.wav", "a.wav"), {}, "another file of x of m/a: tell them apart"),
    (LINE + LINE.replace("speech", "music"), {}, "another reference, domain or cluster of x of m"),
    (LINE + LINE.replace(";6\n", ";7\n"), {}, "line 3: another rate or family of x: tell them"),
    (LINE.replace(";x;", ";;"), {}, "condition: '{codec}' finds nothing there"),
    (LINE, {"item": "{ref:(.*)[.]mp3}"}, "item: .* finds nothing there"),
    (LINE.replace("b.wav", "c.wav"), {}, "1 ratings of files that are not there"),
    (LINE, {"scale": [5, 1]}, r"line 1: scale: expected its lower end first, found \[5.0, 1.0\]"),
    (LINE, {"files": "/r.csv"}, "files: expected patterns below the data set's folder"),
    (LINE, {"files": "", "rows": "x"}, "files: expected patterns below the data set's folder"),
    (LINE, {"files": "folder", "rows": "x"}, "folder: not XML, or not to be read"),
    (LINE, {"score": "{grades}"}, "no column 'grades'; did you mean"),
    (LINE, {"lists": ["grade"]}, "expected lists of one length in grade"),
    (LINE, {"lists": ["who"]}, "expected lists of one length in who"),
    (LINE, {"files": "*.tsv"}, r"has no \*.tsv"),
    (LINE, {"files": "*.csv", "rows": "testFile"}, "not XML"),
    (LINE, {"keep": {"test": "c"}}, "nothing that .* describes; no rows"),
    (LINE, {"anchors": "(low"}, "no regular expression"),
    (LINE, {"item": "{ref:(a}"}, "no regular expression"),
    (LINE, {"colour": "red"}, "colour: no such field"),
])  # fmt: skip
def test_what_is_wrong_is_named(line, changed, message, tmp_path):
    with pytest.raises(UserError, match=message):
        own(tmp_path, line, **changed)


def test_there_is_no_map_of_that_name(tmp_path):
    with pytest.raises(UserError, match=r"no map named 'odak'.*odaq"):
        read_rated_set("odak", tmp_path)
