"""Fréchet and kernel audio distance: how far a codec's decodes are from their references, as sets.

`fad_vggish`, `kad_vggish`: by VGGish (Hershey et al., "CNN Architectures for Large-Scale Audio
Classification", ICASSP 2017) in PyTorch (Taylor's torchvggish, v0.1), its last 128 numbers before
the rectifier and without principal components, as fadtk and kadtk take them.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache, lru_cache, partial

from snacbench.later import np, torch
from snacbench.metrics._guards import DISTANCE, set_level
from snacbench.metrics._learned import Files, learned
from snacbench.models import HostedFile, MetricModel, WeightsSource
from snacbench.types import Audio, Embeddings, Floats

Network = Callable[[Floats], Embeddings]

RATE_HZ = 16_000
WINDOW, HOP, TRANSFORM = 400, 160, 512  # samples: 25 ms, 10 ms
BANDS, LOWEST_HZ, HIGHEST_HZ = 64, 125.0, 7_500.0
FRAMES = 96  # of an example, which is a hop of 0.96 s
MIN_DURATION_S = (WINDOW + (FRAMES - 1) * HOP) / RATE_HZ  # 0.975 s: one example
_AT_ONCE = 32  # examples in the network, which then takes 0.2 GB whatever the signal's length
_SIGNALS_KEPT = 4  # two metrics ask for the same reference and decode

_REPOSITORY, _FILE = "harritaylor/torchvggish", "vggish-10086976.pth"
# As an installer of other people pins it; the file's name has its first eight digits.
_SHA256 = "10086976245803799d9194e9a73d9b6c1549c71d1b80106f5cade5608a561f4b"
_HOSTED = HostedFile(_FILE, f"{_REPOSITORY}/releases/download/v0.1/{_FILE}", _SHA256)
VGGISH = MetricModel(
    "vggish", WeightsSource("github", _REPOSITORY, (_HOSTED,), revision="v0.1"),
    licence="Apache-2.0", requires=("torch",),
)  # fmt: skip

FAD = replace(
    DISTANCE, name="fad_vggish", rate_hz=RATE_HZ,
    citation="Kilgour, Zuluaga, Roblek, Sharifi: Frechet Audio Distance, Interspeech 2019",
    requires=("torch",), distance="frechet", ladder=(),
)  # fmt: skip
KAD = replace(
    FAD, name="kad_vggish", range=(-math.inf, math.inf),
    citation="Chung, Eu, Lee, Choi, Nam, Chon: KAD: No More FAD!, arXiv:2502.15602",
    distance="kernel",
)  # fmt: skip
FAD_LOGMEL, KAD_LOGMEL = (
    replace(spec, name=spec.name.replace("vggish", "logmel"), requires=()) for spec in (FAD, KAD)
)


def examples(audio: Audio) -> Floats:
    """Logarithms of mel magnitudes in pieces of 0.96 s, shape (examples, 96, 64).

    What is left at the end is left out.
    """
    frames = np.lib.stride_tricks.sliding_window_view(audio.samples[0].astype(float), WINDOW)[::HOP]
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(WINDOW) / WINDOW)
    magnitudes = np.abs(np.fft.rfft(frames * window, TRANSFORM))
    log_mel = np.log(magnitudes @ _mel_filters() + 0.01)
    count = len(log_mel) // FRAMES
    return np.asarray(log_mel[: count * FRAMES].reshape(count, FRAMES, BANDS))


@cache
def _mel_filters() -> Floats:
    """Triangles that are straight over mel, not over frequency, shape (257, 64); no bin at 0 Hz."""

    def mel(hz: Floats) -> Floats:
        return np.asarray(1127.0 * np.log(1.0 + hz / 700.0))

    lowest, highest = mel(np.array([LOWEST_HZ, HIGHEST_HZ])).tolist()
    edges = np.linspace(lowest, highest, BANDS + 2)
    bins = mel(np.linspace(0.0, RATE_HZ / 2, TRANSFORM // 2 + 1))[:, None]
    rising = (bins - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - bins) / (edges[2:] - edges[1:-1])
    filters = np.maximum(0.0, np.minimum(rising, falling))
    filters[0] = 0.0
    return np.asarray(filters)


def vggish(t: "Mapping[str, torch.Tensor]", examples: Floats) -> Embeddings:
    """Embeddings of examples, shape (examples, 128), by tensors under the names of torchvggish."""
    from torch.nn.functional import conv2d, linear, max_pool2d, relu

    with torch.inference_mode():
        x = torch.from_numpy(examples.astype(np.float32))[:, None]
        for layers in (("0",), ("3",), ("6", "8"), ("11", "13")):
            for layer in layers:
                name = f"features.{layer}"
                x = relu(conv2d(x, t[f"{name}.weight"], t[f"{name}.bias"], padding=1))
            x = max_pool2d(x, 2)
        x = x.permute(0, 2, 3, 1).flatten(1)  # channels last, as in TensorFlow
        for number in (0, 2, 4):
            x = relu(x) if number else x
            x = linear(x, t[f"embeddings.{number}.weight"], t[f"embeddings.{number}.bias"])
        return np.asarray(x.numpy())


def load(files: Files) -> Network:
    """The network of a published file; raises where a tensor is missing or no such file."""
    tensors = torch.load(files[_FILE], map_location="cpu", weights_only=True)
    network = partial(vggish, tensors)
    network(np.zeros((1, FRAMES, BANDS)))  # every tensor is there and fits
    return network


@lru_cache(maxsize=_SIGNALS_KEPT)
def by_vggish(network: Network, audio: Audio) -> Embeddings:
    """VGGish's embeddings of a mono signal at 16 kHz, shape (examples, 128)."""
    found = examples(audio)
    some = (found[start : start + _AT_ONCE] for start in range(0, len(found), _AT_ONCE))
    return np.concatenate([network(few) for few in some])


@lru_cache(maxsize=_SIGNALS_KEPT)
def by_log_mel(audio: Audio) -> Embeddings:
    """Mean and standard deviation over each 0.96 s of each band, shape (examples, 128)."""
    found = examples(audio)
    return np.asarray(np.concatenate([found.mean(axis=1), found.std(axis=1)], axis=1))


MODELS = (VGGISH,)
METRICS = (
    *(
        learned(spec, VGGISH, load, by_vggish, checked=set_level, min_s=MIN_DURATION_S)
        for spec in (FAD, KAD)
    ),
    *(set_level(spec, by_log_mel, min_s=MIN_DURATION_S) for spec in (FAD_LOGMEL, KAD_LOGMEL)),
)
