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
        ("lowpass@3.5kHz,7kHz,noise@-5,10dB",
         ["lowpass@3.5kHz", "lowpass@7kHz", "noise@-5", "noise@10dB"]),
        ("opus@8,snac,14", ["opus@8", "snac", "14"]),
        ("A=dac:a,B=dac:b/c@2q,full", ["A=dac:a", "B=dac:b/c@2q", "B=dac:b/c@full"]),
        ("dac:me@home/x.pth@3,6", ["dac:me@home/x.pth@3", "dac:me@home/x.pth@6"]),
        ("my_codec.py@16,24,a=b/c.py@fast", ["my_codec.py@16", "my_codec.py@24", "a=b/c.py@fast"]),
        (" , ,", []),
    ],
)  # fmt: skip
def test_a_number_after_a_comma_continues_the_rates_before_it(text, expected):
    assert split_selectors(text) == expected


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        ("dac", ["dac-44khz@1.72kbps", "dac-44khz@2.58kbps", "dac-44khz@5.17kbps",
                 "dac-44khz@7.75kbps"]),
        ("dac@8", ["dac-44khz@7.75kbps"]),  # a rate after a family is asked of its first model
        ("dac-44khz@full", ["dac-44khz@7.75kbps"]),  # an exact name beats a prefix
        ("dac-44@8", ["dac-44khz@7.75kbps", "dac-44khz-16kbps@7.75kbps"]),
        ("dac-44khz@3q", ["dac-44khz@2.58kbps"]),
        ("dac-24khz@23.3,23.9", ["dac-24khz@23.2kbps", "dac-24khz@24kbps"]),
        ("snac-24khz@0.98,2q", ["snac-24khz", "snac-24khz@0.422kbps"]),
        ("lowpass@3.5KHZ", ["lowpass@3.5kHz"]),
        ("opus@24,8,snac-24khz,opus@24kbps,8.0", ["opus@24kbps", "opus@8kbps", "snac-24khz"]),
    ],
)  # fmt: skip
def test_families_models_and_points(selector, expected):
    assert names(selector) == expected


def test_families_may_stand_for_embedded_models_and_need_weights():
    chosen = select("dac,snac,encodec", families="embedded")
    assert {model.name for model, _ in chosen} == {"dac-mini", "snac-mini", "encodec-mini"}
    assert [len(spec.streams) for model, spec in chosen if model.name == "dac-mini"] == [2, 3, 6, 9]
    assert names("toys", families="embedded") == names("toys")
    assert [m.name for m, _ in select("dac@3q", families="embedded")] == ["dac-mini"]
    snac = ["snac-24khz", "snac-32khz", "snac-44khz"]
    assert [m.name for m in family_models("snac,opus,toys")] == snac
    assert [m.name for m in family_models("dac@8,encodec")] == ["dac-44khz", "encodec-24khz"]
    assert family_models("snac-24khz,opus@8,identity") == ()


@pytest.fixture
def file(tmp_path, monkeypatch):
    """A file; ``toy:PATH`` opens any as a model of two points, named after it if not otherwise."""

    def open_(path: Path, name: str) -> CodecModel:
        name = name or path.stem
        points = tuple(
            CodecSpec(
                f"{name}@{n / 2:g}kbps", name, "toy", 8000, (1,), (Stream(50, 1024),) * n, n / 2
            )
            for n in (1, 2)
        )
        source = WeightsSource("own", str(path), (HostedFile(path.name, str(path)),))
        return CodecModel(name, "toy", points, (points[-1].name,), lambda *_: None, source)

    openers = {"toy": CodecOpener("toy", open_, "any file")}
    monkeypatch.setattr(selectors, "codec_openers", lambda: openers)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "exp 1").mkdir()
    for name in ("net.bin", "other.bin"):
        (tmp_path / "exp 1" / name).write_bytes(b"weights")
    selectors._opened.cache_clear()
    yield tmp_path / "exp 1" / "net.bin"
    selectors._opened.cache_clear()


def test_a_path_is_a_model_with_points_like_any_other(file, monkeypatch):
    own, home = "A=toy:exp 1/net.bin", Path.home()
    assert names("toy:exp 1/net.bin") == ["net@1kbps"]
    assert names(f"{own}@1q,full") == ["A@0.5kbps", "A@1kbps"]
    assert names(f"{own}@0.51,B=toy:exp 1/net.bin") == ["A@0.5kbps", "B@1kbps"]
    assert names(f"{own},A=toy:{file}") == ["A@1kbps"]  # the same model twice is one
    assert family_models(f"{own}@1q") == ()
    text = with_absolute_paths(f"opus@14,{own}@1q,toy:~/x,m.py@8,B=~/m.py")
    expected = f"opus@14,A=toy:{file}@1q,toy:{home}/x,{Path.cwd()}/m.py@8,B={home}/m.py"
    assert text == expected
    ((model, _),) = select(own)
    monkeypatch.chdir("/")  # a worker finds the model again from any folder
    assert model.selector == f"A=toy:{file}"
    assert model_named(model.selector).name == "A"


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        *(
            (f"dac-44khz@{point}", UnknownPoint,
             rf"dac-44khz has no operating point within 5 % of '{point}'; it works at 0.861, 1.72, "
             ".*or write a number of codebooks .*@9q")
            for point in ("2.8", "10q", "fast", "")
        ),
        ("identity@8", UnknownPoint, r"identity has one operating point; write identity$"),
        ("encodek", UnknownName, r"no codec named 'encodek'; did you mean encodec"),
        ("xyzzy", UnknownName, r"no codec named 'xyzzy'; there are: dac, .*, snac-mini"),
        (" , ", UnknownName, "no codec named; there are: dac, encodec, snac"),
        ("A=toy:exp 1/net.bin@1q,A=toy:exp 1/other.bin@2q", UserError,
         r"net\.bin and A=toy:.*other\.bin have the same"),
        *(
            (f"{name}=toy:exp 1/net.bin", UserError, f"{name} is the name of a codec that snac")
            for name in ("opus", "dac")
        ),
        ("my model=toy:exp 1/net.bin", UserError, "'my model' is no name; use letters, digits"),
        ("toy:gone", UserError, r"toy:gone: there is no file or folder .*/gone"),
        ("tar:exp 1/net.bin", UnknownName, "nothing opens tar:PATH; toy:PATH opens any file"),
        ("toy:exp 1/net.bin@7", UnknownPoint, r"net has no operating point.*works at 0.5, 1 kbps"),
    ],
)  # fmt: skip
@pytest.mark.usefixtures("file")
def test_what_names_no_codec_and_what_cannot_be_opened(text, error, message):
    with pytest.raises(error, match=message):
        select(text)
