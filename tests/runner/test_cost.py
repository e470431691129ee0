"""Multiply-accumulates by hand, delays that are known, and what is said where there are none."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

import snacbench as sb
from snacbench.plugins import codec_models
from snacbench.rows import Bits, Cost
from snacbench.runner import delay, engine, measured_cost, pool
from snacbench.runner.loading import LoadedCodec
from snacbench.runner.measured_cost import CostJob, cost_of, counted
from snacbench.runner.plan import PlannedCodec
from snacbench.selectors import select
from snacbench.types import Audio, CodecSpec, Encoded, Stream
from snacbench.weights.locate import locate
from snacbench.weights.policy import WeightsPolicy
from tests.support.command_line import call
from tests.support.written_runs import NEURAL, coded, of

torch = pytest.importorskip("torch")

from tests.support import codec_models as models  # noqa: E402

RATE_HZ = 8_000
SPEC = CodecSpec("framed", "framed", "test", RATE_HZ, (1,))


def loaded(selector: str) -> LoadedCodec:
    """An embedded codec, or one at a path."""
    ((model, spec),) = select(selector)
    planned = PlannedCodec(model.selector or model.name, spec)
    return LoadedCodec(models.opened(selector), planned, on_torch="torch" in model.requires)


# ------------------------------------------------------------------------ multiply-accumulates
@pytest.mark.parametrize(("module", "shape", "macs"), [
    # Four gates of 32 see 16 inputs and 32 states; the second layer sees 32 and 32.
    (lambda nn: nn.LSTM(16, 32, num_layers=2), (100, 1, 16), 100 * 4 * 32 * (16 + 3 * 32)),
    (lambda nn: nn.LSTM(16, 32, bidirectional=True), (7, 3, 16), 21 * 2 * 4 * 32 * 48),
    (lambda nn: nn.LSTM(16, 32, proj_size=8), (9, 1, 16), 9 * (4 * 32 * (16 + 8) + 8 * 32)),
    (lambda nn: nn.GRU(16, 32), (100, 1, 16), 100 * 3 * 32 * (16 + 32)),
    (lambda nn: nn.Conv1d(8, 16, 7, stride=2), (2, 8, 105), 2 * 50 * 8 * 16 * 7),
    (lambda nn: nn.Conv1d(8, 8, 7, groups=8), (1, 8, 106), 100 * 8 * 7),
    (lambda nn: nn.ConvTranspose1d(8, 4, 4, stride=2), (1, 8, 100), 100 * 8 * 4 * 4),
    (lambda nn: nn.Linear(16, 8), (5, 16), 5 * 16 * 8),
    (lambda nn: nn.ELU(), (5, 16), 0),
])  # fmt: skip
def test_macs_of_layers_are_as_by_hand(module: Any, shape: tuple[int, ...], macs: int) -> None:
    layer, x = module(torch.nn).eval(), torch.randn(shape)
    assert counted(lambda: layer(x))[1:] == (macs, 0)
    assert counted(lambda: layer(x), [layer])[1:] == (macs, macs)


def test_macs_of_attention_and_distances_are_counted() -> None:
    heads = torch.nn.MultiheadAttention(64, 4, batch_first=True).eval()
    x, books = torch.randn(1, 50, 64), torch.randn(1024, 64)
    sdpa = torch.nn.functional.scaled_dot_product_attention
    products = 2 * 50 * 50 * 64
    assert counted(lambda: heads(x, x, x, need_weights=False))[1] == 4 * 50 * 64 * 64 + products
    assert counted(lambda: sdpa(*(x.reshape(1, 50, 4, 16).transpose(1, 2),) * 3))[1] == products
    matrix, vector, bias = books, torch.randn(64), torch.randn(1024)
    for product in (
        lambda: torch.mv(matrix, vector),
        lambda: matrix @ vector,
        lambda: torch.addmv(bias, matrix, vector),
        lambda: torch.nn.functional.linear(vector, matrix, bias),
    ):
        assert counted(product)[1] == 1024 * 64
    assert counted(lambda: torch.dot(vector, vector))[1] == 64
    for few in (10, 50):  # PyTorch computes these in two ways
        assert counted(lambda n=few: torch.cdist(x[0, :n], books))[1] == few * 1024 * 64


def test_an_encodec_is_counted_by_part(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Against its layers by hand, the LSTM among them, and its search of the codebooks."""
    monkeypatch.setattr(measured_cost, "DURATION_S", 1.0)
    config = models.encodec_config({"lstm": 2})
    model = models.encodec_of(config)
    path = models.with_config(tmp_path / "mine.th", model, config)
    cost = cost_of(loaded(f"encodec:{path}"))
    width = model.encoder.model[-1].conv.conv.in_channels
    frames_per_s, (size, dimension) = 75, (64, 16)
    lstm = 2 * frames_per_s * 8 * width * width
    assert cost.encode_macs_per_s["quantiser"] == pytest.approx(4 * frames_per_s * size * dimension)
    assert cost.decode_macs_per_s["quantiser"] == 0
    without = models.encodec_config({"lstm": 0})
    plain = models.with_config(tmp_path / "plain" / "mine.th", models.encodec_of(without), without)
    other = cost_of(loaded(f"encodec:{plain}"))
    for side, part in (("encode_macs_per_s", "encoder"), ("decode_macs_per_s", "decoder")):
        more = getattr(cost, side)[part] - getattr(other, side)[part]
        assert more == pytest.approx(lstm, rel=1e-6)
    declared = select(f"encodec:{path}")[0][1].params_m
    assert sum(cost.params_m.values()) == pytest.approx(declared, rel=0.02)  # weight norm is fused


