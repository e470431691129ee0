"""Conditions: at strength 0 there is none, losses are alike, and what a run makes of all kinds."""

import re
from pathlib import Path
from typing import Any

import pytest

import snacbench as sb
from snacbench.conditions.condition import condition_named
from snacbench.errors import UserError
from snacbench.files import sha256_of_file
from snacbench.rows import Calibration, Coded, CodeHistogram, Delay, Score, Speed, SpotCheck
from snacbench.runner.bitstreams import kept_codecs
from snacbench.types import CodecSpec
from tests.support.command_line import write_wav

CONDITIONS = (
    "loss@0%,20%", "loss:burst=3:zero@0%", "loss:zero@100%", "flips@0,0.05", "level@0dB,-20dB",
    "noise@infdB,0dB", "reverb@0s,0.3s", "cascade@1,3",
)  # fmt: skip
BASES = ("opus@24kbps", "dac-mini@2.25kbps", "hiss@1q", "hiss@2q", "identity")
# Two streams of levels in frames of 20 ms, which the decoder fills with noise.
HISS = """
from fractions import Fraction
import numpy as np
from snacbench.models import CodecModel
from snacbench.types import Audio, CodecSpec, Encoded, Stream
POINTS = tuple(
    CodecSpec(f"hiss@{n}q", "hiss", "mine", 16_000, (1,), (Stream(Fraction(50), 256),) * n, n * 0.4,
              stochastic=True) for n in (1, 2))
class Codec:
    def __init__(self, spec):
        self.spec, self.at = spec, Codec
    def encode(self, audio):
        frames = np.pad(audio.samples[0], (0, -audio.num_samples % 320)).reshape(-1, 320)
        levels = 65_535 * np.minimum(1, np.sqrt(np.mean(frames**2, axis=1, dtype=float)))
        both = np.stack(np.divmod(levels.astype(np.int32), 256))[:, np.newaxis]
        codes = tuple(both[:len(self.spec.streams)])
        return Encoded(audio.num_samples, 1, audio.rate_hz, codes)
    def decode(self, encoded, *, seed):
        coarse, *fine = (codes[0] / 256 for codes in encoded.codes)
        levels = np.repeat(coarse + sum(fine) / 256 + 1 / 512, 320)[:encoded.num_samples]
        noise = np.random.default_rng(seed).standard_normal(encoded.num_samples)
        return Audio((0.3 * levels * noise)[np.newaxis].astype(np.float32), encoded.rate_hz)
MODELS = (CodecModel("hiss", "mine", POINTS, ("hiss@2q", "hiss@1q"), lambda spec, *_: Codec(spec),
                     nested=True),)
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> sb.Run:
    """All kinds, neutral and not; of the codecs one draws random numbers, one has no packets."""
    folder = tmp_path_factory.mktemp("conditions")
    for number, rate_hz in enumerate((16_000, 44_100)):
        write_wav(folder / "set" / f"{number}.wav", 1.31 + number / 7, rate_hz, seed=number)
    (folder / "hiss.py").write_text(HISS)
    codecs = f"opus@24,dac-mini@2.25,{folder / 'hiss.py'},identity"
    return sb.run(
        codecs, folder / "set", folder / "run", conditions=CONDITIONS, jobs=2,
        metrics="si_sdr,waveform_l1,stoi", speed_budget_s=0.05, keep_codes=True,
    )  # fmt: skip


def rows_of(run: sb.Run, kind: type[Any]) -> dict[str, list[Any]]:
    """Rows of a kind by operating point, clip by clip."""
    rows = sorted(run.folder.read(kind), key=lambda row: str(getattr(row, "clip", "")))
    return {s.name: [row for row in rows if row.codec == s.name] for s in run.folder.run.codecs}


def essence(row: Any) -> str:
    """A row without what it is of, where its files lie and how long it took."""
    own = {"codec", "condition", "realised", "decoded", "encode_s", "decode_s"}
    own |= {"codes", "codes_sha256"} if isinstance(row, Coded) else set()
    return repr({name: value for name, value in vars(row).items() if name not in own})


def under(run: sb.Run, *, neutral: bool) -> list[CodecSpec]:
    """Operating points under conditions that change nothing, or something."""
    specs = [spec for spec in run.folder.run.codecs if spec.condition]
    return [spec for spec in specs if condition_named(spec.condition).neutral is neutral]


def test_a_condition_at_strength_0_equals_none_to_the_last_digit(run: sb.Run) -> None:
    assert run.ok, run.failed.to_string()
    assert len(under(run, neutral=True)) == 9 * 4 + 6  # identity has no packets
    for kind in (Coded, CodeHistogram, Delay, Score):
        rows = rows_of(run, kind)
        for spec in under(run, neutral=True):
            base = rows[spec.without_condition.name]
            assert sorted(map(essence, rows[spec.name])) == sorted(map(essence, base)), spec.name
            assert base or not spec.streams


def test_bits_and_codes_are_as_sent_and_sounds_as_they_arrived(run: sb.Run) -> None:
    coded, histograms = rows_of(run, Coded), rows_of(run, CodeHistogram)
    for spec in under(run, neutral=False):
        names, untouched = (spec.name, spec.without_condition.name), "identity+cascade@3"
        ours, theirs = ({row.clip: row for row in coded[name]} for name in names)
        for clip, row in ours.items():
            same = row.decoded_sha256 == theirs[clip].decoded_sha256
            assert (row.condition, same) == (spec.condition, spec.name == untouched)
        if condition_named(spec.condition).stage == "channel":
            assert all(row.bits == theirs[clip].bits for clip, row in ours.items())
            one, other = (sorted(map(essence, histograms[name])) for name in names)
            assert one == other


def test_what_conditions_come_to_and_losses_that_are_the_same_for_all(run: sb.Run) -> None:
    coded = rows_of(run, Coded)

    def realised(name: str) -> list[float]:
        return [row.realised for row in coded[name]]

    assert {of for base in BASES for of in realised(base)} == {None}
    lost = realised("opus@24kbps+loss@20%")
    assert lost[0] != lost[1]
    assert all(5 < share < 40 for share in lost)
    for name in ("hiss@2q", "hiss@1q"):  # packets of 20 ms, too
        assert realised(f"{name}+loss@20%") == lost
    for condition, value, within in (
        ("loss:zero@100%", 100, 0), ("flips@5e-2", 0.05, 0.03), ("level@-20dB", -20, 0.01),
        ("noise@0dB", 0, 0.5), ("noise:clean@0dB", 0, 0.5), ("reverb@0.3s", 0.3, 0.06),
        ("cascade@3", 3, 0),
    ):  # fmt: skip
        expected = [pytest.approx(value, abs=within)] * 2
        assert realised(f"dac-mini@2.25kbps+{condition}") == expected, condition


def test_decodes_are_scored_against_what_the_codec_got_or_the_clean_clip(run: sb.Run) -> None:
    def values(metric: str, condition: str) -> list[float]:
        scores = rows_of(run, Score)[f"identity+{condition}"]
        return [row.value for row in scores if row.metric == metric]

    for condition in ("level@-20dB", "noise@0dB", "reverb@0.3s", "cascade@3"):
        assert max(values("waveform_l1", condition)) < 1e-6
    assert values("si_sdr", "noise:clean@0dB") == [pytest.approx(0, abs=0.5)] * 2
    assert max(values("stoi", "reverb:clean@0.3s")) < 0.98


def test_scores_under_conditions_are_computed_again_from_a_bundle(
    run: sb.Run, tmp_path: Path
) -> None:
    bundle = run.export(tmp_path / "b.zip").path
    told = sb.verify(bundle, scores=12, data=run.request.data, jobs=1)
    assert told.ok, told.found
    assert sum("+" in name for name, *_ in told.scores) > 3


def test_what_is_found_out_of_points_is_found_once_and_not_missed(run: sb.Run) -> None:
    for kind in (SpotCheck, Calibration, Speed):
        assert {name for name, rows in rows_of(run, kind).items() if rows} == set(BASES)
    assert [spec.name for spec, _ in kept_codecs(run.folder)] == list(BASES[1:4])
    assert all((row.codes is None) is bool(row.condition) for row in run.folder.read(Coded))
    assert "was not measured" not in run.table()
    assert run.folder.run.codec_versions.keys() == {"opus", "dac-mini", "hiss", "identity"}
    told = run.folder.run.facts["conditions left out"]
    assert f"left out: {told}" in run.warnings
    assert told.endswith("flips@5e-2 of identity: it sends a clip as a whole and not in packets")
    assert set(run.scores["condition"]) >= {"", "loss@20%", "cascade@3"}
    assert run.measure_speed(0.05).ok
    assert {row.codec for row in run.folder.read(Speed)} == set(BASES)


def test_a_recording_is_kept_by_digest_and_only_its_own_points_need_it(tmp_path, monkeypatch):
    write_wav(tmp_path / "set" / "a.wav", 1.0, 16_000, seed=1)
    path = write_wav(tmp_path / "noise.wav", 0.5, 16_000)
    asked = {"conditions": f"noise:clean:file={path}@10dB", "metrics": "si_sdr", "jobs": 1}
    run = sb.run("identity", tmp_path / "set", tmp_path / "run", speed_budget_s=0, **asked)
    bundle, how = run.export(tmp_path / "b.zip").path, {"data": run.request.data, "jobs": 1}
    assert run.folder.run.recordings == {str(path): sha256_of_file(path)}
    monkeypatch.chdir(tmp_path)  # of a bundle paths have no folders
    assert len(sb.verify(bundle, scores=2, **how).scores) == 2
    path.unlink()
    for now, refused in (("none: no such file", "cannot be used"), ("[0-9a-f]{12}", "another rec")):
        told = sb.verify(bundle, scores=2, **how)
        assert (told.ok, len(told.scores)) == (True, 1)
        assert re.search(f"another recording noise.wav than .* is {now}; put", str(told.left))
        with pytest.raises(UserError, match=f"{refused}.*noise"):
            sb.run(resume=run.path)
        write_wav(path, 0.5, 16_000, seed=2)
    with pytest.raises(UserError, match="with another recording"):
        run.score("waveform_l1")
    path.unlink()
    assert run.score("waveform_l1").ok  # against the clean clip
    assert run.measure_speed(0.05).ok
