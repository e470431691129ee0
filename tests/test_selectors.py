"""From what a user writes to models and operating points: families, rates, paths."""

from __future__ import annotations

from pathlib import Path

import pytest

from snacbench import selectors
from snacbench.errors import UnknownName, UnknownPoint, UserError
from snacbench.models import CodecModel, CodecOpener, HostedFile, WeightsSource
from snacbench.selectors import (
    family_models,
    model_named,
    select,
    split_selectors,
    with_absolute_paths,
)
from snacbench.types import CodecSpec, Stream


def names(text: str, **options) -> list[str]:
    return [spec.name for _, spec in select(text, **options)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("dac-44khz@2.67,8,opus", ["dac-44khz@2.67", "dac-44khz@8", "opus"]),
        ("opus@8kbps, 14kbps", ["opus@8kbps", "opus@14kbps"]),
        ("dac-44khz@3q,9q", ["dac-44khz@3q", "dac-44khz@9q"]),
        ("lowpass@3.5kHz,7kHz,noise@-5,10dB",
         ["lowpass@3.5kHz", "lowpass@7kHz", "noise@-5", "noise@10dB"]),
        ("snac,8", ["snac", "8"]),
        ("opus@8,snac,14", ["opus@8", "snac", "14"]),
        ("dac-44khz@2q,full,opus", ["dac-44khz@2q", "dac-44khz@full", "opus"]),
        ("A=dac:a,B=dac:b/c@2q,full", ["A=dac:a", "B=dac:b/c@2q", "B=dac:b/c@full"]),
        ("dac:me@home/x.pth,3", ["dac:me@home/x.pth", "3"]),
        ("dac:me@home/x.pth@3,6", ["dac:me@home/x.pth@3", "dac:me@home/x.pth@6"]),
        ("my_codec.py@16,24,a=b/c.py@fast", ["my_codec.py@16", "my_codec.py@24", "a=b/c.py@fast"]),
        (" , ,", []),
    ],
)  # fmt: skip
def test_a_number_after_a_comma_continues_the_rates_before_it(text, expected):
    assert split_selectors(text) == expected


def test_a_bare_family_is_its_published_points_or_its_embedded_ones():
    expected = ("1.72", "2.58", "5.17", "7.75")
    assert names("dac") == [f"dac-44khz@{rate}kbps" for rate in expected]
    assert names("snac") == ["snac-24khz", "snac-32khz", "snac-44khz"]
    chosen = select("dac,snac,encodec", families="embedded")
    assert {model.name for model, _ in chosen} == {"dac-mini", "snac-mini", "encodec-mini"}
    assert [len(spec.streams) for model, spec in chosen if model.name == "dac-mini"] == [2, 3, 6, 9]
    assert names("toys", families="embedded") == names("toys")
    # A rate after a family is asked of its first model.
    assert names("dac@8") == ["dac-44khz@7.75kbps"]
    assert [m.name for m, _ in select("dac@3q", families="embedded")] == ["dac-mini"]


def test_an_exact_name_beats_a_prefix():
    assert {m.name for m, _ in select("dac-44khz")} == {"dac-44khz"}
    assert {m.name for m, _ in select("dac-44")} == {"dac-44khz", "dac-44khz-16kbps"}
    assert names("dac-44@8") == ["dac-44khz@7.75kbps", "dac-44khz-16kbps@7.75kbps"]


@pytest.mark.parametrize(
    ("selector", "point"),
    [
        ("dac-44khz@3q", "dac-44khz@2.58kbps"),
        ("dac-44khz@2.67", "dac-44khz@2.58kbps"),
        ("dac-44khz@2.67KBPS", "dac-44khz@2.58kbps"),
        ("dac-44khz@2.58kbps", "dac-44khz@2.58kbps"),
        ("dac-24khz@23.3", "dac-24khz@23.2kbps"),
        ("dac-24khz@23.9", "dac-24khz@24kbps"),
        ("dac-44khz@full", "dac-44khz@7.75kbps"),
        ("snac-24khz@FULL", "snac-24khz"),
        ("snac-24khz@0.98", "snac-24khz"),
        ("snac-24khz@2q", "snac-24khz@0.422kbps"),
        ("opus@9.5", "opus@9.5kbps"),
        ("lowpass@3.5KHZ", "lowpass@3.5kHz"),
    ],
)
def test_a_point_is_a_rate_within_5_percent_or_a_number_of_codebooks(selector, point):
    assert names(selector) == [point]


@pytest.mark.parametrize("point", ["2.8", "3.2kbps", "10q", "0q", "fast", ""])
def test_a_rate_more_than_5_percent_off_lists_the_rates(point):
    text = rf"dac-44khz has no operating point within 5 % of '{point}'; it works at 0.861, 1.72, "
    with pytest.raises(UnknownPoint, match=text + ".*or write a number of codebooks .*@9q"):
        select(f"dac-44khz@{point}")


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("identity@8", UnknownPoint, r"identity has one operating point; write identity$"),
        ("encodek", UnknownName, r"no codec named 'encodek'; did you mean encodec"),
        ("xyzzy", UnknownName, r"no codec named 'xyzzy'; there are: dac, .*, snac-mini"),
        ("", UnknownName, "no codec named; there are: dac, encodec, snac"),
        (" , ", UnknownName, "no codec named; there are: dac, encodec, snac"),
    ],
)
def test_what_names_no_codec(text, error, message):
    with pytest.raises(error, match=message):
        select(text)


