"""Files of coded signals decode to what a run decodes, and nothing else passes for one."""

import random
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("torch")

from snacbench.bitstream.container import Header, read, write
from snacbench.errors import BitstreamError, CodecError, SnacbenchError, StoreError, UserError
from snacbench.rate.coding.coders import PACKED
from snacbench.rows import Coded, CodedBytes
from snacbench.runner import bitstreams
from snacbench.runner.signal_rules import codec_inputs
from tests.conftest import broadband
from tests.support.bitstream_examples import mutate
from tests.support.failing_codecs import SPEC, BatchingToy, loaded_toy
from tests.support.kept_runs import keep, kept_run, levels
from tests.support.synthetic_runs import make_run

EMBEDDED = ("embedded",)


def coded(selector, source, *, seed=0):
    loaded = bitstreams.codec_meant(selector, EMBEDDED)
    inputs, mode = codec_inputs(source, loaded.planned.spec)
    parts = [loaded.codec.encode(signal) for signal in inputs]
    return bitstreams.bitstream_of(loaded.planned.spec, source, mode, parts, seed=seed), loaded


def through_bytes(stream):
    return read(write(stream, PACKED))


@pytest.mark.parametrize(("selector", "channels"), [
    ("snac-mini", 1), ("dac-mini@2q", 2), ("encodec-mini@6", 1), ("opus@14", 2),
])  # fmt: skip
def test_the_decoded_signal_is_that_of_the_codec(selector, channels):
    stream, loaded = coded(selector, broadband(0.4, 48_000, channels=channels), seed=9)
    decoded = bitstreams.decode_bitstream(through_bytes(stream), loaded)
    alone = len(stream.parts) > 1
    expected = [loaded.codec.decode(p, seed=9 + i * alone) for i, p in enumerate(stream.parts)]
    assert np.array_equal(decoded.samples, np.concatenate([e.samples for e in expected]))
    assert stream.header.seed == (9 if loaded.planned.spec.stochastic else 0)


def header_of(loaded, name=""):
    spec = loaded.planned.spec
    rate_hz = spec.rate_hz or 48_000
    return Header(name or spec.name, dict(spec.weights.sha256), rate_hz, rate_hz, 1, 480, "mono", 0)


def test_the_codec_is_found_by_the_file_or_unknown_here(tmp_path):
    for selector in ("opus@9.5", "snac-mini@2q", "lowpass@3kHz"):
        loaded = bitstreams.codec_meant(selector, EMBEDDED)
        assert bitstreams.codec_of(header_of(loaded), EMBEDDED).planned == loaded.planned
    opus = bitstreams.codec_meant("opus@24", ())
    local = bitstreams.spec_of(header_of(opus, "dac-44khz-local@2.58kbps"))
    assert local.name == "dac-44khz@2.58kbps"
    own, ran = tmp_path / "own.py", tmp_path / "ran"  # no name of a file's has code run
    own.write_text(f"open({str(ran)!r}, 'w')")
    several = ("opus@14kbps,mp3@64kbps", f"opus@14kbps,{own}")
    for name in ("mine@3kbps", "snac-", *several, "dac-mini@4kbps", "", "X=dac:/", str(own)):
        header = replace(header_of(opus), codec=name)
        assert bitstreams.spec_of(header) is None
        with pytest.raises(BitstreamError, match="a codec that is unknown here; a checkpoint or"):
            bitstreams.codec_of(header, EMBEDDED)
    assert not ran.exists()
    with pytest.raises(BitstreamError, match="made at A@77kbps, and dac-mini has no such"):
        bitstreams.codec_of(header_of(opus, "A@77kbps"), EMBEDDED, selector="dac-mini")
    with pytest.raises(SnacbenchError, match=r"opus means 3 operating points, .* one of opus@8kb"):
        bitstreams.codec_meant("opus", EMBEDDED)


def with_part(stream, **changes):
    return replace(stream, parts=(replace(stream.parts[0], **changes),))


def with_header(stream, **changes):
    return replace(stream, header=replace(stream.header, **changes))


