"""The codes that a run kept, read back for entropy coders; and what these made of them."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable
from dataclasses import dataclass

from snacbench.bitstream.container import load, read
from snacbench.errors import StoreError, UserError
from snacbench.rate.coding.coders import PACKED
from snacbench.rate.coding.tables import KeptClip
from snacbench.rows import Coded, CodedBytes
from snacbench.store.folder import RunFolder
from snacbench.types import Clip, CodecSpec
from snacbench.units import BITS_PER_BYTE, kbps


@dataclass(frozen=True)
class KeptCodec:
    """A codec of a run, and the rows of its clips whose codes were kept."""

    spec: CodecSpec
    rows: tuple[Coded, ...]

    @property
    def codebook_sizes(self) -> tuple[int, ...]:
        """Entries of the codebooks, coarse to fine."""
        return tuple(stream.codebook_size for stream in self.spec.streams)


@dataclass(frozen=True)
class CoderRate:
    """What a coder spends on a codec's clips, in kbps (1000 bit/s); lower is better.

    `actual_kbps` is of codes at whole bits per index, `coded_kbps` of the bytes that the coder
    wrote, `ideal_kbps` its ideal code length; all with the side information, which no coder
    touches, over `clips` clips.
    """

    coder: str
    shuffled: bool
    actual_kbps: float
    coded_kbps: float
    ideal_kbps: float
    clips: int

    def saves_over(self, other_kbps: float) -> float:
        """Share of another rate that this coder saves; negative: it costs more."""
        return 1 - self.coded_kbps / other_kbps


def kept_codecs(folder: RunFolder) -> list[KeptCodec]:
    """Codecs with codebooks whose codes a run kept, in the run's order."""
    found: dict[str, dict[str, Coded]] = {}
    for row in folder.read(Coded):  # of two rows of a clip the last one counts
        found.setdefault(row.codec, {})[row.clip] = row
    kept = []
    for spec in folder.run.codecs:
        rows = tuple(row for row in found.get(spec.name, {}).values() if row.codes)
        if rows and spec.streams:
            kept.append(KeptCodec(spec, rows))
    if not kept:
        raise UserError(
            f"{folder.path} keeps no codes; make it again with 'snacbench run --keep-codes', with "
            "a codec that has codebooks"
        )
    return kept


def kept_clips(folder: RunFolder, codec: KeptCodec) -> list[KeptClip]:
    """The codes of a codec's clips; a clip of no known speaker or track is a cluster of its own.

    Raises StoreError if a file is not the one that the run wrote. Raises BitstreamError if a file
    cannot be read.
    """
    clusters, kept = {clip.id: clip.cluster for clip in folder.read(Clip)}, []
    for row in codec.rows:
        path = folder.path / str(row.codes)
        data = load(path)
        digest = hashlib.sha256(data).hexdigest()
        if row.codes_sha256 and digest != row.codes_sha256:
            raise StoreError(
                f"{path} has sha256 {digest}, and the run wrote {row.codes_sha256}; make the run "
                "again, or remove the clip's codes"
            )
        parts = read(data, lambda header: PACKED if header.coder == PACKED.name else None).parts
        cluster = clusters.get(row.clip) or row.clip
        kept.append(KeptClip(row.clip, cluster, tuple(part.codes for part in parts)))
    return kept


def coder_rates(codec: KeptCodec, rows: Iterable[CodedBytes]) -> list[CoderRate]:
    """The rate of every coder over the clips that it coded, first the real codes, then controls."""
    coded = {row.clip: row for row in codec.rows}
    by_coder: dict[tuple[bool, str], dict[str, CodedBytes]] = {}
    for row in rows:
        if row.clip in coded:
            by_coder.setdefault((row.shuffled, row.coder), {})[row.clip] = row
    rates = []
    for (shuffled, name), of_clips in sorted(by_coder.items(), key=lambda item: item[0][0]):
        clips = [coded[clip] for clip in of_clips]
        seconds = math.fsum(clip.duration_s or 0.0 for clip in clips)
        bits = [clip.bits for clip in clips if clip.bits]
        side_info = sum(one.side_info for one in bits)
        written = sum(sum(row.stream_bytes) for row in of_clips.values()) * BITS_PER_BYTE
        ideal = math.fsum(math.fsum(row.ideal_bits) for row in of_clips.values())
        spent = (sum(one.total for one in bits), written + side_info, ideal + side_info)
        actual, coded_, ideal_ = (kbps(one, seconds) for one in spent)
        rates.append(CoderRate(name, shuffled, actual, coded_, ideal_, len(clips)))
    return rates
