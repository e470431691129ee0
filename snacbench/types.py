"""The nouns of snacbench: frozen dataclasses and small protocols, numpy only.

Read this file first. A `Clip` becomes `Audio`, a `Codec` turns audio into `Encoded` and back, a
`Metric` turns pairs of audio into numbers; what is written down of it are the rows of `rows`.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

from snacbench.errors import AudioError
from snacbench.later import NDArray, np
from snacbench.units import BITS_PER_KILOBIT, bits_per_code

if TYPE_CHECKING:  # numpy takes a tenth of a second, for which a list of names should not wait
    FloatSamples = NDArray[np.float32]
    Floats = NDArray[np.float64]
    Embeddings = NDArray[np.floating[Any]]
    Codes = NDArray[np.int32]
else:
    FloatSamples = Floats = Codes = Embeddings = Any

Domain = Literal["speech", "music", "environment", "unknown"]
DOMAINS: tuple[Domain, ...] = ("speech", "music", "environment", "unknown")
MIN_LUFS = -40.0  # of segments that are drawn: `loudness_cutoff` of audiotools' AudioDataset


@dataclass(frozen=True, eq=False)
class Audio:
    """A signal: float32 samples of shape (channels, time), made read-only; full scale is +-1.

    `AudioError` is raised if the array is not two-dimensional float32 with a channel and a sample,
    holds a value that is not finite, or the rate is not positive.
    """

    samples: FloatSamples
    rate_hz: int

    def __post_init__(self) -> None:
        s = self.samples
        if s.ndim != 2 or s.dtype != np.float32:
            text = f"samples must be float32 of shape (channels, time), found {s.dtype} {s.shape}"
            raise AudioError(text)
        if s.shape[0] == 0 or s.shape[1] == 0:
            raise AudioError(f"no samples: {s.shape[0]} channels of {s.shape[1]} samples")
        if self.rate_hz <= 0:
            raise AudioError(f"the rate must be positive, found {self.rate_hz} Hz")
        bad = int(s.size - np.count_nonzero(np.isfinite(s)))
        if bad:
            raise AudioError(f"{bad} of {s.size} samples are NaN or infinite")
        if s.flags.writeable:
            frozen = s.view()
            frozen.flags.writeable = False
            object.__setattr__(self, "samples", frozen)

    @property
    def channels(self) -> int:
        """Number of channels."""
        return int(self.samples.shape[0])

    @property
    def num_samples(self) -> int:
        """Number of samples per channel."""
        return int(self.samples.shape[1])

    @property
    def duration_s(self) -> float:
        """Duration in seconds."""
        return self.num_samples / self.rate_hz


@dataclass(frozen=True)
class Measures:
    """What was measured on a clip's samples, over all channels; None where silence has none.

    `bandwidth_hz` is up to where the spectrum holds signal. With `brickwall` it ends there at once,
    as resamplers and lossy encoders leave it, not gradually as sounds do. `loudness_lufs` is
    integrated (ITU-R BS.1770-4). `clipped_samples` counts those in flat tops: a lower bound.
    """

    bandwidth_hz: float | None
    loudness_lufs: float | None
    peak_dbfs: float | None
    clipped_samples: int
    brickwall: bool = False


@dataclass(frozen=True)
class Clip:
    """One item of a test set: metadata only, the samples stay on disk until they are needed.

    `start` and `num_samples` cut a segment out of `path`, in samples at the file's own rate.
    `cluster` is what it shares with other clips (a speaker, a track): statistics resample those.
    `note` is what to know of the file, such as that it does not state its length. `language` is a
    code of ISO 639-1 (``en``), with region or without; what nobody states is empty.
    """

    id: str
    path: Path
    sha256: str
    rate_hz: int
    channels: int
    num_samples: int
    start: int = 0
    domain: Domain = "unknown"
    transcript: str | None = None
    cluster: str | None = None
    lossy_source: bool | None = None
    licence: str | None = None
    measures: Measures | None = None
    note: str = ""
    language: str = ""
    speaker: str = ""
    gender: str = ""
    corpus: str = ""

    @property
    def duration_s(self) -> float:
        """Duration of the segment in seconds."""
        return self.num_samples / self.rate_hz


def set_sha256(clips: Iterable[Clip]) -> str:
    """Digest of which samples a set of clips consists of: the same set, the same digest."""
    digest = hashlib.sha256()
    for clip in sorted(clips, key=lambda clip: clip.id):
        line = f"{clip.id}\t{clip.sha256}\t{clip.start}\t{clip.num_samples}\n"
        digest.update(line.encode())
    return digest.hexdigest()


@dataclass(frozen=True)
class Stream:
    """One sequence of code indices, for example one codebook of a residual quantiser."""

    frame_rate_hz: Fraction
    codebook_size: int

    @property
    def bit_per_s(self) -> Fraction:
        """Bits per second at whole bits per index."""
        return self.frame_rate_hz * bits_per_code(self.codebook_size)


PinnedBy = Literal["package", "lock", "first use"]


@dataclass(frozen=True)
class WeightsInfo:
    """Where a model's weights came from, for the record of a run.

    `revision` is the hub's commit where it is known. `pinned_by` tells for each file by what its
    digest was known beforehand: a digest in this package, or one that the lock file recorded
    earlier; ``first use`` means that it was recorded now. `verified` is True where every digest
    known beforehand was met, False where a local file differs from one, None where none was known.
    """

    source: Literal["published", "embedded", "folder", "own", "none"] = "none"
    origin: str = ""
    revision: str = ""
    sha256: Mapping[str, str] = field(default_factory=dict)
    verified: bool | None = None
    pinned_by: Mapping[str, PinnedBy] = field(default_factory=dict)


@dataclass(frozen=True)
class CodecSpec:
    """Everything about one operating point of a codec that is known without loading it.

    `streams` are codes per second of audio, coarse to fine. `nominal_kbps` is the rate that its
    authors would state: codes only, no padding, no side information. `latency_s` is how far the
    decoder's output must lag the input by its algorithm. Where a code stands for up to
    `max_segment_frames` frames, those of the streams are base frames, and the streams' rates the
    most that there can be; `nominal_kbps` is then a mean that the authors state, or None.
    """

    name: str  # ``model@point``, for example ``encodec-24khz@6kbps``; unique within a run
    model: str  # ``encodec-24khz``
    family: str  # ``encodec``
    rate_hz: int | None  # sampling rate it works at; None: the clip's own
    channels: tuple[int, ...]  # channel counts that one encode call accepts
    streams: tuple[Stream, ...] = ()  # empty for codecs without codebooks
    nominal_kbps: float | None = None  # None where the codec has no such rate
    latency_s: float | None = None  # None: not known, or the whole file
    settings: Mapping[str, Any] = field(default_factory=dict)  # what runs this point, such as kbps
    params_m: float | None = None  # of encoder, quantiser and decoder, in millions
    stochastic: bool = False  # the decoder draws random numbers, so decoding takes a seed
    truncated: bool = False  # runs at fewer levels than the model was trained to be cut to
    demonstration: bool = False  # embedded demonstration weights, not a published model
    anchor: bool = False
    condition: str = ""  # that it runs under, ``loss@5%``; then `name` and `model` end in it
    packet_s: float | None = None  # duration of a packet of codecs that make packets themselves
    concealment: str = ""  # what its own decoder does about lost packets; empty: nothing
    max_segment_frames: int = 1  # base frames that a code of every stream may stand for
    weights: WeightsInfo = WeightsInfo()
    licence: str = ""
    citation: str = ""

    @property
    def tokens_per_s(self) -> float | None:
        """Code indices per second over all streams; None without codebooks, or if it varies."""
        known = self.streams and self.max_segment_frames == 1
        return float(sum(s.frame_rate_hz for s in self.streams)) if known else None

    def under(self, condition: str) -> "CodecSpec":
        """The same operating point under a condition, by its name: a point of its own."""
        name, model = f"{self.name}+{condition}", f"{self.model}+{condition}"
        return replace(self, name=name, model=model, condition=condition)

    @property
    def without_condition(self) -> "CodecSpec":
        """The same operating point under no condition."""
        if not (of := self.condition):
            return self
        name, model = self.name.removesuffix(f"+{of}"), self.model.removesuffix(f"+{of}")
        return replace(self, name=name, model=model, condition="")


def nominal_kbps_of(streams: Sequence[Stream]) -> float:
    """Nominal rate in kbps of a set of streams: whole bits per index, nothing else."""
    alike = ((stream, len(list(same))) for stream, same in groupby(streams))
    return float(sum(count * stream.bit_per_s for stream, count in alike)) / BITS_PER_KILOBIT


@dataclass(frozen=True, eq=False)
class Encoded:
    """All that a decoder ever sees of a clip.

    `codes` are int32 arrays of shape (channels, frames), one per stream of the spec; lengths differ
    between streams. `side_info` is what must travel beside them (scales, headers per segment).
    `packets` are the payload of codecs that produce a bitstream themselves (Opus), of which
    `payload_bits` count where they are files that wrap a bitstream or fill it up; None: all.
    `lost` tells of each packet in turn whether it did not arrive; empty: all have.
    `segment_lengths` say how many base frames each code stands for, 1 to the spec's
    `max_segment_frames`, where that varies and the decoder must be told: int32 of the codes' shape,
    side information of whole bits per length.
    """

    num_samples: int  # that the decoder must return, at `rate_hz`
    channels: int  # that the decoder must return
    rate_hz: int  # of the decoded audio
    codes: tuple[Codes, ...] = ()
    side_info: bytes = b""
    packets: tuple[bytes, ...] = ()
    payload_bits: int | None = None
    lost: tuple[bool, ...] = ()
    segment_lengths: Codes | None = None


@runtime_checkable
class Codec(Protocol):
    """A loaded codec at one operating point."""

    @property
    def spec(self) -> CodecSpec:
        """The operating point."""

    def encode(self, audio: Audio) -> Encoded:
        """Encode audio at the spec's rate and one of its channel counts."""

    def decode(self, encoded: Encoded, *, seed: int) -> Audio:
        """Decode to exactly ``encoded.num_samples`` samples; stochastic decoders use the seed."""