@pytest.mark.parametrize(("change", "reason"), [
    (lambda s: with_header(s, codec_rate_hz=8_000), r"no file of dac-mini@1.5kbps: .*rate 8"),
    (lambda s: with_header(s, channel_mode="stereo"), "mode stereo, exp"),
    (lambda s: with_header(s, weights_sha256={}), r"than those here: none, found config.json"),
    (lambda s: with_header(s, weights_sha256={"model.safetensors": "0" * 64}),
     "other weights of dac-mini.*: model.safetensors sha256 0000000000000000, found conf"),
    (lambda s: replace(s, codebook_sizes=(1024, 512)), r"sizes \[1024, 512\], expected \[1024"),
    (lambda s: with_part(s, num_samples=4_799), r"parts \[4799\], expected \[4800\] for 9600"),
    (lambda s: with_part(s, codes=(s.parts[0].codes[0], np.zeros((1, 9_999), np.int32))),
     r"stream 1 has 9999 frames, 133\.3 s, for a signal of 0\.2 s"),
    (lambda s: with_part(s, codes=(s.parts[0].codes[0], s.parts[0].codes[1][:, :-1])),
     r"cannot decode what the file holds .*Error"),
])  # fmt: skip
def test_what_no_file_of_the_codec_says(change, reason):
    stream, loaded = coded("dac-mini@2q", broadband(0.2, 48_000))
    with pytest.raises((BitstreamError, CodecError), match=reason):
        bitstreams.decode_bitstream(change(stream), loaded)


def test_what_a_codec_returns_in_another_shape_is_refused():
    stream, loaded = coded("opus@14", broadband(0.2, 48_000))
    with pytest.raises(CodecError, match=r"libopus returned .* of 9600 samples"):
        bitstreams.decode_bitstream(with_part(stream, packets=stream.parts[0].packets[:3]), loaded)
    toy, source = BatchingToy(), broadband(0.1, 16_000)
    stream = bitstreams.bitstream_of(SPEC, source, "mono", toy.encode_batch([source]), seed=0)
    packets = (stream.parts[0].packets[0][:400],)
    with pytest.raises(CodecError, match=r"toy returned \(1, 100, 16000\) .* for \(1, 1600, 16000"):
        bitstreams.decode_bitstream(with_part(stream, packets=packets), loaded_toy(toy))


CODECS = ("snac-mini", "dac-mini@2q", "encodec-mini@6", "opus@14", "mp3@64", "aac@64", "identity")


@pytest.mark.parametrize("count", [60, pytest.param(3_000, marks=pytest.mark.slow)])
@pytest.mark.parametrize("selector", CODECS)
def test_no_mutated_file_crashes_a_codec(selector, count):
    source = broadband(0.25, 24_000, channels=2)
    stream, loaded = coded(selector, source)
    files = [(write(stream, PACKED), PACKED)] * 2  # their checksums are mended
    rng, taken = random.Random(count), 0
    for _ in range(count):
        mutated, *_ = mutate(rng, files)
        try:
            audio = bitstreams.decode_bitstream(read(mutated), loaded)
        except SnacbenchError:
            continue
        taken += 1
        assert audio.num_samples < 100 * source.num_samples
    assert taken or count < 1_000


def test_scales_of_segments_travel_as_side_information(tmp_path):
    from tests.support.codec_models import segmented_encodec, with_config

    path = with_config(tmp_path / "mine.th", *segmented_encodec())
    stream, loaded = coded(f"X=encodec:{path}", broadband(1.3, 8_000, channels=2))
    assert len(stream.parts[0].side_info) == 4 * 3
    again = through_bytes(stream)
    codec = bitstreams.codec_of(stream.header, (), selector=f"X=encodec:{path}")
    decoded = bitstreams.decode_bitstream(again, codec)
    assert np.array_equal(decoded.samples, loaded.codec.decode(stream.parts[0], seed=0).samples)
    for damaged in (b"abc", again.parts[0].side_info[:4]):
        with pytest.raises(CodecError, match=r"\d bytes of scales, expected 4 for each of 3"):
            bitstreams.decode_bitstream(with_part(again, side_info=damaged), loaded)