def test_codecs_that_are_no_networks_have_no_macs_and_those_that_fail_a_reason(monkeypatch):
    cost = cost_of(loaded("identity"))
    assert (cost.macs_per_s, cost.encode_macs_per_s, cost.params_m) == (None, {}, {})
    assert (cost.delay_samples, cost.block_samples) == (1, None)
    broken = CostJob(PlannedCodec("identity", SPEC))
    monkeypatch.setattr(measured_cost, "load", lambda planned: 1 / 0)
    (row,) = broken.run()
    assert isinstance(row, Cost)
    assert row.reason.startswith("ZeroDivisionError")
    assert (row.macs_per_s, row.delay_s) == (None, None)


@pytest.mark.parametrize(("params_m", "least_mb"), [(25.0, 100), (None, None)])
def test_memory_of_a_plug_in_has_its_weights(params_m: float | None, least_mb: float) -> None:
    codec = Framed(320, spec=replace(SPEC, params_m=params_m))
    found = cost_of(LoadedCodec(codec, PlannedCodec("framed", codec.spec), on_torch=True)).peak_mb
    assert found is None if least_mb is None else least_mb <= (found or 0) < least_mb + 50


# --------------------------------------------------------------------------------------- delay
@dataclass(frozen=True)
class Framed:
    """Frames of their mean and peak, `ahead` samples of what follows included; or the whole file.

    With much `coarseness` a change of few samples alters no code."""

    frame: int
    ahead: int = 0
    whole: bool = False
    coarseness: float = 1e-3
    spec: CodecSpec = SPEC

    def encode(self, audio: Audio) -> Encoded:
        x = audio.samples[0]
        if self.whole:
            x = x / np.sqrt(np.mean(np.square(x)))
        padded = np.concatenate([x, np.zeros(self.frame + self.ahead, np.float32)])
        sums = [padded[s : s + self.frame + self.ahead].sum() for s in range(0, len(x), self.frame)]
        codes = np.round(np.array(sums) / self.coarseness).astype(np.int32)
        return Encoded(len(x), 1, RATE_HZ, codes=(codes[None],))

    def decode(self, encoded: Encoded, *, seed: int) -> Audio:
        held = np.repeat(encoded.codes[0][0], self.frame)[: encoded.num_samples]
        return Audio(held[None].astype(np.float32), RATE_HZ)