Degradation = Literal["noise", "low-pass", "clipping", "shift"]
Distance = Literal["frechet", "kernel"]


@dataclass(frozen=True)
class MetricSpec:
    """What a metric measures and for which signals it has a meaning."""

    name: str
    unit: str
    better: Literal["higher", "lower"]
    range: tuple[float, float]  # smallest and largest possible value
    rate_hz: int  # rate that both signals must have; the runner resamples
    citation: str
    version: str = "1"  # changes whenever values change
    mono: bool = True  # the runner downmixes both signals; else the metric sees every channel
    domains: tuple[Domain, ...] = DOMAINS  # of clips it applies to
    # The runner first takes away each clip's lag, which it finds close to the codec's delay, and
    # cuts both ends off that a late or early decode may lack.
    aligned: bool = False
    any_length: bool = False  # pairs of unequal length are fine; else they are undefined
    default: bool = True
    implementation: str = "snacbench"  # what computes it, for the record
    requires: tuple[str, ...] = ()  # modules that must be importable
    needs_transcript: bool = False  # skipped on clips whose transcript nobody states
    # Of a set-level metric: how it compares the embeddings of all decodes of a codec with those of
    # their references (`stats.sets`). Clips have no score by it.
    distance: Distance | None = None
    # Degradations on which the definition makes it monotone: each step worse, each score worse.
    ladder: tuple[Degradation, ...] = ()