def test_points_come_in_the_order_asked_for_without_repeats():
    assert names("opus@24,8,snac-24khz,opus@24kbps,8.0") == [
        "opus@24kbps",
        "opus@8kbps",
        "snac-24khz",
    ]


def test_family_models_are_those_that_bare_names_need_weights_of():
    assert [m.name for m in family_models("snac,opus,toys")] == [
        "snac-24khz",
        "snac-32khz",
        "snac-44khz",
    ]
    assert [m.name for m in family_models("dac@8,encodec")] == ["dac-44khz", "encodec-24khz"]
    assert family_models("snac-24khz,opus@8,identity") == ()


# ------------------------------------------------------------------------- models of one's own


@pytest.fixture
def toy_opener(monkeypatch):
    """``toy:PATH`` opens any file as a model of two points, named after it if not otherwise."""

    def open_(path: Path, name: str) -> CodecModel:
        name = name or path.stem
        stream = Stream(50, 1024)
        points = tuple(
            CodecSpec(f"{name}@{n / 2:g}kbps", name, "toy", 8000, (1,), (stream,) * n, n / 2)
            for n in (1, 2)
        )
        source = WeightsSource("own", str(path), (HostedFile(path.name, str(path)),))
        return CodecModel(name, "toy", points, (points[-1].name,), lambda *_: None, source)

    monkeypatch.setattr(
        selectors, "codec_openers", lambda: {"toy": CodecOpener("toy", open_, "any file")}
    )
    selectors._opened.cache_clear()
    yield
    selectors._opened.cache_clear()


@pytest.fixture
def file(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "exp 1").mkdir()
    path = tmp_path / "exp 1" / "net.bin"
    path.write_bytes(b"weights")
    return path


@pytest.mark.usefixtures("toy_opener")
class TestOwn:
    def test_a_path_is_a_model_with_points_like_any_other(self, file):
        assert names("toy:exp 1/net.bin") == ["net@1kbps"]
        assert names("A=toy:exp 1/net.bin@1q,full") == ["A@0.5kbps", "A@1kbps"]
        assert names("A=toy:exp 1/net.bin@0.51,B=toy:exp 1/net.bin") == ["A@0.5kbps", "B@1kbps"]

    def test_a_worker_finds_the_model_again_from_any_folder(self, file, monkeypatch, tmp_path):
        ((model, _),) = select("A=toy:exp 1/net.bin")
        monkeypatch.chdir("/")
        assert model.selector == f"A=toy:{file}"
        assert model_named(model.selector).name == "A"

    def test_paths_of_a_recipe_are_absolute(self, file, tmp_path):
        text = with_absolute_paths("opus@14,A=toy:exp 1/net.bin@1q,toy:~/x,m.py@8,B=~/m.py")
        home = Path.home()
        assert text == f"opus@14,A=toy:{file}@1q,toy:{home}/x,{tmp_path}/m.py@8,B={home}/m.py"

    def test_no_family_is_asked_for_weights_because_of_a_path(self, file):
        assert family_models("A=toy:exp 1/net.bin@1q") == ()

    def test_two_models_of_one_name_are_refused_even_at_different_points(self, file, tmp_path):
        other = file.with_name("other.bin")
        other.write_bytes(b"")
        with pytest.raises(UserError, match=r"net\.bin and A=toy:.*other\.bin have the same"):
            select("A=toy:exp 1/net.bin@1q,A=toy:exp 1/other.bin@2q")

    def test_the_same_model_twice_is_one(self, file):
        assert names(f"A=toy:exp 1/net.bin,A=toy:{file}") == ["A@1kbps"]

    @pytest.mark.parametrize(
        ("text", "error", "message"),
        [
            *(
                (f"{name}=toy:exp 1/net.bin", UserError, f"{name} is the name of a codec that sn")
                for name in ("opus", "dac-44khz", "snac-mini", "dac")
            ),
            ("my model=toy:exp 1/net.bin", UserError, "'my model' is no name; use letters, digits"),
            ("toy:gone", UserError, r"toy:gone: there is no file or folder .*/gone"),
            ("tar:exp 1/net.bin", UnknownName, "nothing opens tar:PATH; toy:PATH opens any file"),
        ],
    )
    def test_what_cannot_be_opened(self, file, text, error, message):
        with pytest.raises(error, match=message):
            select(text)

    def test_a_point_it_does_not_have_lists_those_it_has(self, file):
        with pytest.raises(UnknownPoint, match=r"net has no operating point.*works at 0.5, 1 kbps"):
            select("toy:exp 1/net.bin@7")