@pytest.mark.parametrize("told", [True, False])
@pytest.mark.parametrize(("frame", "ahead"), [(80, 0), (320, 0), (320, 25), (160, 1000)])
def test_delay_of_frames_is_found_whether_the_frame_is_known_or_not(frame, ahead, told):
    streams = (Stream(RATE_HZ // frame, 2),) if told else ()  # type: ignore[arg-type]
    codec = Framed(frame, ahead)
    codec = replace(codec, spec=replace(codec.spec, streams=streams))
    found, _, positions = delay.measure(codec, RATE_HZ)
    assert found == frame + ahead
    assert positions <= delay.MOST_POSITIONS
    assert delay.block_of(codec, RATE_HZ) == (frame if told else None)


def test_whole_files_and_codes_that_do_not_change() -> None:
    assert delay.measure(Framed(80, whole=True), RATE_HZ)[:2] == (None, True)
    assert delay.measure(Framed(320, coarseness=1e9), RATE_HZ)[:2] == (None, False)
    found, *_ = delay.measure(Framed(320, coarseness=20), RATE_HZ)
    assert found is not None
    assert 160 < found < 320  # a lower bound: the last samples of a frame are not enough


@pytest.mark.parametrize("name", ["snac-mini", "dac-mini", "encodec-mini"])
def test_delay_of_embedded_models_is_as_their_layers_add_up_to(name: str) -> None:
    """Interval arithmetic for SNAC and DAC; a frame for a causal EnCodec. To the sample."""
    spec = codec_models()[name].points[-1]
    found, *_ = delay.measure(models.opened(spec.name), spec.rate_hz or 0)
    assert found == round((spec.latency_s or 0) * (spec.rate_hz or 0))


def test_delay_of_normalised_segments_is_one_segment(tmp_path: Any) -> None:
    path = models.with_config(tmp_path / "mine.th", *models.segmented_encodec())
    codec = models.opened(f"encodec:{path}")
    found, *_ = delay.measure(codec, 8_000)
    assert found == round(codec.spec.latency_s * 8_000) == 4_000
    assert delay.block_of(codec, 8_000) == 3_960


def test_delay_of_opus_is_its_look_ahead_and_a_frame() -> None:
    """But for the first samples of a window, which are lost in 16 bits."""
    found, *_ = delay.measure(models.opened("opus@64"), 48_000)
    assert found is not None
    assert 960 + 312 - 24 <= found <= 960 + 312


def test_delay_of_lyra_is_a_frame(lyra_folder: Any) -> None:
    ((model, spec),) = select("lyra-v2@9.2")
    codec = model.load(spec, locate(model, WeightsPolicy(lyra_folder)), "cpu")
    found, *_ = delay.measure(codec, 16_000)
    assert found == 320


# ----------------------------------------------------------------------------------- its verbs
def test_show_codec_measures(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    path = models.with_config(tmp_path / "mine.th", models.tiny_encodec(), models.encodec_config())
    shown = call("show", "codec", f"encodec:{path}", "--measure").stdout
    for said in ("MACs to encode", "G per second (encoder", "M parameters (encoder", "peak memory"):
        assert said in shown, shown
    assert "13.3 ms: 320 samples, no more than its block of 320" in " ".join(shown.split())
    for file in select("snac-24khz")[0][0].source.files:
        (tmp_path / file.name).write_text("{}")
    monkeypatch.setattr(pool, "run_all", lambda jobs, **_: [jobs[0].lost("broken")])
    shown = call("show", "codec", "snac-24khz", "--measure", "--weights", tmp_path).stdout
    assert "snac-24khz-local" in shown  # these are not the published weights
    assert "broken" in shown


def test_a_run_keeps_what_was_measured(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    path = of(tmp_path / "run", [coded("a", "speech", 1.0, Bits(8))]).path
    found = Cost(NEURAL.name, "cpu", 16_000, delay_samples=320)
    monkeypatch.setattr(engine, "_codecs_again", lambda *_, **__: [PlannedCodec("x", NEURAL)])
    monkeypatch.setattr(engine, "run_all", lambda jobs, **_: [[found] for _ in jobs])
    call("cost", path)
    made = sb.load(path)
    assert list(made.folder.read(Cost)) == [found]
    assert set(made.summary()["delay_ms"]) == {20.0}
    assert sb.codec("identity").cost().delay_samples == 1
