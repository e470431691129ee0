"""From what a codec encoded to a `.sncb` file, from that to what it decodes; and codes of a run.

Whoever decodes follows the rules by which a run codes, so that a file holds the very samples that
the run scored.
"""

import hashlib
import math
from collections.abc import Iterable, Sequence
from contextlib import suppress

import numpy as np

from snacbench.audio.resample import num_samples_at
from snacbench.bitstream.container import Bitstream, Header, load, read
from snacbench.errors import BitstreamError, CodecError, SnacbenchError, StoreError, UserError
from snacbench.later import pd
from snacbench.plugins import codec_models
from snacbench.progress import Progress
from snacbench.rate.bits import check_segments
from snacbench.rate.coding.coders import CONTEXT_CODERS
from snacbench.rate.coding.trained import KeptClip
from snacbench.request import Request
from snacbench.rows import Coded, CodedBytes
from snacbench.runner.loading import LoadedCodec, opened
from snacbench.runner.plan import LOCAL, PlannedCodec, check_packages, locate_all, plan_codecs
from snacbench.runner.signal_rules import coded_channels, decoded_signal
from snacbench.selectors import select
from snacbench.store.run_folder import RunFolder
from snacbench.types import Audio, Clip, CodecSpec, Encoded, WeightsInfo
from snacbench.units import BITS_PER_BYTE, BITS_PER_KILOBIT
from snacbench.weights.of_metrics import digests_of
from snacbench.weights.policy import WeightsPolicy

# A codec pads, and may code parts of a signal twice; but a few frames are no hour of audio.
_SLACK_S = 10.0
_SLACK_RATIO = 16


def bitstream_of(
    spec: CodecSpec, source: Audio, channel_mode: str, parts: Sequence[Encoded], *, seed: int
) -> Bitstream:
    """What a source became in a codec, with all that its decoder must know.

    `source` is at its own rate, with the channels that the run keeps; `parts` has one `Encoded` per
    signal that went through the codec, part i to be decoded with `seed` + i.
    """
    header = Header(
        codec=spec.name, weights_sha256=dict(spec.weights.sha256), codec_rate_hz=parts[0].rate_hz,
        rate_hz=source.rate_hz, channels=source.channels, num_samples=source.num_samples,
        channel_mode=channel_mode, seed=seed if spec.stochastic else 0,
        max_segment_frames=spec.max_segment_frames if parts[0].segment_lengths is not None else 1,
    )  # fmt: skip
    return Bitstream(header, tuple(s.codebook_size for s in spec.streams), tuple(parts))


def decode_bitstream(bitstream: Bitstream, loaded: LoadedCodec) -> Audio:
    """The decoded signal, at the codec's rate and with the source's channels.

    Raises BitstreamError if it was made with other weights, or cannot be this codec's. Raises
    CodecError if the codec refuses it.
    """
    spec = loaded.planned.spec
    made, here = WeightsInfo(sha256=bitstream.header.weights_sha256), spec.weights
    if sorted(made.sha256.values()) != sorted(here.sha256.values()):
        raise BitstreamError(  # codes mean nothing to other weights than those that made them
            f"the file was made with other weights of {bitstream.header.codec} than those here: "
            f"{digests_of(made) or 'none'}, found {digests_of(here) or 'none'}; name the right "
            "ones by --weights DIR or, for a checkpoint of your own, by --codec"
        )
    check_fits(bitstream, spec)
    try:
        decoded = loaded.decode(bitstream.parts, seed=bitstream.header.seed)
    except SnacbenchError:
        raise
    except Exception as error:  # whatever a codec's own code raises
        text = f"{spec.name} cannot decode what the file holds ({type(error).__name__}: {error})"
        raise CodecError(text) from error
    check_contract(spec, bitstream.parts, decoded)
    return decoded_signal(decoded, bitstream.header.channels)


def check_contract(
    spec: CodecSpec, given: Sequence[Audio | Encoded], outputs: Sequence[Audio]
) -> None:
    """A codec returns what it was given in shape: a wrong length would shift every score."""
    both = ([(one.channels, one.num_samples, one.rate_hz) for one in of] for of in (given, outputs))
    for expected, returned in zip(*both, strict=True):
        if expected != returned:
            raise CodecError(
                f"{spec.name} returned {returned} (channels, samples, Hz) for {expected}; a codec "
                "must return the length, channels and rate it was given"
            )


