"""A delay is a delay: late or early, the same signal has the same aligned score.

Decodes are made at several rates, shifted by whole samples and cut to the clip's length, so that
what a delay pushes over an end is lost."""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from snacbench.audio.align import advanced
from snacbench.audio.resample import resample
from snacbench.rows import Calibration, Delay
from snacbench.store.run_folder import RunFolder
from snacbench.types import Audio
from tests.conftest import broadband
from tests.support.command_line import run_in
from tests.support.outside_runs import score_files, values, write

RATES_HZ = (8_000, 11_025, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000)
SECONDS = 2.2
TOLERANCE_DB = 0.01


def decode_of(source: Audio, rate_hz: int, snr_db: float, seed: int = 0) -> Audio:
    """A codec that keeps what its rate can hold, and adds noise."""
    exact = resample(source, rate_hz).samples
    noise = np.random.default_rng(seed).standard_normal(exact.shape)
    gain = float(np.sqrt(np.mean(exact**2) / 10 ** (snr_db / 10)))
    return Audio((0.5 * (exact + gain * noise)).astype(np.float32), rate_hz)


@settings(  # each example takes a second: no shrinking
    max_examples=6, deadline=None, phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow],
)  # fmt: skip
@given(
    rate_hz=st.sampled_from(RATES_HZ), share=st.floats(-1, 1), snr_db=st.floats(3, 40),
    sign=st.sampled_from([1, -1]), seed=st.integers(0, 99),
)  # fmt: skip
@example(rate_hz=16_000, share=1 / 8000, snr_db=200.0, sign=1, seed=1)
@example(rate_hz=16_000, share=-1 / 20, snr_db=200.0, sign=1, seed=0)
@example(rate_hz=44_100, share=1.0, snr_db=20.0, sign=1, seed=2)
@example(rate_hz=8_000, share=-1.0, snr_db=20.0, sign=-1, seed=3)
@example(rate_hz=24_000, share=0.9, snr_db=4.0, sign=-1, seed=15)
def test_a_delay_is_a_delay(rate_hz, share, snr_db, sign, seed):
    samples = round(share * rate_hz / 2)  # up to 500 ms late or early
    source = broadband(SECONDS, 48_000, seed=seed)
    decode = decode_of(source, rate_hz, snr_db, seed)
    shifted = advanced(Audio(sign * decode.samples, rate_hz), -samples)
    with TemporaryDirectory() as temporary:
        place = Path(temporary)
        reference = write(place / "reference" / "a.wav", source)
        in_time = score_files(reference, write(place / "in_time" / "a.wav", decode), place / "r")
        late = score_files(reference, write(place / "late" / "a.wav", shifted), place / "s")
        one, other = (values(folder, "si_sdr_aligned") for folder in (late, in_time))
        assert None not in one
        assert one == pytest.approx(other, abs=TOLERANCE_DB)
        row, untouched = (next(folder.read(Delay)) for folder in (late, in_time))
        assert (row.found, row.inverted, row.rate_hz) == (True, sign < 0, rate_hz)
        assert row.lag_s == row.own_lag_s == pytest.approx(samples / rate_hz, abs=1e-9)
        assert untouched.lag_s == 0.0


LATE = """
import sys
coded, output, late = sys.argv[1], sys.argv[2], 2 * int(sys.argv[3])
data = open(coded, "rb").read()
shifted = bytes(late) + data[:len(data) - late] if late >= 0 else data[-late:] + bytes(-late)
open(output, "wb").write(shifted)
"""
POINTS = {"in-time": 0, "one": 1, "frame": 400, "early": -320, "far": 8_000}
CODEC = f"""
from pathlib import Path
from snacbench.codecs.command import CommandCodec, Point, whole_file
LATE = Path(__file__).parent / "late.py"
MODELS = CommandCodec(
    name="toy", rate_hz=16_000, input="raw int16", output="raw int16",
    points=[Point(None, name, {{"late": late}}) for name, late in {POINTS}.items()],
    encode="cp {{input}} {{coded}}",
    decode=f"{sys.executable} -S {{LATE}} {{{{coded}}}} {{{{output}}}} {{{{late}}}}",
    bits=whole_file(),
).model()
"""


def test_a_codec_at_16_khz_scores_the_same_however_late_it_is(tmp_path: Path) -> None:
    (tmp_path / "late.py").write_text(LATE)
    (tmp_path / "toy.py").write_text(CODEC)
    write(tmp_path / "set" / "a.wav", broadband(SECONDS, 48_000, seed=4))
    done = run_in(
        tmp_path, "run", "--codecs", "toy.py", "--data", "set", "-o", "run",
        "--metrics", "si_sdr,si_sdr_aligned", "--jobs", "1",
    )  # fmt: skip
    folder = RunFolder.open(tmp_path / "run")
    delays = {f"toy@{name}": late / 16_000 for name, late in POINTS.items()}
    assert {row.codec: row.delay_s for row in folder.read(Calibration)} == delays
    assert {row.codec: row.lag_s for row in folder.read(Delay)} == delays
    scores = values(folder, "si_sdr_aligned")
    assert scores == pytest.approx([scores[0]] * len(POINTS), abs=TOLERANCE_DB)
    warned = " ".join(line for line in done.stderr.splitlines() if line.startswith("warning"))
    assert "toy@frame: decodes come 25.0 ms late" in warned
    assert "toy@early: decodes come 20.0 ms early" in warned
    assert "toy@one" not in warned
