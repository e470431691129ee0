"""From what a codec encoded to a `Bitstream`, and from that to what the codec decodes.

Whoever decodes follows the rules by which a run codes, so that a file holds the very samples that
the run scored.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from snacbench.audio.resample import num_samples_at
from snacbench.bitstream.container import Bitstream, Header
from snacbench.errors import BitstreamError, CodecError, SnacbenchError
from snacbench.runner.loading import LoadedCodec
from snacbench.runner.signals import coded_channels, decoded_signal
from snacbench.types import Audio, CodecSpec, Encoded

# A codec pads, and may code parts of a signal twice; but a few frames are no hour of audio.
_SLACK_S = 10.0
_SLACK_RATIO = 16
_SHOWN_DIGITS = 12


def bitstream_of(
    spec: CodecSpec, source: Audio, channel_mode: str, parts: Sequence[Encoded], *, seed: int
) -> Bitstream:
    """What a source became in a codec, with all that its decoder must know.

    Parameters
    ----------
    spec : CodecSpec
        With the record of its weights.
    source : Audio
        At its own rate, with the channels that the run keeps.
    channel_mode : str
        As `codec_inputs` names it.
    parts : sequence of Encoded
        One per signal that went through the codec.
    seed : int
        With which the first part is decoded; part i takes seed + i.
    """
    header = Header(
        codec=spec.name,
        weights_sha256=dict(spec.weights.sha256),
        codec_rate_hz=parts[0].rate_hz,
        rate_hz=source.rate_hz,
        channels=source.channels,
        num_samples=source.num_samples,
        channel_mode=channel_mode,
        seed=seed if spec.stochastic else 0,
    )
    return Bitstream(header, tuple(s.codebook_size for s in spec.streams), tuple(parts))


def decode_bitstream(bitstream: Bitstream, loaded: LoadedCodec) -> Audio:
    """The decoded signal, at the codec's rate and with the source's channels.

    Raises
    ------
    BitstreamError
        If it was made with other weights, or cannot be this codec's.
    CodecError
        If the codec refuses it.
    """
    spec, seed = loaded.handle.spec, bitstream.header.seed
    check_weights(bitstream.header, spec)
    check_fits(bitstream, spec)
    try:
        with loaded.computing():
            decoded = [
                loaded.codec.decode(part, seed=seed + index)
                for index, part in enumerate(bitstream.parts)
            ]
    except SnacbenchError:
        raise
    except Exception as error:  # whatever a codec's own code raises
        raise CodecError(
            f"{spec.name} cannot decode what the file holds ({type(error).__name__}: {error})"
        ) from error
    for part, output in zip(bitstream.parts, decoded, strict=True):
        check_contract(spec, part, output)
    return decoded_signal(decoded, bitstream.header.channels)


def check_contract(spec: CodecSpec, given: Audio | Encoded, output: Audio) -> None:
    """A codec returns what it was given in shape: a wrong length would shift every score.

    Raises
    ------
    CodecError
        If it does not.
    """
    expected = (given.channels, given.num_samples, given.rate_hz)
    returned = (output.channels, output.num_samples, output.rate_hz)
    if expected != returned:
        raise CodecError(
            f"{spec.name} returned {returned} (channels, samples, Hz) for {expected}; a codec must "
            "return the length, channels and rate it was given"
        )


def check_weights(header: Header, spec: CodecSpec) -> None:
    """Codes mean nothing to other weights than those that made them.

    Raises
    ------
    BitstreamError
        If the weights at hand are not those.
    """
    made, here = header.weights_sha256, spec.weights.sha256
    if sorted(made.values()) != sorted(here.values()):
        raise BitstreamError(
            f"the file was made with other weights of {header.codec} than those here: "
            f"{_shown(made)}, found {_shown(here)}; name the right ones by --weights DIR or, for "
            "a checkpoint of your own, by --codec"
        )


def check_fits(bitstream: Bitstream, spec: CodecSpec) -> None:
    """Everything that a file says of its signals, against what follows from codec and source.

    Raises
    ------
    BitstreamError
        Names the first difference.
    """
    header = bitstream.header
    rate_hz = spec.rate_hz or header.rate_hz
    channels, mode = coded_channels(header.channels, spec)
    length = num_samples_at(header.num_samples, header.rate_hz, rate_hz)
    facts = {
        "the codec's rate": (header.codec_rate_hz, rate_hz),
        "codebook sizes": (
            list(bitstream.codebook_sizes),
            [stream.codebook_size for stream in spec.streams],
        ),
        "the channel mode": (header.channel_mode, mode),
        "the channels of the parts": ([p.channels for p in bitstream.parts], [*channels]),
        "the lengths of the parts": (
            [p.num_samples for p in bitstream.parts],
            [length] * len(channels),
        ),
    }
    for what, (found, expected) in facts.items():
        if found != expected:
            raise BitstreamError(
                f"no file of {spec.name}: {what} {found}, expected {expected} for "
                f"{header.num_samples} samples of {header.channels} channels at {header.rate_hz} Hz"
            )
    for part in bitstream.parts:
        _check_frames(part, spec)


def _check_frames(part: Encoded, spec: CodecSpec) -> None:
    """A stream lasts about as long as its signal."""
    duration_s = part.num_samples / part.rate_hz
    for index, (codes, stream) in enumerate(zip(part.codes, spec.streams, strict=True)):
        coded_s = float(codes.shape[-1] / stream.frame_rate_hz)
        longer, shorter = max(duration_s, coded_s), min(duration_s, coded_s)
        if longer > shorter * _SLACK_RATIO + _SLACK_S:
            raise BitstreamError(
                f"no file of {spec.name}: stream {index} has {codes.shape[-1]} frames, "
                f"{coded_s:.1f} s, for a signal of {duration_s:.1f} s"
            )


def _shown(digests: Mapping[str, str]) -> str:
    shown = (f"{name} {digest[:_SHOWN_DIGITS]}" for name, digest in sorted(digests.items()))
    return ", ".join(shown) or "none"
