"""The YAML file of a command-line codec: what may be written, and what a mistake is answered."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from snacbench.codecs._command_file import fill, read_command_file
from snacbench.codecs.command import open_command
from snacbench.errors import UserError

SMALLEST: dict[str, Any] = {
    "name": "small",
    "rate_hz": 8_000,
    "points": [1.5],
    "encode": "enc {input} {coded}",
    "decode": "dec {coded} {output}",
    "bits": "file_size",
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "codec.yaml"


def write(path: Path, **changed: Any) -> Path:
    fields = {**SMALLEST, **changed}
    path.write_text(yaml.safe_dump({k: v for k, v in fields.items() if v != "leave out"}))
    return path


def test_the_smallest_file(path: Path) -> None:
    model = open_command(write(path), "")
    (spec,) = model.points
    assert (model.name, model.family, spec.name) == ("small", "command", "small@1.5kbps")
    assert (spec.rate_hz, spec.channels, spec.nominal_kbps) == (8_000, (1,), 1.5)
    assert (spec.latency_s, spec.stochastic, spec.licence) == (None, False, "not stated")
    assert model.default == ("small@1.5kbps",)


def test_points_are_rates_or_have_names_and_settings(path: Path) -> None:
    points = [16, {"kbps": 9.6}, {"name": 700, "settings": {"mode": "700C", "late": 40}}]
    command = "enc --mode {mode} {input} {coded}"
    write(path, points=points[:2], default=["9.6kbps"])
    model = open_command(path, "other")
    assert [point.name for point in model.points] == ["other@16kbps", "other@9.6kbps"]
    assert model.default == ("other@9.6kbps",)
    write(path, points=points[2:], encode=command, latency_ms="{late}", licence="MIT")
    (spec,) = open_command(path, "").points
    assert (spec.name, spec.nominal_kbps, spec.latency_s) == ("small@700", None, 0.04)
    assert spec.settings == {"mode": "700C", "late": 40}
    assert spec.licence == "MIT"


def test_a_command_is_a_list_or_a_line(path: Path) -> None:
    line = read_command_file(write(path, encode="enc -b 5 '{input}' \"my file\" {coded}"))
    words = ["enc", "-b", 5, "{input}", "my file", "{coded}"]
    assert line.encode == read_command_file(write(path, encode=words)).encode


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("{kbps}", "16"),
        ("--rate={rate_hz}", "--rate=8000"),
        ("{half}/{mode}", "0.5/700C"),
        ("${{Package}} {{kbps}}", "${Package} {kbps}"),
        ("{} { x } {a b}", "{} { x } {a b}"),
    ],
)
def test_values_stand_where_their_names_were(text: str, filled: str) -> None:
    values = {"kbps": 16.0, "rate_hz": 8_000, "half": 0.5, "mode": "700C"}
    assert fill(text, values) == filled


@pytest.mark.parametrize(
    ("changed", "text"),
    [
        ({"rate_hz": "leave out"}, "rate_hz: is missing"),
        ({"bits": "leave out"}, "bits: is missing"),
        ({"rate": 5}, "rate: no such field; did you mean rate_hz"),
        ({"rate_hz": "8k"}, r"rate_hz: Input should be a valid integer, found '8k'"),
        ({"rate_hz": 0}, r"rate_hz: Input should be greater than 0, found 0"),
        ({"name": "my codec"}, r"name: String should match pattern .*, found 'my codec'"),
        ({"channels": [0]}, r"channels\.0: Input should be greater than or equal to 1, found 0"),
        ({"points": []}, r"points: .* at least 1 item"),
        ({"points": [-3]}, r"points\.0\.kbps: Input should be greater than 0, found -3"),
        ({"points": [{"kpbs": 3}]}, r"points\.0\.kpbs: Extra inputs are not permitted"),
        ({"points": [{}]}, r"points\.0: a point needs kbps, or a name, or both"),
        ({"points": [True]}, r"points\.0: Input should be a valid dictionary .*, found True"),
        ({"points": [{"kbps": 3, "settings": {"mode": True}}]},
         r"points\.0\.settings\.mode: expected text or a number, found True"),
        ({"points": [{"kbps": 3, "settings": {"input": "x"}}]},
         r"points\.0: settings: input cannot be set, it has a meaning"),
        ({"points": [3, 3.0]}, r"points: 3kbps occurs more than once; give it a name"),
        ({"default": ["2kbps"]}, r"default: 2kbps: did you mean 1\.5kbps"),
        ({"any_kbps": [9, 6]}, r"any_kbps: expected two rising rates, found \[9\.0, 6\.0\]"),
        ({"any_kbps": [6, 9], "points": [{"kbps": 6, "settings": {"a": 1}}]},
         r"any_kbps: a rate that is not listed has no settings"),
        ({"encode": "enc {input}"}, r"encode: does not say where \{coded\} goes"),
        ({"decode": "dec"}, r"decode: does not say where \{coded\} and \{output\} goes"),
        ({"encode": "enc '{input}"}, r"encode: No closing quotation"),
        ({"encode": []}, r"encode: .* at least 1 item"),
        ({"encode": {"a": 1}}, r"encode: Input should be a valid tuple"),
        ({"input": {"container": "mp3"}}, r"input\.container: Input should be 'wav' or 'raw'"),
        ({"bits": "guess"}, r"bits: Input tag 'guess' .* does not match any of the expected tags"),
        ({"bits": {"rule": "frames", "bits_per_frame": 3}},
         r"bits\.frames\.bytes_per_frame: is missing"),
        ({"delay_samples": -1}, r"delay_samples: expected a whole number from 0, or the name"),
        ({"delay_samples": "late"}, r"delay_samples: expected .* in braces, found 'late'"),
        ({"timeout_s": 0}, r"timeout_s: Input should be greater than 0, found 0"),
        ({"coded_suffix": "bin"}, r"coded_suffix: String should match pattern"),
        ({"encode": "enc {mode} {input} {coded}"},
         r"encode, point 1\.5kbps: no value for \{mode\} in '\{mode\}'; there are: \{bit_"),
        ({"delay_samples": "{late}"},
         r"delay_samples, point 1\.5kbps: no value for \{late\} in"),
        ({"points": [{"kbps": 3, "settings": {"late": "much"}}], "delay_samples": "{late}"},
         r"delay_samples, point 3kbps: small: \{late\} is 'much', expected a whole number"),
        ({"bits": {"rule": "command", "command": "count {file}"}},
         r"bits\.command, point 1\.5kbps: no value for \{file\}"),
    ],
)  # fmt: skip
def test_a_mistake_is_named_with_file_and_field(
    path: Path, changed: dict[str, Any], text: str
) -> None:
    with pytest.raises(UserError, match=rf"codec\.yaml: {text}"):
        open_command(write(path, **changed), "")


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"a: [1", r"codec\.yaml is not YAML: while parsing a flow sequence .* line 1"),
        (b"- a\n- b", r"describes no codec: expected names and values, found \['a', 'b'\]"),
        (b"", r"describes no codec: expected names and values, found None"),
        (b"\xff\xfe\xfa", r"cannot read the codec file .*codec\.yaml \('utf-8' codec"),
    ],
)
def test_a_file_that_is_no_description(path: Path, content: bytes, text: str) -> None:
    path.write_bytes(content)
    with pytest.raises(UserError, match=text):
        open_command(path, "")


def test_a_folder_is_no_description(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"cannot read the codec file .*Is a directory"):
        open_command(tmp_path, "")


def test_yaml_cannot_make_objects(path: Path) -> None:
    path.write_text("name: !!python/object/apply:os.system ['true']\n")
    with pytest.raises(UserError, match="is not YAML: could not determine a constructor"):
        open_command(path, "")
