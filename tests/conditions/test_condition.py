"""The grammar of conditions, and operating points found by names that end in one."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snacbench.conditions.condition import Condition, condition_named, conditions_of
from snacbench.errors import UnknownName, UserError
from snacbench.plugins import codec_models
from snacbench.runner.plan import passes_of
from snacbench.selectors import among

OPTIONS = {
    "loss": st.tuples(
        st.sampled_from(["", ":zero", ":repeat"]),
        st.floats(30, 1000).map(lambda burst: f":burst={burst:g}") | st.just(""),
        st.floats(1, 10_000).map(lambda ms: f":packet={ms:g}ms") | st.just(""),
    ).map("".join),
    "noise": st.sampled_from(["", ":pink", ":white", ":clean", ":clean:white"]),
    "reverb": st.sampled_from(["", ":clean"]),
}
STRENGTHS = {
    "loss": st.floats(0, 95).map(lambda x: f"{x}%"),
    "flips": st.floats(0, 0.5).map(str),
    "level": st.floats(-100, 60).map(lambda x: f"{x:+}dB"),
    "noise": (st.floats(-60, 100) | st.just(float("inf"))).map(lambda x: f"{x}dB"),
    "reverb": (st.floats(0.05, 20) | st.just(0)).map(lambda x: f"{x}s"),
    "cascade": st.integers(1, 5).map(str),
}
TEXTS = st.sampled_from(sorted(STRENGTHS)).flatmap(
    lambda kind: st.tuples(OPTIONS.get(kind, st.just("")), STRENGTHS[kind]).map(
        lambda told: f"{kind}{told[0]}@{told[1]}"
    )
)


@given(st.lists(TEXTS, max_size=4))
def test_names_are_read_again(texts: list[str]) -> None:
    found = conditions_of(texts)
    assert [condition_named(one.name) for one in found] == list(found)
    assert conditions_of(one.name for one in found) == found
    assert len({one.name for one in found}) == len(found)
    assert not any(set(one.name) & set(",/ ") for one in found)


def test_conditions_as_written_and_as_named(tmp_path: Path) -> None:
    path = tmp_path / "a, 50%:b.wav"
    file = str(path).replace("%", "%25").replace(":", "%3A").replace(",", "%2C")
    names = [one.name for one in conditions_of(
        ["loss@1%,20%", "loss:packet=40ms:burst=3.0@5%", "loss:packet=20ms:zero@0%", "flips@0.0001",
         "level@+6dB,-0dB", "noise:pink@10dB", f"reverb:file={file}:clean@1", "loss@1%"]
    )]  # fmt: skip
    assert names[:-1] == [
        "loss@1%", "loss@20%", "loss:burst=3:packet=40ms@5%", "loss:zero@0%", "flips@1e-4",
        "level@6dB", "level@0dB", "noise@10dB", "noise:clean@10dB",
    ]  # fmt: skip
    recorded = condition_named(names[-1])
    assert recorded.option("file") == str(path)
    assert (recorded.unit, recorded.against_clean, recorded.stage) == ("", True, "input")
    assert conditions_of([names[-1]]) == (recorded,)
    near = f"reverb:file={Path(file).name}:clean@1"
    assert (condition_named(near),) == conditions_of([near])
    assert condition_named(near).option("file") == str(Path.cwd() / path.name)
    neutral = ["loss@0%", "flips@0", "level@0dB", "noise@infdB", "reverb@0s", "cascade@1"]
    assert all(condition_named(name).neutral for name in neutral)
    opus = codec_models()["opus"].points[0]
    assert [passes_of(opus.under(n)) for n in ("cascade@2", "cascade@5", "level@2dB")] == [2, 5, 1]
    assert condition_named("loss@5%") == Condition("loss", 5.0)


@pytest.mark.parametrize(("text", "said"), [
    ("los@5%", "found 'los', expected KIND@STRENGTH such as loss.*; did you mean loss"),
    ("loss", "found 'loss', expected KIND@STRENGTH"),
    ("loss:late@5%", "the option 'late', expected burst or packet or zero or repeat"),
    ("level:x@3dB", "expected none, as in level@-20dB"),
    ("loss:burst=0.5@5%", "'burst=0.5', expected burst=NUMBER from 1 to 1000"),
    ("loss:packet=2@5%", "expected packet=NUMBERms from 1ms"),
    ("loss:zero=1@5%", "expected zero without a value"),
    ("noise:file@5dB", "expected file=PATH"),
    ("loss:zero:repeat@5%", "found zero and repeat, expected one of them"),
    ("loss@5", "the strength '5', expected 0 to 100, then %"),
    ("flips@1%", "0 to 0.5, then no unit, as in flips@1e-4"),
    ("loss@101%", "'101%'"),
    ("loss:burst=1.5@61%", "0 to 60 in bursts of 1.5, then %"),
    ("cascade@2.5", "a whole number from 1 to 5"),
    ("level@nandB", "'nandB'"),
    ("loss@1%,2%", "found 2 strengths, expected one"),
])  # fmt: skip
def test_what_is_no_condition_is_refused(text: str, said: str) -> None:
    with pytest.raises(UserError, match=said):
        condition_named(text) if "," in text else conditions_of([text])


def test_points_are_found_by_their_condition() -> None:
    points = [*codec_models()["opus"].points, *codec_models()["snac-mini"].points]
    names = ["loss@1%", "loss@5%", "flips@1e-4", "noise:white@6dB"]
    specs = points + [spec.under(name) for spec in points for name in names]

    def found(text: str) -> list[str]:
        return [spec.name for spec in among(specs, text)]

    depths = len(codec_models()["snac-mini"].points)
    assert found("opus@14kbps+loss@5%") == found("opus@14+loss@5%") == ["opus@14kbps+loss@5%"]
    assert found("opus@14") == ["opus@14kbps"]
    assert len(found("opus")) == len(found("opus+loss@5%")) == len(codec_models()["opus"].points)
    assert not any("+" in name for name in found("opus,*,snac-mini,o"))
    assert len(found("snac-mini+*")) == 4 * depths
    assert len(found("*+loss@*")) == 2 * len(points)
    expected = ["opus@14kbps+loss@1%", "opus@14kbps+loss@5%", "snac-mini+flips@1e-4"]
    assert found("opus@14kbps+loss@1%,5%,snac-mini+flips@1e-4") == expected
    with pytest.raises(UnknownName):
        among(specs, "opus+loss@2%")
