"""Clips and decodes of them, for measuring metrics: from Opus, or from a run that is on disk."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path

from snacbench.audio.channels import downmix
from snacbench.audio.io import read, read_clip
from snacbench.audio.resample import fit_length, resample
from snacbench.codecs import classic
from snacbench.rows import Coded
from snacbench.store.run_folder import RunFolder
from snacbench.testsets.opening import open_test_set
from snacbench.types import Audio, Clip, Domain

DOMAINS: tuple[Domain, ...] = ("speech", "music", "environment")


@dataclass(frozen=True)
class Item:
    """A mono reference and decodes of it, each at a rate of its own."""

    domain: Domain
    reference: Audio
    degraded: tuple[Audio, ...]

    @property
    def duration_s(self) -> float:
        """Duration of the reference in seconds."""
        return self.reference.duration_s


def through_opus(data: str, clips: int, decodes: int) -> list[Item]:
    """Clips of a test set through Opus at all its rates, as often as it takes."""
    found = open_test_set(data).clips
    return [_through_opus(clip, decodes) for clip in _per_domain(found, clips)]


def of_run(folder: Path, clips: int, decodes: int) -> list[Item]:
    """Clips of a run and what its codecs made of them, as often as it takes."""
    run = RunFolder.open(folder)
    paths: dict[str, list[Path]] = {}
    for row in run.read(Coded):
        if row.status == "ok" and row.decoded:
            paths.setdefault(row.clip, []).append(folder / row.decoded)
    coded = [clip for clip in run.read(Clip) if clip.id in paths]
    return [
        Item(
            clip.domain,
            downmix(read_clip(clip)),
            _repeated([downmix(read(path)) for path in paths[clip.id]], decodes),
        )
        for clip in _per_domain(coded, clips)
    ]


def at_rate(item: Item, rate_hz: int) -> Item:
    """An item with everything at one rate and of one length, as metrics want it.

    Every signal is a new object, so that nothing which a metric keeps of earlier ones helps it.
    """
    reference = resample(item.reference, rate_hz)
    return Item(
        item.domain,
        _copied(reference, reference.num_samples),
        tuple(_copied(resample(y, rate_hz), reference.num_samples) for y in item.degraded),
    )


def renewed(item: Item) -> Item:
    """The same signals in new objects, at their own rates."""
    signals = (item.reference, *item.degraded)
    reference, *degraded = (_copied(audio, audio.num_samples) for audio in signals)
    return Item(item.domain, reference, tuple(degraded))


def _copied(audio: Audio, num_samples: int) -> Audio:
    return Audio(fit_length(audio.samples, num_samples).copy(), audio.rate_hz)


def _per_domain(clips: Sequence[Clip], count: int) -> Iterator[Clip]:
    for domain in DOMAINS:
        yield from [clip for clip in clips if clip.domain == domain][:count]


def _repeated(decoded: Sequence[Audio], count: int) -> tuple[Audio, ...]:
    return tuple(_copied(y, y.num_samples) for y in islice(cycle(decoded), count))


def _through_opus(clip: Clip, decodes: int) -> Item:
    source = downmix(read_clip(clip))
    at_opus = resample(source, classic.RATE_HZ)
    model = classic.MODELS[0]
    decoded = []
    for point in model.points[:decodes]:
        codec = model.load(point, None, "cpu")
        decoded.append(codec.decode(codec.encode(at_opus), seed=0))
    return Item(clip.domain, source, _repeated(decoded, decodes))
