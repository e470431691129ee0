from __future__ import annotations

from types import ModuleType, SimpleNamespace

import pytest

from snacbench import plugins
from snacbench.errors import UnknownName, UnknownPoint
from snacbench.models import CodecFamily, CodecModel
from snacbench.plugins import codec_families, codec_models, select_metrics
from snacbench.selectors import family_models, select, split_selectors
from snacbench.types import CodecSpec, Metric, MetricSpec

CACHED = (codec_models, codec_families, plugins.metrics)


def names(text: str, **options) -> list[str]:
    return [spec.name for _, spec in select(text, **options)]


@pytest.fixture
def outside(monkeypatch):
    """An installed package that brings a codec, a family and a metric."""
    spec = CodecSpec("loud@2kbps", "loud", "shouts", 8000, (1,), nominal_kbps=2.0)
    codecs, metrics = ModuleType("shouts"), ModuleType("ears")
    codecs.MODELS = (CodecModel("loud", "shouts", (spec,), (spec.name,), lambda *_: None),)
    codecs.FAMILY = CodecFamily("shouts", published="loud")
    ear = MetricSpec("ear", "dB", "higher", (0, 1), 8000, "none", default=False)
    metrics.METRICS = (Metric(ear, lambda reference: lambda *, degraded: 0.0),)
    modules = {"snacbench.codecs": codecs, "snacbench.metrics": metrics}

    def entry_points(group: str):
        return [SimpleNamespace(name="outside", load=lambda: modules[group])]

    monkeypatch.setattr(plugins, "entry_points", entry_points)
    for function in CACHED:
        function.cache_clear()
    yield
    for function in CACHED:
        function.cache_clear()


def test_models_and_metrics_are_found_in_alphabetical_order():
    assert list(codec_models()) == sorted(codec_models())
    assert list(plugins.metrics()) == sorted(plugins.metrics())
    assert {"opus", "snac-24khz", "dac-44khz", "encodec-24khz"} <= codec_models().keys()


@pytest.mark.usefixtures("outside")
def test_another_package_adds_codecs_and_metrics_by_entry_points():
    assert names("loud@2") == ["loud@2kbps"]
    assert names("shouts") == ["loud@2kbps"]
    assert [m.spec.name for m in select_metrics(["ear"])] == ["ear"]
    assert "ear" not in [m.spec.name for m in select_metrics([])]


def test_metrics_come_in_the_order_asked_for_without_repeats():
    chosen = select_metrics(["stoi", "si_sdr", "stoi"])
    assert [m.spec.name for m in chosen] == ["stoi", "si_sdr"]


def test_no_metric_named_means_the_default_set():
    assert all(m.spec.default for m in select_metrics([]))
    assert len(select_metrics([])) < len(plugins.metrics())


def test_unknown_metric_names_the_nearest():
    with pytest.raises(UnknownName, match=r"no metric named 'si_sdd'; did you mean si_sdr"):
        select_metrics(["si_sdd"])


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
        (" , ,", []),
    ],
)  # fmt: skip
def test_a_number_after_a_comma_continues_the_rates_before_it(text, expected):
    assert split_selectors(text) == expected


def test_a_bare_family_is_its_published_points():
    expected = ["dac-44khz@1.72kbps", "dac-44khz@2.58kbps", "dac-44khz@5.17kbps",
                "dac-44khz@7.75kbps"]  # fmt: skip
    assert names("dac") == expected
    assert names("snac") == ["snac-24khz", "snac-32khz", "snac-44khz"]


def test_a_bare_family_is_its_embedded_points_where_those_are_asked_for():
    chosen = select("dac,snac,encodec", families="embedded")
    assert {model.name for model, _ in chosen} == {"dac-mini", "snac-mini", "encodec-mini"}
    assert [len(spec.streams) for model, spec in chosen if model.name == "dac-mini"] == [2, 3, 6, 9]


def test_a_family_without_embedded_models_stays_what_it_is():
    assert names("toys", families="embedded") == names("toys")


def test_a_rate_after_a_family_is_asked_of_its_first_model():
    assert names("dac@8") == ["dac-44khz@7.75kbps"]
    assert [m.name for m, _ in select("dac@3q", families="embedded")] == ["dac-mini"]


def test_an_exact_name_beats_a_prefix():
    assert {m.name for m, _ in select("dac-44khz")} == {"dac-44khz"}
    assert {m.name for m, _ in select("dac-44")} == {"dac-44khz", "dac-44khz-16kbps"}


def test_a_prefix_takes_a_rate_too():
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


def test_a_codec_without_rates_says_that_it_has_one_point_only():
    with pytest.raises(UnknownPoint, match=r"identity has one operating point; write identity$"):
        select("identity@8")


def test_an_unknown_codec_names_the_nearest():
    with pytest.raises(UnknownName, match=r"no codec named 'encodek'; did you mean encodec"):
        select("encodek")


def test_an_unknown_codec_near_nothing_lists_everything():
    with pytest.raises(UnknownName, match=r"no codec named 'xyzzy'; there are: dac, .*, snac-mini"):
        select("xyzzy")


@pytest.mark.parametrize("text", ["", " , "])
def test_no_codec_lists_everything(text):
    with pytest.raises(UnknownName, match="no codec named; there are: dac, encodec, snac"):
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