class PreparedMetric(Protocol):
    """A metric that has seen its reference and scores one degraded signal after another."""

    def __call__(self, *, degraded: Audio) -> float:
        """Score one degraded signal against the prepared reference."""


PrepareEmbedding = Callable[[Audio], tuple[Embeddings, Callable[[Audio], Embeddings]]]
"""Takes the reference; gives its embeddings and what embeds one degraded signal after another."""


@dataclass(frozen=True)
class MetricOptions:
    """What a run asks of its metrics: the fields of `Request` of the same names.

    `asr` names a recogniser, empty: the user's own setting. `weights` say where files of models
    are; of those that they do not name, the published ones are used. `recorded` are names of models
    and the digests that their files have in the record of the run: others are refused.
    """

    asr: str = ""
    weights: tuple[str, ...] = ()
    offline: bool = False
    recorded: tuple[tuple[str, str], ...] = ()


NO_OPTIONS = MetricOptions()


@dataclass(frozen=True)
class Metric:
    """A metric: what a metric file declares in ``METRICS``.

    `prepare` takes the reference once, computes what depends on it alone, and returns a scorer.
    Where the spec needs a transcript, `prepare_spoken` takes that and the code of its language as
    well, which is empty where nobody states it. `ready` is called once before a run, in its main
    process, and raises `UserError` where the metric could not work: it may fetch what the workers
    will need. `versions` then tells what computes the metric.

    A metric that hears by a recogniser or runs a model has `configure`, which gives it those that
    a run asks for; `options` are what it was given. `models` are the names of the `MetricModel`s
    that it then runs: `versions` has digests of their files by these names.

    A set-level metric, whose spec has a `distance`, has `embed`, which gives embeddings of shape
    (frames, dimensions); its `prepare` raises `Undefined`.
    """

    spec: MetricSpec
    prepare: Callable[[Audio], PreparedMetric]
    versions: Callable[[], Mapping[str, str]] = dict
    prepare_spoken: Callable[[Audio, str, str], PreparedMetric] | None = None
    ready: Callable[[], None] = lambda: None
    options: MetricOptions = NO_OPTIONS
    configure: "Callable[[MetricOptions], Metric] | None" = None
    models: tuple[str, ...] = ()
    embed: PrepareEmbedding | None = None

    def configured(self, options: MetricOptions) -> "Metric":
        """Itself, by other options where it takes any."""
        if self.configure is None or options == self.options:
            return self
        return self.configure(options)

    def prepared(
        self, reference: Audio, transcript: str | None = None, language: str = ""
    ) -> PreparedMetric:
        """The scorer for a reference; metrics that need a transcript use it and its language."""
        if self.prepare_spoken is None or transcript is None:
            return self.prepare(reference)
        return self.prepare_spoken(reference, transcript, language)

    def __call__(
        self,
        *,
        reference: Audio,
        degraded: Audio,
        transcript: str | None = None,
        language: str = "",
    ) -> float:
        """Score one pair, see `MetricSpec` for unit and direction."""
        return self.prepared(reference, transcript, language)(degraded=degraded)
