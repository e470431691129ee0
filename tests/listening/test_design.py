from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snacbench.errors import UnknownName, UserError
from snacbench.listening.design import Wish, design
from snacbench.listening.systems import chosen_systems, with_rates
from snacbench.listening.test import ListeningTest, Question, System, read_test
from snacbench.listening.texts import texts_of
from snacbench.listening.write import test_text as text_of
from snacbench.listening.write import write_test
from snacbench.rows import Bits, ClipMeasures, Coded
from snacbench.store.folder import RunFolder
from snacbench.types import Audio, CodecSpec, Measures
from tests.conftest import broadband
from tests.listening.audio_run import CODECS, make_audio_run, spec


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    return make_audio_run(tmp_path_factory.mktemp("design"))


def made(run: RunFolder, **wishes: Any) -> ListeningTest:
    options = {"num_items": 3, **wishes}
    return design(run, run.path.parent / "my test", Wish(**options))


def refused(run: RunFolder, message: str, **wishes: Any) -> None:
    with pytest.raises(UserError, match=message):
        made(run, **wishes)


def test_a_test_of_three_domains(run: RunFolder) -> None:
    test = made(run, seed=4)
    assert test.id == "my-test"
    assert (test.run, test.run_id, test.set_sha256) == ("../run", "run1", "ab" * 32)
    assert [item.id for item in test.items] == ["speech-1", "music-1", "environment-1"]
    assert [item.domain for item in test.items] == ["speech", "music", "environment"]
    assert len(test.training) == 1
    assert test.training[0].id == "training-1"
    assert test.training[0].clip not in {item.clip for item in test.items}
    assert [system.name for system in test.systems] == [codec.name for codec in CODECS]
    assert test.systems[0].kbps == pytest.approx(7.2, abs=0.01)  # 0.9 of its nominal rate
    assert made(run, seed=4) == test
    assert test.made_by.startswith("snacbench ")


def test_seeds_choose_other_clips(run: RunFolder) -> None:
    assert len({tuple(i.clip for i in made(run, seed=s).items) for s in range(6)}) > 1


def test_named_clips_come_first_and_are_filled_up(run: RunFolder) -> None:
    named = made(run, items=("d", "set/a"), num_items=None, training=0)
    assert [item.clip for item in named.items] == ["set/d", "set/a"]
    assert [item.id for item in named.items] == ["music-1", "speech-1"]
    filled = made(run, items=("d",), num_items=4)
    assert filled.items[0].clip == "set/d"
    assert len({item.clip for item in filled.items}) == 4


def test_clips_that_a_system_lost_are_left_out(tmp_path: Path) -> None:
    run = make_audio_run(tmp_path)
    rows = {(row.clip, row.codec): row for row in run.read(Coded)}
    run.append([replace(rows["set/e", "late@8kbps"], status="failed", reason="boom")])
    run.decoded_path("set/a", "early@2kbps").unlink()
    test = made(run, training=0)
    assert {item.clip for item in test.items} == {"set/b", "set/c", "set/d"}
    refused(run, r"4 items .* only 3 clips .* all 3 systems \(2 cannot, for example", num_items=4)
    refused(run, "--item e: set/e cannot be heard: late@8kbps failed on it: boom", items=("e",))
    refused(
        run,
        "set/a cannot be heard: the decoded audio of early@2kbps is not in the run folder",
        items=("a",),
    )
    assert len(made(run, num_items=4, training=0, systems=("quiet",)).items) == 4


def test_silent_and_very_short_clips_are_not_chosen(tmp_path: Path) -> None:
    run = make_audio_run(tmp_path, signals={"set/a": broadband(0.8, 24_000)})
    silence = Measures(None, None, None, 0)
    run.append([ClipMeasures("set/b", silence)])
    refused(run, "only 3 clips", num_items=4)
    assert "set/a" in {item.clip for item in made(run, items=("a",), num_items=2).items}


def test_what_cannot_be_asked_for(run: RunFolder) -> None:
    refused(run, "--excerpt-s 13: excerpts are 2 to 12 s long", excerpt_s=13.0)
    refused(run, "--items 1, but 2 are named with --item", items=("a", "b"), num_items=1)
    refused(run, "3 training pages were asked for, and 2 clips are left", training=3)
    refused(run, "--pages-per-listener 4, but there are 3 items", pages_per_listener=4)
    refused(run, "form ab compares systems .* found one: quiet@4", form="ab", systems=("quiet",))


def test_pairs_may_be_more_than_items(run: RunFolder) -> None:
    assert made(run, form="ab", pages_per_listener=6).pages_per_listener == 6


def test_by_default_there_are_half_as_many_items_again_as_systems(run: RunFolder) -> None:
    refused(run, "6 items were asked for", num_items=None)


def test_long_clips_are_cut(tmp_path: Path) -> None:
    run = make_audio_run(tmp_path, signals={"set/b": broadband(30, 16_000)})
    (item,) = made(run, items=("b",), num_items=1, excerpt_s=6.0).items
    assert 5.1 <= item.duration_s <= 6.9
    assert item.start_s + item.duration_s <= 30


