"""UTMOS and SQUIM with random weights of the published formats: as the code that defines them."""

import hashlib
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import torch
from torchaudio.models import squim_objective_base, wav2vec2_model
from torchaudio.pipelines import SQUIM_OBJECTIVE

from snacbench.errors import Undefined
from snacbench.metrics import squim, utmos
from snacbench.types import Audio
from snacbench.weights.policy import WeightsPolicy, copies
from tests.metrics.conftest import at_snr, voice


class Sizes(NamedTuple):
    convolutions: int = 512
    frames: int = 768
    feed_forward: int = 3072
    layers: int = 12
    embedding: int = 128
    lstm: int = 512
    projection: int = 2048


SMALL = Sizes(16, 48, 64, 2, 8, 12, 24)
WIDTHS, STRIDES = (10, 3, 3, 3, 3, 2, 2), (5, 2, 2, 2, 2, 2, 2)
# What the module of tarepan/SpeechMOS v1.2.0 (torch 2.14.1) says of `signal(0)` to `signal(3)`, cut
# to so many samples, its layers of these sizes and its tensors those of `drawn`. At the published
# sizes it and ours differ by nothing.
SPEECHMOS = {16_000: 2.396040201187134, 16_320: 2.0149717330932617,
             24_037: 3.521153450012207, 48_001: 3.18013334274292}  # fmt: skip


