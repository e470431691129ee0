"""The command-line codecs that come with the package, where their programs are installed."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from snacbench.codecs.command import COMMANDS, SHIPPED, open_command
from snacbench.errors import MissingPackage
from snacbench.rate.bits import bits_of
from snacbench.selectors import select
from snacbench.types import Codec
from snacbench.weights.locate import locate
from snacbench.weights.policy import WeightsPolicy
from tests.conftest import broadband, clip_at, si_sdr_db


@pytest.mark.parametrize("path", sorted(COMMANDS.glob("*.yaml")), ids=lambda path: path.stem)
def test_shipped_files_and_the_template_can_be_read(path: Path) -> None:
    if path.stem == "template":  # its points show both ways of writing one, its commands only one
        assert open_command(path, "").points[1].settings == {"effort": 1}
    else:
        assert path.stem in SHIPPED
        assert open_command(path, "").name == path.stem


@pytest.mark.parametrize("example", [0, 1])
def test_examples_of_the_documentation_can_be_read(example: int, tmp_path: Path) -> None:
    text = (Path(__file__).parents[2] / "docs" / "outside-codecs.md").read_text("utf-8")
    blocks = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    path = tmp_path / "example.yaml"
    path.write_text(blocks[example], "utf-8")
    model = open_command(path, "")
    full = open_command(COMMANDS / f"{model.name}.yaml", "")
    same = {point.name: point.nominal_kbps for point in full.points}
    assert all(same[point.name] == point.nominal_kbps for point in model.points)


def shipped(selector: str) -> Codec:
    """A shipped codec at one point, if its programs are installed."""
    ((model, spec),) = select(selector)
    try:
        return model.load(spec, locate(model, WeightsPolicy()), "cpu")
    except MissingPackage as error:
        pytest.skip(str(error))


@pytest.mark.parametrize(
    ("mode", "bits", "frame"),
    [("700C", 28, 320), ("1300", 52, 320), ("1600", 64, 320), ("3200", 64, 160)],
)
def test_codec2_weighs_what_its_modes_are_named_after(mode: str, bits: int, frame: int) -> None:
    codec = shipped(f"codec2@{mode}")
    seconds = 4.0
    encoded = codec.encode(broadband(seconds, 8_000))
    total = bits_of(encoded, codec.spec).total
    assert total % bits == 0
    kbps = total / seconds / 1000
    assert codec.spec.nominal_kbps is not None
    assert 0 <= kbps - codec.spec.nominal_kbps <= 2 * bits / seconds / 1000
    assert bits / frame * 8 == pytest.approx(codec.spec.nominal_kbps)


@pytest.mark.parametrize("kbps", [16, 64])
def test_opus_tools_is_near_our_own_opus(
    loaded: Callable[[str], Codec], shared: Path, kbps: int
) -> None:
    outside, inside = shipped(f"opus-tools@{kbps}"), loaded(f"opus@{kbps}")
    audio = clip_at(shared / "audio/eval/speech/two_cities_a.flac", 48_000, seconds=5)
    rates, scores = [], []
    for codec in (outside, inside):
        encoded = codec.encode(audio)
        rates.append(bits_of(encoded, codec.spec).total / audio.duration_s / 1000)
        scores.append(si_sdr_db(audio, codec.decode(encoded, seed=0)))
    assert rates[0] == pytest.approx(rates[1], rel=0.03)
    assert scores[0] == pytest.approx(scores[1], abs=0.5)


def test_the_container_of_opus_is_not_counted() -> None:
    codec = shipped("opus-tools@16")
    encoded = codec.encode(broadband(1.0, 48_000))
    bits = bits_of(encoded, codec.spec)
    assert bits.total + 8_000 > 8 * len(encoded.packets[0]) > bits.total + 2_000