def check_fits(bitstream: Bitstream, spec: CodecSpec) -> None:
    """Everything that a file says of its signals, against what follows from codec and source."""
    header, parts = bitstream.header, bitstream.parts
    rate_hz = spec.rate_hz or header.rate_hz
    channels, mode = coded_channels(header.channels, spec)
    length = num_samples_at(header.num_samples, header.rate_hz, rate_hz)
    sizes = [stream.codebook_size for stream in spec.streams]
    lengths = spec.max_segment_frames if parts[0].segment_lengths is not None else 1
    for what, found, expected in (
        ("the codec's rate", header.codec_rate_hz, rate_hz),
        ("segments of up to", header.max_segment_frames, lengths),
        ("codebook sizes", list(bitstream.codebook_sizes), sizes),
        ("the channel mode", header.channel_mode, mode),
        ("the channels of the parts", [part.channels for part in parts], [*channels]),
        ("the lengths of the parts", [p.num_samples for p in parts], [length] * len(channels)),
    ):
        if found != expected:
            raise BitstreamError(
                f"no file of {spec.name}: {what} {found}, expected {expected} for "
                f"{header.num_samples} samples of {header.channels} channels at {header.rate_hz} Hz"
            )
    for part in parts:  # a stream lasts about as long as its signal
        duration_s = part.num_samples / part.rate_hz
        check_segments(part, spec)
        for index, (codes, stream) in enumerate(zip(part.codes, spec.streams, strict=True)):
            coded_s = float(codes.shape[-1] / stream.frame_rate_hz)
            shorter, longer = sorted((duration_s, coded_s))
            if longer > shorter * _SLACK_RATIO * spec.max_segment_frames + _SLACK_S:
                raise BitstreamError(
                    f"no file of {spec.name}: stream {index} has {codes.shape[-1]} frames, "
                    f"{coded_s:.1f} s, for a signal of {duration_s:.1f} s"
                )


# ------------------------------------------------------------- one codec for one file, and no run
def codec_meant(
    selector: str,
    weights: Sequence[str],
    progress: Progress | None = None,
    *,
    offline: bool = False,
) -> LoadedCodec:
    """The codec of a selector that means one operating point, loaded.

    Raises UserError if it means several, or none, or what it needs is not here.
    """
    codecs, policy, _ = plan_codecs(Request(selector, weights=tuple(weights), offline=offline))
    if len(codecs) > 1:
        names = ", ".join(codec.spec.name for codec in codecs)
        raise UserError(
            f"{selector} means {len(codecs)} operating points, and a file is coded at one; write "
            f"one of {names}"
        )
    return _opened(codecs[0], policy, progress)


def codec_of(
    header: Header,
    weights: Sequence[str],
    progress: Progress | None = None,
    *,
    selector: str = "",
    offline: bool = False,
) -> LoadedCodec:
    """The codec that made a file, loaded.

    A checkpoint of one's own has a path that no file tells: `selector` names it, its point follows
    from the file.

    Raises BitstreamError if the codec or its operating point is not known here. Raises UserError if
    what it needs is not here.
    """
    known = None if selector else spec_of(header)
    meant = known.name if known else selector
    if not meant:
        raise BitstreamError(
            f"the file was made by {header.codec}, a codec that is unknown here; a checkpoint or "
            "command file of your own is named by --codec, for example --codec dac:PATH"
        )
    codecs, policy, _ = plan_codecs(Request(meant, weights=tuple(weights), offline=offline))
    wanted = header.codec.partition("@")[2]  # empty where the name is the model's alone
    points = [PlannedCodec(c.selector, s) for c in codecs for s in c.model.points]
    alike = (c for c in (*points, *codecs) if c.spec.name.partition("@")[2] == wanted)
    codec = next(alike, None)
    if codec is None:
        raise BitstreamError(
            f"the file was made at {header.codec}, and {selector or codecs[0].model.name} has no "
            "such operating point"
        )
    return _opened(codec, policy, progress)


def _opened(codec: PlannedCodec, policy: WeightsPolicy, progress: Progress | None) -> LoadedCodec:
    check_packages([codec])
    (located,) = locate_all([codec], policy, progress)
    return opened(located)


def spec_of(header: Header) -> CodecSpec | None:
    """What is known here of the operating point that made a file; None if nothing is."""
    model, at, point = header.codec.partition("@")
    model = model.removesuffix(LOCAL)
    selector = f"{model}{at}{point}"
    with suppress(UserError):  # a point of another version of the codec
        # What else a selector may be, a path or several, is no name.
        if model in codec_models() and "," not in point:
            return next((spec for _, spec in select(selector) if spec.name == selector), None)
    return None


