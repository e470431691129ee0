"""A data set of rated files becomes a run, once, and its metrics are set beside its ratings."""

import csv

import numpy as np
import pytest
import yaml

from snacbench.rows import Coded, ListenerScore, Score
from snacbench.store.run_folder import RunFolder
from tests.conftest import broadband
from tests.support.command_line import write_raw

MAP = {
    "summary": "s", "source": "https://example.org", "files": "r.csv", "reference": "{item}.wav",
    "degraded": "{codec}/{item}.wav", "item": "{item}", "condition": "{codec}",
    "listener": "{who}", "score": "{grade}", "scale": [0, 100], "anchors": "^low",
    "rates": {"good": 24, "fair": 12, "bad": 6},
}  # fmt: skip


def test_a_data_set_is_scored_once_and_compared(cli, tmp_path):
    rng, lines = np.random.default_rng(0), ["item,codec,who,grade"]
    for k in range(5):
        clean = broadband(1.0, 16_000, seed=k).samples.T
        write_raw(tmp_path / f"{k}.wav", clean, 16_000)
        for codec, noise in {"good": 0.01, "fair": 0.05, "bad": 0.2, "low": 0.4}.items():
            (tmp_path / codec).mkdir(exist_ok=True)
            noisy = clean + noise * rng.standard_normal(clean.shape).astype("float32")
            write_raw(tmp_path / codec / f"{k}.wav", np.clip(noisy, -1, 1), 16_000)
            lines += [f"{k},{codec},l{n},{60 - 100 * noise + n + k}" for n in range(3)]
    (tmp_path / "r.csv").write_text("\n".join(lines))
    (tmp_path / "m.yaml").write_text(yaml.safe_dump(MAP))
    made = ("validity", "--map", "m.yaml", "--root", ".", "-o", "run", "--jobs", "1", "--metrics")

    def read(*arguments):
        done = cli(*arguments, "--format", "csv")
        return {(r["group"], r["codec"]): r for r in csv.DictReader(done.stdout.splitlines())}

    rows = read(*made, "si_sdr", "--plot", "v.svg")
    assert (tmp_path / "v.svg").read_text("utf-8").startswith("<?xml")
    found = rows["all", "si_sdr"]
    assert float(found["within_items"]) == pytest.approx(1)
    assert (found["rated_cells"], found["listeners"]) == ("15", "3")  # without the anchor
    folder = RunFolder.open(tmp_path / "run")
    coded, kept = list(folder.read(Coded)), list(folder.read(ListenerScore))
    assert ({row.status for row in coded}, len(coded), len(kept)) == ({"ok"}, 20, 60)
    again = read(*made, "lsd")
    assert {m for _, m in again} == {"lsd"}
    assert (list(folder.read(Coded)), list(folder.read(ListenerScore))) == (coded, kept)
    assert len(list(folder.read(Score))) == 40
    assert {m for _, m in read("validity", "run", "--anchors")} == {"si_sdr", "lsd"}
    (tmp_path / "m.yaml").write_text(yaml.safe_dump(MAP | {"rates": {}}))
    assert "is a run of other codecs" in cli(*made, "lsd", code=2).stderr
    (tmp_path / "0.wav").write_bytes((tmp_path / "1.wav").read_bytes())
    assert "is a run of other clips" in cli(*made, "lsd", code=2).stderr
    (tmp_path / "4.wav").write_bytes(b"no sound")
    (tmp_path / "bad/3.wav").unlink()
    assert "3 ratings of files that" in cli(*made[:6], "new", *made[7:], "si_sdr").stdout
    rows = RunFolder.open(tmp_path / "new").read(Coded)
    assert {row.clip for row in rows if row.reason} == {"m/4"}
