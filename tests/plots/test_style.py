"""One look per model, told from every other by anybody."""

from __future__ import annotations

import random
from itertools import combinations

import numpy as np
import pytest

from snacbench.plots.style import COLOURS, GREY, Look, looks
from snacbench.plugins import codec_models
from tests.support.plots import ANCHOR, DAC, SEVERAL, many, spec

# Machado, Oliveira and Fernandes, "A physiologically-based model for simulation of color vision
# deficiency", IEEE TVCG 15 (6), 2009: their matrices of severity 1.0, on linear RGB.
VISION = {
    "usual": np.eye(3),
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216],
                   [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413],
                     [-0.011820, 0.042940, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602],
                   [0.004733, 0.691367, 0.303900]],
}  # fmt: skip
TO_XYZ = [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]  # sRGB, D65
TELLABLE = 15.0  # CIELAB 1976; about 2.3 is just noticeable in large areas side by side


def linear(colour: str) -> np.ndarray:
    parts = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    return np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)


def lab(colour: str, vision: str) -> np.ndarray:
    seen = np.clip(VISION[vision] @ linear(colour), 0, 1)
    share = (TO_XYZ @ seen) / np.sum(TO_XYZ, axis=1)
    x, y, z = np.where(share > (6 / 29) ** 3, np.cbrt(share), share / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def difference(one: str, other: str, vision: str) -> float:
    return float(np.linalg.norm(lab(one, vision) - lab(other, vision)))


@pytest.mark.parametrize("vision", VISION)
def test_no_two_colours_look_alike_to_anyone(vision):
    for one, other in combinations(COLOURS, 2):
        assert difference(one, other, vision) > TELLABLE, (one, other)


def shape(look: Look) -> tuple[object, ...]:
    """What is left of a mark without its colour."""
    mark = look.mark()
    return mark["marker"], mark["fillstyle"], mark["markerfacecolor"] == look.colour


def test_marks_that_look_alike_differ_in_colour():
    known = [model.points[-1] for model in codec_models().values()]
    for found in (looks(known), looks(many(28)), looks([*known, *many(4)])):
        drawn = [look for look in found.values() if look.colour != GREY]  # without the anchors
        for one, other in combinations(drawn, 2):
            if shape(one) == shape(other):
                apart = min(difference(one.colour, other.colour, v) for v in VISION)
                assert apart > TELLABLE, (one, other)


def test_a_family_shares_marker_and_colour_as_far_as_lines_reach_and_anchors_are_grey():
    own = [spec(name, 9, "dac") for name in "ABCDE"]
    found = looks([*own, spec("snac-mini", 1, "snac"), *ANCHOR])
    family = [found[name] for name in "ABCD"]
    assert {look.colour for look in family} == {"#D55E00"}
    assert len({look.line for look in family}) == len({shape(look) for look in family}) == 4
    assert found["snac-mini"].colour == "#0072B2"
    assert found["E"].colour not in ("#D55E00", "#0072B2")
    assert found["A"].marker == found["E"].marker != found["snac-mini"].marker
    assert (found["lowpass"].colour, found["lowpass"].line) == (GREY, "")


def test_a_look_depends_neither_on_order_nor_on_whoever_else_is_there():
    specs = many(14)
    assert looks(specs) == looks(random.Random(1).sample(specs, len(specs)))
    among = looks([*SEVERAL, *specs, spec("dac-24khz", 6, "dac")])
    assert among["dac-44khz"] == looks(DAC)["dac-44khz"]
    assert len(looks(SEVERAL)) == 4  # one per model, whatever its rates
    found = looks([*SEVERAL, *many(20)])
    assert len({(look.colour, look.line) for look in found.values()}) == len(found)
    assert looks(many(40))["model-39"].colour in (GREY, *COLOURS)
