"""Bytes inside scripts."""

from __future__ import annotations

import json

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from snacbench.report.pack import packed, packed_script, script_json


def unpacked(text: str, length: int) -> bytes:
    bits = "".join(f"{ord(character) - 0x3000:015b}" for character in text)
    return bytes(int(bits[i * 8 : i * 8 + 8], 2) for i in range(length))


@given(st.binary(max_size=64))
def test_bytes_come_back(data: bytes) -> None:
    text = packed(data)
    assert unpacked(text, len(data)) == data
    assert all(0x3000 <= ord(character) <= 0xAFFF for character in text)


def test_a_script_takes_a_fifteenth_more_than_its_bytes() -> None:
    data = np.random.default_rng(0).bytes(30_000)
    script = packed_script("f", [packed(data)])
    assert len(script) < len(data) * 16 / 15 + 32
    assert script.startswith(b"\xff\xfe")
    assert script.decode("utf-16").startswith('f(["')


def test_json_cannot_end_a_script_or_a_line() -> None:
    value = {"</script>": "\u2028<!--"}
    text = script_json(value)
    assert "<" not in text
    assert "\u2028" not in text
    assert json.loads(text) == value