def test_codes_come_back_with_their_clusters_and_the_last_row_of_a_clip_counts(tmp_path):
    folder = kept_run(tmp_path / "run")
    ((_, rows),) = bitstreams.kept_codecs(folder)
    clips = bitstreams.kept_clips(folder, rows)
    assert [one.cluster for one in clips] == [f"speaker {n % 4}" for n in range(8)]
    assert [len(one.parts) for one in clips] == [2] + [1] * 7
    for number, one in enumerate(clips):
        assert all(map(np.array_equal, one.parts[0], levels(100, seed=number)))
    folder = kept_run(tmp_path / "alone", speakers=0, count=2)
    clips = bitstreams.kept_clips(folder, bitstreams.kept_codecs(folder)[0][1])
    assert [one.cluster for one in clips] == [one.clip for one in clips]
    other = levels(100, seed=50)
    folder.append([keep(folder, "tiny/000", "toy@1kbps", [other])])
    ((_, rows),) = bitstreams.kept_codecs(folder)
    assert np.array_equal(bitstreams.kept_clips(folder, rows)[0].parts[0][0], other[0])
    folder.append([Coded("tiny/000", "toy@1kbps", "failed", "broken")])
    assert [row.clip for row in bitstreams.kept_codecs(folder)[0][1]] == ["tiny/001"]
    none = make_run(tmp_path / "none", {"a": {"up": np.arange(3.0)}})
    with pytest.raises(UserError, match="keeps no codes; make it again with 'snacbench run --keep"):
        bitstreams.kept_codecs(none)


def test_files_that_the_run_did_not_write_are_refused(tmp_path):
    folder = kept_run(tmp_path / "run", count=2)
    ((_, rows),) = bitstreams.kept_codecs(folder)
    path, first = (folder.codes_path(f"tiny/00{n}", "toy@1kbps") for n in (1, 0))
    whole = path.read_bytes()
    unchecked = [replace(rows[1], codes_sha256=None)]
    for of, data, error, message in (
        (rows, first.read_bytes(), StoreError, r"has sha256 \w+, and the run wrote \w+; make the"),
        (unchecked, whole[:-1], BitstreamError, "truncated"),
        (unchecked, b"", BitstreamError, "cannot be read"),
    ):
        path.write_bytes(data) if data else path.unlink()
        with pytest.raises(error, match=message):
            bitstreams.kept_clips(folder, of)


def test_rates_of_coders(tmp_path):
    folder = kept_run(tmp_path / "run", count=2)
    ((spec, rows),) = bitstreams.kept_codecs(folder)

    def coded_bytes(coder, size, *, shuffled=False):
        made = (coder, "", (size, size), (8.0 * size - 4,) * 2, shuffled)
        return [CodedBytes(row.clip, row.codec, *made) for row in rows]

    folder.append(coded_bytes("adaptive", 60, shuffled=True))
    folder.append(coded_bytes("adaptive", 1000))
    folder.append(coded_bytes("context", 40)[:1])
    folder.append(coded_bytes("adaptive", 50))  # counts, being the last
    folder.append(coded_bytes("context", 25, shuffled=True))
    folder.append([CodedBytes("another", spec.name, "adaptive", "", (1, 1), (1.0, 1.0))])
    frame = bitstreams.coder_frame(folder, [(spec, rows)])
    said = frame[["codec", "nominal_kbps", "coder", "shuffled", "clips"]].to_numpy().tolist()
    told = (("adaptive", False, 2), ("context", False, 1))
    told += (("adaptive", True, 2), ("context", True, 2))
    assert said == [["toy@1kbps", 0.375, *of] for of in told]
    plain, context, _, control = frame.itertuples()
    # Two clips of 4 s; three parts of 100 + 200 codes of 5 bit with 4 bytes of side information.
    assert plain.actual_kbps == pytest.approx(3 * (300 * 5 + 32) / 8 / 1000)
    assert plain.coded_kbps == pytest.approx((4 * 50 * 8 + 3 * 32) / 8 / 1000)
    assert plain.ideal_kbps == pytest.approx((4 * 50 * 8 - 16 + 3 * 32) / 8 / 1000)
    assert plain.saves == 1 - plain.coded_kbps / plain.actual_kbps
    assert control.saves_by_context == pytest.approx(1 - (4 * 25 + 12) / (4 * 60 + 12))
    # Of an order-0 coder there is no saving by context, nor where another set of clips was coded.
    assert np.isnan([plain.saves_by_context, context.saves_by_context]).all()
