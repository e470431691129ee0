"""Plug-ins and their names; from what a user writes to models, operating points, paths."""

from dataclasses import replace
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from snacbench import errors, plugins, selectors
from snacbench.errors import UnknownName, UserError
from snacbench.models import CodecFamily, CodecModel, CodecOpener, HostedFile, WeightsSource
from snacbench.plots.drawing import Plot, write_plots
from snacbench.plots.plot_data import Options
from snacbench.plugins import codec_models, codec_openers, select_metrics
from snacbench.tables.from_runs import tables_of
from snacbench.tables.layouts.parts import Layout
from snacbench.testsets.corpora.corpus import Corpus
from snacbench.testsets.folder import corpus_set
from snacbench.testsets.opening import COMPOSITE_SETS, NAMED_SETS
from snacbench.types import CodecSpec, Metric, MetricSpec, Stream
from tests.support import plugged
from tests.support.cases import cases

CASES = cases(__file__)


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

    def entry_points(group):
        return [SimpleNamespace(name="outside", value="", dist=None, load=lambda: modules[group])]

    monkeypatch.setattr(plugins, "entry_points", entry_points)
    plugins.discovered.cache_clear()
    yield
    plugins.discovered.cache_clear()


@pytest.mark.usefixtures("outside")
def test_another_package_adds_codecs_and_metrics_by_entry_points(monkeypatch):
    assert [spec.name for _, spec in selectors.select("loud@2")] == ["loud@2kbps"]
    assert [spec.name for _, spec in selectors.select("shouts")] == ["loud@2kbps"]
    assert [m.spec.name for m in select_metrics(["ear"])] == ["ear"]
    # A point that is made under another model's name is refused.
    (stolen,) = (spec for _, spec in selectors.select("opus@14"))
    made = replace(codec_models()["loud"], free_point=lambda text: stolen)
    monkeypatch.setitem(plugins.discovered("codecs").items, "loud", made)
    with pytest.raises(UserError, match="loud@14 cannot be used: it has the operating point opus@"):
        selectors.select("loud@14")


def test_prefixes_families_and_metrics_keep_their_names_too():
    codecs, found = plugins.discovered("codecs"), plugins.discovered("metrics")
    corpora, plots = plugins.discovered("corpora"), plugins.discovered("plots")
    other = plugins.Origin("rival", "2.0")
    opener = CodecOpener("dac", lambda path, name: codec_models()["opus"], "anything")
    for taken, item in (
        (codecs, opener),
        (codecs, CodecFamily("snac", published="opus")),
        (codecs, CodecFamily("opus", published="snac")),
        (found, Metric(plugins.metrics()["si_sdr"].spec, lambda reference: None)),
    ):
        assert "is left out: that name belongs to snacbench" in taken.take(item, other)
    for name in (*NAMED_SETS, *COMPOSITE_SETS):
        assert f"{name} is left out: that name belongs" in corpora.take(corpus(name), other)
    assert "all is left out: that name belongs" in plots.take(SimpleNamespace(name="all"), other)
    assert codec_openers()["dac"] is not opener
    assert plugins.origin_of(plugins.metrics()["si_sdr"]) == plugins.OWN
    opened = replace(codec_models()["opus"], name="own", selector="own=dac:/a=b:c")
    assert plugins.origin_of(opened) == plugins.OWN


def corpus(name, find=lambda root: 1 / 0):
    return Corpus(name, "of a test", find, "none", "nowhere")


def _drawn(plot, options):
    for found in write_plots(None, [(plot, options)], ["svg"], Path()):
        if isinstance(found, Exception):
            raise found


@pytest.mark.parametrize(("kind", "item", "use"), [
    ("corpora", corpus("shaky"), lambda item: corpus_set(item, Path())),
    ("layouts", Layout("shaky", "", lambda runs: 1 / 0, "domain"), lambda i: tables_of([], i)),
    ("plots", Plot("shaky", "", lambda *_: 1 / 0), lambda item: _drawn(item, Options())),
])  # fmt: skip
def test_what_fails_in_a_plug_in_is_no_bug_of_snacbench(monkeypatch, kind, item, use):
    with pytest.raises(ZeroDivisionError):
        use(item)
    monkeypatch.setitem(plugins.discovered(kind).origins, "shaky", plugins.Origin("rival", "2.0"))
    failed = r"plug-in shaky .* of rival 2.0 failed: ZeroDivisionError: .*py:\d+"
    with pytest.raises(UserError, match=failed):
        use(item)


@pytest.mark.parametrize(("distance", "embed"), [(None, print), ("mmd", print), ("kernel", None)])
def test_a_set_level_metric_has_both_embeddings_and_a_known_distance(distance, embed):
    spec = replace(plugins.metrics()["si_sdr"].spec, name="mine", distance=distance)
    said = plugins.Discovered().take(Metric(spec, print, embed=embed), plugins.OWN)
    assert "a set-level metric has embed, and a distance of frechet, kernel" in said


@pytest.mark.parametrize(("changed", "message"), [
    ({"name": "my codec"}, "my codec is left out: it is no name"),
    ({"name": None}, "it declares what cannot be used (TypeError"),
    ({"points": ()}, "none of its operating points is a default"),
    ({"points": ("loud",)}, "its points are not all of type CodecSpec"),
])  # fmt: skip
@pytest.mark.usefixtures("outside")
def test_what_is_no_codec_is_left_out(changed, message):
    item = replace(codec_models()["loud"], **changed)
    assert message in plugins.Discovered().take(item, plugins.OWN)


