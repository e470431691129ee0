"""The example in docs/bitstreams.md, byte by byte."""

from __future__ import annotations

import re
from pathlib import Path

from snacbench.bitstream.container import costs, read, write
from snacbench.bitstream.file import Header
from snacbench.bitstream.header import CHANNEL_MODES
from snacbench.rate.coding.packed import PACKED

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "bitstreams.md"


def example() -> bytes:
    (block,) = re.findall(r"```\n(53 4e.*?)```", DOCUMENT.read_text("utf-8"), re.DOTALL)
    return bytes.fromhex("".join(line[:44] for line in block.splitlines()))


def test_the_example_is_a_file() -> None:
    data = example()
    stream = read(data, lambda header: PACKED)
    assert stream.header == Header("toy@1kbps", {}, 16_000, 48_000, 1, 1_920, "mono", 0)
    assert stream.codebook_sizes == (1024, 1024)
    (part,) = stream.parts
    assert [codes.tolist() for codes in part.codes] == [[[5, 1000]], [[1, 2, 3, 4]]]
    assert write(stream, PACKED) == data
    assert (len(data), costs(data).codes) == (72, 8)


def test_the_ways_of_handling_channels_are_listed() -> None:
    listed = ", ".join(f"{index} {mode}" for index, mode in enumerate(CHANNEL_MODES))
    assert listed in DOCUMENT.read_text("utf-8")
