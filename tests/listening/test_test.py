"""The nouns of a listening test, and what their file gets wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from snacbench.errors import UserError
from snacbench.listening.test import ListeningTest, read_test, texts_of

GOOD = """\
id: mine
title: A test
form: mushra
run: ../run
run_id: abc
set_sha256: def
systems:
  - {name: opus@8kbps, kbps: 7.9}
  - name: lyra-v2@9.2kbps
items:
  - {id: speech-1, clip: set/a, domain: speech, duration_s: 9.5}
  - id: music-1
    clip: set/b
    start_s: 1.5
    duration_s: 10
training:
  - {id: training-1, clip: set/c, duration_s: 4}
level: {loudness_lufs: -23.0}
questionnaire:
  - {id: age, text: Age, choices: [young, old]}
  - {id: headphones, text: Headphones, kind: text}
"""


def reading(folder: Path, text: str) -> ListeningTest:
    (folder / "test.yaml").write_text(text, "utf-8")
    return read_test(folder)


def test_a_test_file(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"cannot read the listening test .*test.yaml"):
        read_test(tmp_path)
    test = reading(tmp_path, GOOD)
    assert (test.items[1].start_s, test.training[0].clip) == (1.5, "set/c")
    assert test.pages_per_listener is None
    systems = ("opus@8kbps", "lyra-v2@9.2kbps")
    assert test.conditions == ("reference", "anchor35", "anchor70", *systems)
    for form in ("mushra-no-anchors", "ab", "abx"):
        other = reading(tmp_path, GOOD.replace("form: mushra", f"form: {form}"))
        assert other.conditions == ("reference", *systems)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("  start_s: 1", "  starts_s: 1", "14: items: entry 2: starts_s: no such .*mean start_s"),
        ("duration_s: 10\n", "duration_s: 13\n", "15: items: entry 2: .*equal to 12, found 13"),
        ("id: speech-1", "id: a/b", "11: items: entry 1: id: String should match"),
        ("loudness_lufs", "loudness", "18: level: loudness: no such field; .*loudness_lufs"),
        ("lyra-v2@9.2kbps", "opus@8kbps", "7: systems: name opus@8kbps is there twice"),
        ("lyra-v2@9.2kbps", "anchor35", "9: systems: entry 2: name: anchor35 is added to every"),
        ("id: training-1", "id: speech-1", "16: training: id speech-1 is there twice"),
        ("id: headphones", "id: age", "19: questionnaire: id age is there twice"),
        ("choices: [young, old]", "choices: [a]", "20: .* entry 1: age: .* kind choice with 1"),
        ("kind: text", "kind: text, choices: [a, b]", "21: .* found kind text with 2"),
        ("mushra", "ab", "7: systems: form ab compares systems with each"),
    ],
)
def test_mistakes_are_named_with_line_and_field(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    assert GOOD.count(old) == 1
    text = GOOD.replace(old, new)
    if new == "ab":
        text = text.replace("  - name: lyra-v2@9.2kbps\n", "")
    with pytest.raises(UserError, match=f"test.yaml, line {message}"):
        reading(tmp_path, text)


def test_texts_of_a_new_test() -> None:
    english, german = texts_of("en"), texts_of("de-AT")
    assert (texts_of("fi"), german.title) == (english, "Hörtest")
    assert [q.id for q in english.questionnaire] == [q.id for q in german.questionnaire]
    assert english.webmushra.keys() == german.webmushra.keys()
