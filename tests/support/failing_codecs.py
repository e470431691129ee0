"""Codecs for tests of the runner: small, and they fail on demand."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from snacbench.runner.loading import LoadedCodec
from snacbench.runner.plan import PlannedCodec
from snacbench.types import Audio, Clip, CodecSpec, Encoded
from tests.conftest import broadband

SPEC = CodecSpec("toy", "toy", "toys", 16_000, (1,))
TOY = PlannedCodec("toy", SPEC)
HOP = 1000


def samples_of(encoded: Encoded) -> Any:
    return np.frombuffer(encoded.packets[0], "<f4").reshape(encoded.channels, -1)


@dataclass
class Sender:
    """Sends samples; `tweak` changes what is decoded, `sent` what is encoded."""

    spec: Any = SPEC
    sent: Callable[[Any, Audio], Encoded] | None = None
    tweak: Callable[[Any, Encoded, int], Any] | None = None
    memory: Any = None
    calls: int = 0

    def encode(self, audio: Audio) -> Encoded:
        self.calls += 1
        if self.sent:
            return self.sent(self, audio)
        data = audio.samples.tobytes()
        return Encoded(audio.num_samples, audio.channels, audio.rate_hz, packets=(data,))

    def decode(self, encoded: Encoded, *, seed: int) -> Audio:
        self.calls += 1
        samples = self.tweak(self, encoded, seed) if self.tweak else samples_of(encoded)
        return Audio(np.array(samples, np.float32), encoded.rate_hz)


@dataclass
class BatchingToy(Sender):
    """In batches of one padded length, up to `most` signals at once."""

    most: int = 1000
    poison: float = -1.0  # a signal whose first sample is this breaks the codec
    batches: list[int] = field(default_factory=list)
    seeds: list[int] = field(default_factory=list)

    def padded_length(self, num_samples: int) -> int:
        return -(-num_samples // HOP) * HOP

    def encode_batch(self, signals: Sequence[Audio]) -> list[Encoded]:
        import torch

        assert len({self.padded_length(s.num_samples) for s in signals}) == 1
        if len(signals) > self.most:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory")
        if any(signal.samples[0, 0] == self.poison for signal in signals):
            raise RuntimeError("poisoned")
        self.batches.append(len(signals))
        return [super(BatchingToy, self).encode(signal) for signal in signals]

    def decode_batch(self, encoded: Sequence[Encoded], *, seeds: Sequence[int]) -> list[Audio]:
        self.seeds += seeds
        pairs = zip(encoded, seeds, strict=True)
        return [super(BatchingToy, self).decode(one, seed=seed) for one, seed in pairs]

    def encode(self, audio: Audio) -> Encoded:
        return self.encode_batch([audio])[0]

    def decode(self, encoded: Encoded, *, seed: int) -> Audio:
        return self.decode_batch([encoded], seeds=[seed])[0]


def loaded_toy(codec: Any, planned: PlannedCodec | None = None) -> LoadedCodec:
    return LoadedCodec(codec, planned or PlannedCodec("toy", codec.spec))


def make_clip(folder: Path, name: str, num_samples: int, *, first: float | None = None) -> Clip:
    """A clip of noise at 16 kHz on disk."""
    samples = np.array(broadband(num_samples / 16_000, 16_000, seed=num_samples).samples[0])
    if first is not None:
        samples[0] = first
    path = folder / f"{name}.wav"
    soundfile.write(path, samples, 16_000, subtype="FLOAT")
    return Clip(f"set/{name}", path, "", 16_000, 1, num_samples)
