from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from snacbench import plugins
from snacbench.errors import UnknownName, UserError
from snacbench.models import CodecFamily, CodecModel, CodecOpener
from snacbench.plots.drawing import Options, Plot, write_plots
from snacbench.plugins import codec_models, codec_openers, select_metrics
from snacbench.selectors import select
from snacbench.tables.from_runs import tables_of
from snacbench.tables.layouts.parts import Layout
from snacbench.testsets.corpora.corpus import Corpus
from snacbench.testsets.folder import corpus_set
from snacbench.types import CodecSpec, Metric, MetricSpec
from tests.support import plugged


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
        return [SimpleNamespace(name="outside", value="", dist=None, load=lambda: modules[group])]

    monkeypatch.setattr(plugins, "entry_points", entry_points)
    plugins.discovered.cache_clear()
    yield
    plugins.discovered.cache_clear()


@pytest.mark.usefixtures("outside")
def test_another_package_adds_codecs_and_metrics_by_entry_points(monkeypatch):
    assert [spec.name for _, spec in select("loud@2")] == ["loud@2kbps"]
    assert [spec.name for _, spec in select("shouts")] == ["loud@2kbps"]
    assert [m.spec.name for m in select_metrics(["ear"])] == ["ear"]
    assert "ear" not in [m.spec.name for m in select_metrics([])]
    # A point that is made under another model's name is refused.
    (stolen,) = (spec for _, spec in select("opus@14"))
    made = replace(codec_models()["loud"], free_point=lambda text: stolen)
    monkeypatch.setitem(plugins.discovered("codecs").items, "loud", made)
    with pytest.raises(UserError, match="loud@14 cannot be used: it has the operating point opus@"):
        select("loud@14")


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
    assert "quick is left out: that name belongs" in corpora.take(corpus("quick"), other)
    assert "all is left out: that name belongs" in plots.take(SimpleNamespace(name="all"), other)
    assert codec_openers()["dac"] is not opener
    assert plugins.origin_of(plugins.metrics()["si_sdr"]) == plugins.OWN
    opened = replace(codec_models()["opus"], name="own", selector="own=dac:/a=b:c")
    assert plugins.origin_of(opened) == plugins.OWN


def corpus(name: str, find=lambda root: 1 / 0) -> Corpus:
    return Corpus(name, "of a test", find, "none", "nowhere")


@pytest.mark.parametrize(
    ("kind", "item", "use"),
    [
        ("corpora", corpus("shaky"), lambda item: corpus_set(item, Path())),
        ("layouts", Layout("shaky", "", lambda runs: 1 / 0, "domain"), lambda i: tables_of([], i)),
        (
            "plots",
            Plot("shaky", "", lambda *_: 1 / 0),
            lambda item: [*write_plots(None, [(item, Options())], ["svg"], Path())],
        ),
    ],
)
def test_what_fails_in_a_plug_in_is_no_bug_of_snacbench(monkeypatch, kind, item, use):
    with pytest.raises(ZeroDivisionError):
        use(item)
    monkeypatch.setitem(plugins.discovered(kind).origins, "shaky", plugins.Origin("rival", "2.0"))
    with pytest.raises(
        UserError, match=r"plug-in shaky .* of rival 2.0 failed: ZeroDivisionError: .*py:\d+"
    ):
        use(item)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"name": "my codec"}, "my codec is left out: it is no name"),
        ({"name": None}, "it declares what cannot be used (TypeError"),
        ({"points": ()}, "none of its operating points is a default"),
        ({"points": ("loud",)}, "its points are not all of type CodecSpec"),
    ],
)
@pytest.mark.usefixtures("outside")
def test_what_is_no_codec_is_left_out(changed, message):
    item = replace(codec_models()["loud"], **changed)
    assert message in plugins.Discovered().take(item, plugins.OWN)


def test_every_name_of_this_package_is_declared_once_and_metrics_are_chosen_by_it(monkeypatch):
    chosen = select_metrics(["stoi", "si_sdr", "stoi"])
    assert [m.spec.name for m in chosen] == ["stoi", "si_sdr"]
    assert all(m.spec.default for m in select_metrics([]))
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
    path.write_text(
        plugged.codec("one") + "ONE = MODELS\n" + plugged.codec("two") + "MODELS += ONE"
    )
    assert [spec.name for _, spec in select(f"{path}")] == ["two", "one"]
    ((model, spec),) = select(f"two={path}")
    assert (model.selector, model.load(spec, None, "cpu").spec) == (f"two={path}", spec)
    with pytest.raises(UserError, match="declares several codecs, of which one is "):
        select(f"three={path}")


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("x = 1\n)", r"broken.py, line 2: SyntaxError: unmatched"),
        ("x = 1\nx = 1 / 0\n", "broken.py, line 2: ZeroDivisionError: division by zero"),
        ("raise SystemExit(3)\n", "broken.py, line 1: SystemExit: 3"),
        ("\nfrom snacbench.codecs.command import CommandCodec, whole_file\nCommandCodec('a b', 8, "
         "'{input}', '', [], len).model()", "broken.py, line 3: a b: name: 'a b' is no name"),
        ("x = 1", r"broken.py declares no codec: expected MODELS = \(CodecModel"),
        ("MODELS = (3,)", "broken.py: TypeError: MODELS holds a int, expected CodecModel"),
        (plugged.codec("a b"), "broken.py: a b: it is no name; use letters"),
        (plugged.codec("opus"), "opus is the name of a codec that snacbench knows; .*=/"),
        ("\0", "broken.py.*: (SyntaxError|ValueError): source code "),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_used_is_named_with_its_line(tmp_path, code, message):
    path = tmp_path / "broken.py"
    path.write_text(code)
    with pytest.raises(UserError, match=message):
        select(f"{path}@16")
    with pytest.raises(UserError, match=r"there is no"):
        select(f"{tmp_path}/x.py")
    path.unlink()
    path.mkdir()
    with pytest.raises(UserError, match=r"cannot read .*broken.py .Is a"):
        select(f"{path}")