# --------------------------------------------------- codes that a run kept, and what coders made
def kept_codecs(folder: RunFolder) -> list[tuple[CodecSpec, list[Coded]]]:
    """Codecs with codebooks whose codes a run kept, in the run's order, each with those rows."""
    kept = {spec.name: (spec, list[Coded]()) for spec in folder.run.codecs if spec.streams}
    # Of two rows of a clip the last one counts.
    for row in {(row.codec, row.clip): row for row in folder.read(Coded)}.values():
        if row.codes and row.codec in kept:
            kept[row.codec][1].append(row)
    if not any(rows for _, rows in kept.values()):
        raise UserError(
            f"{folder.path} keeps no codes; make it again with 'snacbench run --keep-codes', with "
            "a codec that has codebooks"
        )
    return [(spec, rows) for spec, rows in kept.values() if rows]


def kept_clips(folder: RunFolder, rows: Iterable[Coded]) -> list[KeptClip]:
    """The codes of a codec's clips; a clip of no known speaker or track is a cluster of its own.

    Raises StoreError if a file is not the one that the run wrote. Raises BitstreamError if a file
    cannot be read.
    """
    clusters, kept = {clip.id: clip.cluster for clip in folder.read(Clip)}, []
    for row in rows:
        path = folder.path / str(row.codes)
        data = load(path)
        digest = hashlib.sha256(data).hexdigest()
        if row.codes_sha256 and digest != row.codes_sha256:
            raise StoreError(
                f"{path} has sha256 {digest}, and the run wrote {row.codes_sha256}; make the run "
                "again, or remove the clip's codes"
            )
        parts = read(data).parts
        cluster = clusters.get(row.clip) or row.clip
        kept.append(KeptClip(row.clip, cluster, tuple(part.codes for part in parts)))
    return kept


def coder_frame(
    folder: RunFolder, codecs: Sequence[tuple[CodecSpec, Sequence[Coded]]]
) -> "pd.DataFrame":
    """What entropy coders made of kept codes: a row for each codec, coder and set of clips.

    `actual_kbps` is of codes at whole bits per index, `coded_kbps` of the bytes that a coder wrote,
    `ideal_kbps` its ideal code length; all with the side information, which no coder touches.
    """
    coded = {(row.codec, row.clip): row for _, rows in codecs for row in rows}
    written = []
    for row in folder.read(CodedBytes):
        if (clip := coded.get((row.codec, row.clip))) and clip.bits:
            side_info, own_bits = clip.bits.side_info, sum(row.stream_bytes) * BITS_PER_BYTE
            bits = clip.bits.total, own_bits + side_info, math.fsum(row.ideal_bits) + side_info
            name = row.codec, row.coder, row.shuffled, row.clip
            written.append((*name, *bits, clip.duration_s))
    of, rates = ["codec", "coder", "shuffled"], ["actual_kbps", "coded_kbps", "ideal_kbps"]
    frame = pd.DataFrame(written, columns=[*of, "clip", *rates, "seconds"])
    # Of two rows of a clip the last one counts.
    clips = frame.groupby([*of, "clip"], sort=False).last().groupby(of, sort=False)
    frame = clips.sum().assign(clips=clips.size()).reset_index()
    frame[rates] = frame[rates].div(BITS_PER_KILOBIT * frame.pop("seconds"), axis=0)
    nominal = {spec.name: spec.nominal_kbps for spec, _ in codecs}
    frame.insert(1, "nominal_kbps", frame["codec"].map(nominal).astype(float))
    order = frame["codec"].map(list(nominal).index)
    frame = frame.iloc[np.lexsort((frame["shuffled"], order))].reset_index(drop=True)
    # What a context model falls back on, over the same clips.
    same = ["codec", "shuffled", "clips"]
    base = frame.loc[frame["coder"] == "adaptive", [*same, "coded_kbps"]]
    fallback_kbps = frame[same].merge(base, how="left", on=same)["coded_kbps"]
    saves_by_context = 1 - frame["coded_kbps"] / fallback_kbps
    return frame.assign(
        saves=1 - frame["coded_kbps"] / frame["actual_kbps"],
        saves_by_context=saves_by_context.where(frame["coder"].isin(CONTEXT_CODERS)),
    )