def tensors(sizes: Sizes) -> dict[str, tuple[int, ...]]:
    """Names and shapes in a file of the format of utmos22_strong_step7459_v1.pt."""
    c, f, encoder = sizes.convolutions, sizes.frames, "wav2vec2.encoder"
    found: dict[str, tuple[int, ...]] = {"wav2vec2.mask_emb": (f,)}
    found |= dict.fromkeys(("domain_emb", "judge_emb"), (1, sizes.embedding))
    for layer, width in enumerate(WIDTHS):
        name = f"wav2vec2.feature_extractor.conv_layers.{layer}.0.weight"
        found[name] = (c, c if layer else 1, width)
    found[f"{encoder}.pos_conv.0.weight_g"] = (1, 1, 128)
    found[f"{encoder}.pos_conv.0.weight_v"] = (f, f // 16, 128)
    found[f"{encoder}.pos_conv.0.bias"] = (f,)
    norms = {"wav2vec2.feature_extractor.conv_layers.0.2": c, "wav2vec2.layer_norm": c}
    norms[f"{encoder}.layer_norm"] = f
    linear = {"wav2vec2.post_extract_proj": (f, c)}
    for at in (f"{encoder}.layers.{layer}" for layer in range(sizes.layers)):
        linear |= {f"{at}.self_attn.{name}_proj": (f, f) for name in ("k", "v", "q", "out")}
        linear |= {f"{at}.fc1": (sizes.feed_forward, f), f"{at}.fc2": (f, sizes.feed_forward)}
        norms |= {f"{at}.self_attn_layer_norm": f, f"{at}.final_layer_norm": f}
    linear["projection.0"] = (sizes.projection, 2 * sizes.lstm)
    linear["projection.2"] = (1, sizes.projection)
    for way in ("l0", "l0_reverse"):
        found[f"blstm.weight_ih_{way}"] = (4 * sizes.lstm, f + 2 * sizes.embedding)
        found[f"blstm.weight_hh_{way}"] = (4 * sizes.lstm, sizes.lstm)
        found |= dict.fromkeys((f"blstm.bias_ih_{way}", f"blstm.bias_hh_{way}"), (4 * sizes.lstm,))
    for name, shape in linear.items():
        found |= {f"{name}.weight": shape, f"{name}.bias": shape[:1]}
    for name, size in norms.items():
        found |= {f"{name}.weight": (size,), f"{name}.bias": (size,)}
    return found


def drawn(shapes: dict[str, tuple[int, ...]]) -> dict[str, torch.Tensor]:
    """Tensors of a seeded generator in the order of their names, of sizes that keep signals up."""
    rng, found = np.random.default_rng(0), {}
    for name, shape in sorted(shapes.items()):
        x = rng.standard_normal(shape, dtype=np.float32)
        if name.endswith("weight_g") or (name.endswith("weight") and len(shape) == 1):
            x = np.float32(1) + np.float32(0.1) * x
        elif len(shape) > 1:
            x *= np.float32(1.5 / np.sqrt(np.prod(shape[1:])))
        else:
            x *= np.float32(0.1)
        found[name] = torch.from_numpy(x)
    return found


def signal(number: int, num_samples: int) -> Audio:
    """Two tones in syllables and some noise, at 16 kHz."""
    rng, time_s = np.random.default_rng(100 + number), np.arange(num_samples) / 16_000
    low = 0.3 * np.sin(2 * np.pi * (150 + 40 * number) * time_s)
    high = 0.1 * np.sin(2 * np.pi * (900 + 333 * number) * time_s)
    syllables = 0.5 + 0.5 * np.sin(2 * np.pi * (3 + number) * time_s)
    samples = syllables * (low + high) + 0.02 * rng.standard_normal(num_samples)
    samples = (samples * (0.2 + 0.4 * number / 3)).astype(np.float32)
    return Audio(samples[np.newaxis], 16_000)


def test_the_file_of_utmos_has_the_tensors_that_the_network_takes() -> None:
    shapes = tensors(Sizes())
    listed = "\n".join(f"{name} {list(shapes[name])}" for name in sorted(shapes))
    told = hashlib.sha256(listed.encode()).hexdigest()  # of SpeechMOS' own module, so listed
    assert told == "87c802a7d6452f40ebe526ff594dae7862e91085cf9d38f91cf48ccfcd78aa5a"
    assert sum(np.prod(shape) for shape in shapes.values()) == 102_772_865
    ours = {name: tuple(value.shape) for name, value in utmos.build().state_dict().items()}
    del shapes["wav2vec2.mask_emb"]
    taken = {utmos.ours(name): shape for name, shape in shapes.items()}
    for old, new in (("weight_g", "original0"), ("weight_v", "original1")):
        name = "wav2vec2.encoder.transformer.pos_conv_embed.conv."
        taken[f"{name}parametrizations.weight.{new}"] = taken.pop(name + old)
    assert taken == ours


def test_utmos_equals_the_module_that_papers_use(tmp_path: Path) -> None:
    path = tmp_path / "utmos22_strong_step7459_v1.pt"
    torch.save(drawn(tensors(SMALL)), path)
    layers = [(SMALL.convolutions, *each) for each in zip(WIDTHS, STRIDES, strict=True)]
    shape = (SMALL.frames, 0.0, 128, 16, SMALL.layers, 12, 0.0, SMALL.feed_forward)
    base = wav2vec2_model("group_norm", layers, False, *shape, 0.0, 0.0, False, 0.0, None)
    network = utmos.build(base, (SMALL.frames, SMALL.embedding, SMALL.lstm, SMALL.projection))
    utmos.load({path.name: path}, network)
    for number, (num_samples, expected) in enumerate(SPEECHMOS.items()):
        audio = signal(number, num_samples)
        assert utmos.naturalness(network, audio) == pytest.approx(expected, abs=5e-6)


def test_squim_equals_torchaudios_pipeline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    path = tmp_path / "hub" / "torchaudio" / "models" / "squim_objective_dns2020.pth"
    path.parent.mkdir(parents=True)  # where the pipeline keeps the published one
    with torch.device("meta"):
        shapes = {n: tuple(t.shape) for n, t in squim_objective_base().state_dict().items()}
    torch.save(drawn(shapes), path)
    theirs, ours = SQUIM_OBJECTIVE.get_model(), squim.load({path.name: path})
    found = copies(squim.MODEL, squim.MODEL.source.files[0], WeightsPolicy())
    assert [copy.path for copy in found] == [path]
    for number, num_samples in enumerate((8_000, 12_037)):
        audio = signal(number, num_samples)
        with torch.inference_mode():
            expected = [float(x) for x in theirs(torch.from_numpy(audio.samples.copy()))]
        found = squim.estimated(ours, audio)
        assert found == pytest.approx(expected, abs=1e-6)
        assert len({round(x, 3) for x in found}) == 3
        for spec, value in zip((m.spec for m in squim.METRICS), found, strict=True):
            assert spec.range[0] <= value <= spec.range[1]


def test_what_is_heard_and_what_is_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("snacbench.metrics._learned.network", lambda *_: "a network")
    long = voice(16_000, squim.MAX_DURATION_S + 0.01)
    with pytest.raises(Undefined, match=r"too long: .* lasts 20\.010 s, SQUIM takes at most 20"):
        squim.METRICS[0](reference=long, degraded=long)
    monkeypatch.setattr(utmos, "naturalness", lambda _, audio: audio.duration_s)
    monkeypatch.setattr(squim, "estimated", lambda _, audio: (audio.duration_s,) * 3)
    x = voice(16_000, 2.0)
    y = at_snr(Audio(x.samples[:, :24_000], 16_000), 10)
    silent, short = Audio(np.zeros_like(x.samples), 16_000), Audio(x.samples[:, :9_000], 16_000)
    of_degraded, of_reference = utmos.METRICS
    assert of_reference(reference=x, degraded=y) == of_reference(reference=x, degraded=silent) == 2
    with pytest.raises(Undefined, match=r"the reference lasts 0\.562 s, 1\.000 s are needed"):
        of_reference.prepare(short)
    for metric in (of_degraded, *squim.METRICS):
        assert metric(reference=x, degraded=y) == 1.5
        with pytest.raises(Undefined, match=r"degraded signal lasts 0\.562 s, 1\.000 s are needed"):
            metric(reference=x, degraded=short)
        with pytest.raises(Undefined, match="degraded signal is silent"):
            metric(reference=x, degraded=silent)
