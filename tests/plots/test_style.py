"""One look per model, told from every other by anybody."""

from __future__ import annotations

import random

from snacbench.plots.style import COLOURS, GREY, Look, looks
from snacbench.plugins import codec_models
from tests.support.plots import ANCHOR, DAC, SEVERAL, many, spec


def shape(look: Look) -> tuple[object, ...]:
    """What is left of a mark without its colour."""
    mark = look.mark()
    return mark["marker"], mark["fillstyle"], mark["markerfacecolor"] == look.colour


def test_no_two_models_share_mark_and_colour():
    known = [model.points[-1] for model in codec_models().values()]
    for specs in (known, many(28), [*known, *many(4)], [*SEVERAL, *many(20)]):
        drawn = [look for look in looks(specs).values() if look.line]  # without the anchors
        assert len({(shape(look), look.colour) for look in drawn}) == len(drawn)
        assert len({(look.line, look.colour) for look in drawn}) == len(drawn)
    assert looks(many(40))["model-39"].colour in (GREY, *COLOURS)


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