def test_every_name_of_this_package_is_declared_once_and_metrics_are_chosen_by_it(monkeypatch):
    assert [m.spec.name for m in select_metrics(["stoi", "si_sdr", "stoi"])] == ["stoi", "si_sdr"]
    with pytest.raises(UnknownName, match=r"no metric named 'si_sdd'; did you mean si_sdr"):
        select_metrics(["si_sdd"])
    answers, take = [], plugins.Discovered.take
    monkeypatch.setattr(plugins, "entry_points", lambda group: [])
    monkeypatch.setattr(
        plugins.Discovered, "take", lambda self, *item: answers.append(take(self, *item)) or ""
    )
    plugins.discovered.cache_clear()
    for kind in plugins.KINDS:
        plugins.discovered(kind)
    plugins.discovered.cache_clear()
    assert set(answers) == {""}


def test_a_python_file_may_declare_several_models(tmp_path):
    path = tmp_path / "mine.py"
    one, two = plugged.codec("one"), plugged.codec("two")
    path.write_text(f"{one}ONE = MODELS\n{two}MODELS += ONE")
    assert [spec.name for _, spec in selectors.select(f"{path}")] == ["two", "one"]
    ((model, spec),) = selectors.select(f"two={path}")
    assert (model.selector, model.load(spec, None, "cpu").spec) == (f"two={path}", spec)
    with pytest.raises(UserError, match="declares no codec three; there are: two, one"):
        selectors.select(f"three={path}")


@pytest.mark.parametrize(("code", "message"), [
    ("x = 1\n)", r"broken.py, line 2: SyntaxError: unmatched"),
    ("x = 1\nx = 1 / 0\n", "broken.py, line 2: ZeroDivisionError: division by zero"),
    ("\nfrom snacbench.codecs.command import CommandCodec, whole_file\nCommandCodec('a b', 8, "
     "'{input}', '', [], len).model()", "broken.py, line 3: a b: points: expected one"),
    ("x = 1", r"broken.py declares no codec: expected MODELS = \(CodecModel"),
    ("MODELS = (3,)", "broken.py: TypeError: MODELS holds a int, expected CodecModel"),
    (plugged.codec("a b"), "broken.py: a b: it is no name; use letters"),
    (plugged.codec("opus"), "opus is the name of a codec that snacbench knows; .*name= in /"),
    ("\0", "broken.py.*: (SyntaxError|ValueError): source code "),
])  # fmt: skip
def test_a_file_that_cannot_be_used_is_named_with_its_line(tmp_path, code, message):
    path = tmp_path / "broken.py"
    path.write_text(code)
    with pytest.raises(UserError, match=message):
        selectors.select(f"{path}@16")
    with pytest.raises(UserError, match=r"there is no"):
        selectors.select(f"{tmp_path}/x.py")
    path.unlink()
    path.mkdir()
    with pytest.raises(UserError, match=r"cannot read .*broken.py .Is a"):
        selectors.select(f"{path}")


def names(text, **options):
    return [spec.name for _, spec in selectors.select(text, **options)]


@pytest.mark.parametrize(("text", "expected"), CASES["split"])
def test_a_number_after_a_comma_continues_the_rates_before_it(text, expected):
    assert selectors.split_selectors(text) == expected


@pytest.mark.parametrize(("selector", "expected"), CASES["chosen"])
def test_families_models_and_points(selector, expected):
    assert names(selector) == expected


def test_families_may_stand_for_embedded_models_and_need_weights():
    chosen = selectors.select("dac,snac,encodec", families="embedded")
    assert {model.name for model, _ in chosen} == {"dac-mini", "snac-mini", "encodec-mini"}
    assert [len(spec.streams) for model, spec in chosen if model.name == "dac-mini"] == [2, 3, 6, 9]
    assert [m.name for m, _ in selectors.select("dac@3q", families="embedded")] == ["dac-mini"]
    snac = ["snac-24khz", "snac-32khz", "snac-44khz"]
    assert [m.name for m in selectors.family_models("snac,opus,toys")] == snac
    names = [model.name for model in selectors.family_models("dac@8,encodec")]
    assert names == ["dac-44khz", "encodec-24khz"]
    assert selectors.family_models("snac-24khz,opus@8,identity") == ()


@pytest.fixture
def file(tmp_path, monkeypatch):
    """A file; ``toy:PATH`` opens any as a model of two points, named after it if not otherwise."""

    def open_(path, name):
        name = name or path.stem
        points = tuple(CodecSpec(f"{name}@{n / 2:g}kbps", name, "toy", 8000, (1,),
                                 (Stream(50, 1024),) * n, n / 2) for n in (1, 2))  # fmt: skip
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
    assert selectors.family_models(f"{own}@1q") == ()
    text = selectors.with_absolute_paths(f"opus@14,{own}@1q,toy:~/x,m.py@8,B=~/m.py")
    assert text == f"opus@14,A=toy:{file}@1q,toy:{home}/x,{Path.cwd()}/m.py@8,B={home}/m.py"
    ((model, _),) = selectors.select(own)
    monkeypatch.chdir("/")  # a worker finds the model again from any folder
    assert model.selector == f"A=toy:{file}"
    assert selectors.model_named(model.selector).name == "A"


@pytest.mark.parametrize(("text", "error", "message"), CASES["refused"])
@pytest.mark.usefixtures("file")
def test_what_names_no_codec_and_what_cannot_be_opened(text, error, message):
    with pytest.raises(getattr(errors, error), match=message):
        selectors.select(text)