def test_texts_of_a_language(run: RunFolder) -> None:
    english, german = made(run), made(run, language="de", title="Versuch")
    assert "voluntary" in english.consent
    assert "freiwillig" in german.consent
    assert german.title == "Versuch"
    assert [q.id for q in english.questionnaire] == ["age", "headphones", "experience", "hearing"]
    assert [q.id for q in german.questionnaire] == [q.id for q in english.questionnaire]
    assert texts_of("fi") == texts_of("en")


# ------------------------------------------------------------------------------------ systems

LADDER = (*map(spec, ("opus@8kbps", "opus@14kbps", "lyra-v2@9.2kbps")), replace(spec("low"),
          anchor=True))  # fmt: skip


@pytest.mark.parametrize(
    ("selectors", "names"),
    [
        ([], ["opus@8kbps", "opus@14kbps", "lyra-v2@9.2kbps"]),
        (["lyra-v2", "opus"], ["lyra-v2@9.2kbps", "opus@8kbps", "opus@14kbps"]),
        (["opus@14kbps", "opus@14"], ["opus@14kbps"]),
        (["lyra-v2@9", "low"], ["lyra-v2@9.2kbps", "low"]),
    ],
)
def test_selectors(selectors: list[str], names: list[str]) -> None:
    assert [codec.name for codec in chosen_systems(selectors, LADDER)] == names


@pytest.mark.parametrize(
    ("selector", "message"),
    [
        ("opus@8kbs", "--systems opus@8kbs: the run has no such codec; did you mean opus@8kbps"),
        ("opus@20", "--systems opus@20: the run has no such codec; did you mean opus@"),
        ("dac", "the run has no such codec; there are: opus@8kbps, opus@14kbps, lyra"),
    ],
)
def test_systems_that_the_run_lacks(selector: str, message: str) -> None:
    with pytest.raises(UnknownName, match=message):
        chosen_systems([selector], LADDER)


def test_numbers_of_systems() -> None:
    ten = [spec(f"c@{i}kbps") for i in range(10)]
    with pytest.raises(UserError, match=r"up to 9 systems .*found 10: c@0kbps, .*--systems"):
        chosen_systems([], ten)
    with pytest.raises(UserError, match="no codecs besides anchors; name some with --systems"):
        chosen_systems([], LADDER[3:])


def test_a_system_that_was_not_weighed_has_no_rate() -> None:
    codecs: list[CodecSpec] = [spec("a@1kbps"), spec("b@1kbps"), spec("c@1kbps")]
    weighed = Coded("x", "a@1kbps", "ok", "", "speech", 2.0, Bits(codes=3_000))
    coded = {
        ("x", "a@1kbps"): weighed,
        ("y", "a@1kbps"): replace(weighed, duration_s=1.0, bits=Bits(side_info=600)),
        ("z", "a@1kbps"): replace(weighed, status="failed", bits=None),
        ("x", "b@1kbps"): replace(weighed, codec="b@1kbps", bits=None),
    }
    assert [system.kbps for system in with_rates(codecs, coded)] == [1.2, None, None]


# ------------------------------------------------------------------------------------ writing


def test_test_yaml_is_readable_and_reads_the_same(run: RunFolder, tmp_path: Path) -> None:
    test = made(run)
    path = write_test(tmp_path, test)
    assert read_test(tmp_path) == test
    text = path.read_text("utf-8")
    assert max(map(len, text.splitlines())) <= 120
    assert "# Listeners agree to this before they begin" in text
    assert "\n  - {id: speech-1, clip: set/" in text
    assert "\n  - {name: late@8kbps, kbps: 7.2}\n" in text
    assert "pages_per_listener: null" in text
    for field in ListeningTest.model_fields:
        assert f"\n{field}:" in text, f"{field} is not written"
    assert text_of(read_test(tmp_path)) == text


words = st.text(max_size=60) | st.text(
    st.sampled_from("ab \n\n\t:#'\"-&\r\x85\u2028\xa0ö"), max_size=200
)


@given(
    title=words, welcome=words, consent=words, contact=words, choice=words, kbps=st.floats(0, 99)
)
@settings(max_examples=60, deadline=None)
def test_whatever_is_written_reads_the_same(
    title: str, welcome: str, consent: str, contact: str, choice: str, kbps: float,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:  # fmt: skip
    folder = tmp_path_factory.mktemp("yaml")
    test = ListeningTest(
        id="t", title=title, run="..", run_id="1e3", set_sha256="0" * 64, welcome=welcome,
        consent=consent, contact=contact, systems=(System(name="on", kbps=kbps),),
        items=({"id": "1e5", "clip": "no", "duration_s": 1},),
        questionnaire=(Question(id="q", text=title, choices=(choice, f"{choice}!")),),
    )  # fmt: skip
    write_test(folder, test)
    assert read_test(folder) == test


def test_an_unheard_run_cannot_be_designed_from(tmp_path: Path) -> None:
    run = make_audio_run(
        tmp_path, signals={"set/b": Audio(np.ones((1, 48_000), np.float32), 48_000)}
    )
    (tmp_path / "b.flac").unlink()
    with pytest.raises(Exception, match=r"b.flac does not exist"):
        made(run, items=("b",), num_items=1)
