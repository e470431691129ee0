"""One look per model, one style for all figures, and nobody else's settings touched."""

from __future__ import annotations

import random

import matplotlib as mpl
import pytest

from snacbench.plots.style import GREY, looks, paper_style
from tests.plots.synthetic import ANCHOR, DAC, OPUS, SEVERAL, SNAC, many, spec


def test_a_known_model_looks_the_same_whoever_else_is_there() -> None:
    alone, among = looks(DAC), looks([*SEVERAL, *many(14)])
    assert alone["dac-44khz"] == among["dac-44khz"]
    assert looks([*DAC, spec("dac-24khz", 6, "dac")])["dac-44khz"] == alone["dac-44khz"]


def test_looks_do_not_depend_on_order() -> None:
    specs = many(14)
    shuffled = random.Random(1).sample(specs, len(specs))
    assert looks(specs) == looks(shuffled)


def test_no_two_of_many_models_share_colour_and_line() -> None:
    found = looks([*SEVERAL, *many(20)])
    pairs = [(look.colour, look.line) for look in found.values()]
    assert len(set(pairs)) == len(pairs)
    assert looks(many(40))["model-39"].colour in (GREY, *(p[0] for p in pairs))


def test_a_family_shares_its_marker_and_anchors_are_grey() -> None:
    found = looks([*many(14), *ANCHOR])
    assert found["model-0"].marker == found["model-7"].marker
    assert found["model-0"].marker != found["model-1"].marker
    assert found["model-0"].fill != found["model-7"].fill
    assert (found["lowpass"].colour, found["lowpass"].line) == (GREY, "")


def test_ink_is_dark_enough_to_read() -> None:
    for look in looks([*SEVERAL, *many(7)]).values():
        parts = [int(look.ink[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
        luminance = sum(w * c for w, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))
        assert 1.05 / (luminance + 0.05) >= 3, look


def test_settings_of_the_caller_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(mpl.rcParams, "font.size", 23.0)
    with paper_style():
        assert mpl.rcParams["font.size"] == 8
        assert mpl.rcParams["pdf.fonttype"] == 42
        assert mpl.rcParams["svg.fonttype"] == "none"
    assert mpl.rcParams["font.size"] == 23.0


def test_models_of_one_codec_have_one_look_for_all_rates() -> None:
    assert set(looks([*OPUS, *SNAC])) == {"opus", "snac-24khz"}


def test_a_familys_colour_is_not_taken_by_another() -> None:
    own = [spec(name, 9, "dac") for name in ("A", "B", "C")]
    found = looks([*own, spec("snac-mini", 1, "snac"), spec("encodec-mini", 6, "encodec")])
    assert found["A"].colour == "#D55E00"
    assert found["snac-mini"].colour == "#0072B2"
    assert found["encodec-mini"].colour == "#009E73"
