from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from snacbench.errors import UserError
from snacbench.listening.server.stimuli import served_stimuli
from snacbench.listening.stimuli import FACTS_FILE, stimulus_file
from snacbench.listening.test import ListeningTest
from tests.listening.server.folders import SAMPLES, facts_of, make_folder, small_test

SNAC = stimulus_file("item-1", "snac")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return make_folder(tmp_path, small_test())


def write(folder: Path, samples: int, *, subtype: str = "PCM_24", rate_hz: int = 48_000) -> None:
    """Replace one stimulus, and what stimuli.json says of its bytes."""
    noise = np.random.default_rng(9).uniform(-0.1, 0.1, samples)
    soundfile.write(folder / SNAC, noise, rate_hz, subtype=subtype)
    told = json.loads((folder / FACTS_FILE).read_text())
    now = facts_of(folder, SNAC)
    told["items"]["item-1"]["conditions"]["snac"].update(sha256=now.sha256, num_bytes=now.num_bytes)
    (folder / FACTS_FILE).write_text(json.dumps(told))


def test_every_condition_of_every_item_is_served(folder: Path) -> None:
    test = small_test()
    table = served_stimuli(folder, test)
    assert len(table) == 4 * 5
    assert {served.duration_s for served in table.values()} == {0.5}
    served = table["item-1", "snac"]
    assert b"".join(served.blocks()) == (folder / SNAC).read_bytes()
    assert served.media_type == "audio/wav"


def test_another_size(folder: Path) -> None:
    write(folder, SAMPLES, subtype="PCM_16")
    with pytest.raises(UserError, match=r"sizes from .* bytes, by which a listener could tell"):
        served_stimuli(folder, small_test())


@pytest.mark.parametrize(("samples", "rate_hz"), [(SAMPLES + 1, 48_000), (SAMPLES, 44_100)])
def test_another_length_or_rate(folder: Path, samples: int, rate_hz: int) -> None:
    write(folder, samples, rate_hz=rate_hz)
    with pytest.raises(
        UserError, match=f"{samples} samples of 1 channels at {rate_hz} Hz; its item"
    ):
        served_stimuli(folder, small_test())


def test_swapped_files(folder: Path) -> None:
    anchor = folder / stimulus_file("item-1", "anchor35")
    (folder / SNAC).write_bytes(anchor.read_bytes())
    with pytest.raises(UserError, match="not the stimulus that was made: its sha256 has changed"):
        served_stimuli(folder, small_test())


def test_a_file_that_is_no_audio(folder: Path) -> None:
    size = (folder / SNAC).stat().st_size
    (folder / SNAC).write_bytes(bytes(size))
    with pytest.raises(UserError, match="cannot read the stimulus"):
        served_stimuli(folder, small_test())


def test_a_missing_file(folder: Path) -> None:
    (folder / SNAC).unlink()
    with pytest.raises(UserError, match="missing or was changed"):
        served_stimuli(folder, small_test())


def test_no_stimuli_at_all(folder: Path) -> None:
    (folder / FACTS_FILE).unlink()
    with pytest.raises(UserError, match="no stimuli yet"):
        served_stimuli(folder, small_test())


def test_another_design(folder: Path) -> None:
    test: ListeningTest = small_test()
    moved = test.items[0].model_copy(update={"start_s": 1.0})
    with pytest.raises(UserError, match=r"not those of its test.yaml"):
        served_stimuli(folder, test.model_copy(update={"items": (moved, *test.items[1:])}))


def test_a_condition_that_stimuli_json_lacks(folder: Path) -> None:
    told = json.loads((folder / FACTS_FILE).read_text())
    del told["items"]["item-1"]["conditions"]["snac"]
    (folder / FACTS_FILE).write_text(json.dumps(told))
    with pytest.raises(UserError, match="lack item-1 or one of its conditions"):
        served_stimuli(folder, small_test())


def test_changed_while_it_is_served(folder: Path) -> None:
    served = served_stimuli(folder, small_test())["item-1", "snac"]
    shorter = replace(served, num_bytes=served.num_bytes - 1)
    with pytest.raises(UserError, match="was changed while it is served; restart the server"):
        next(shorter.blocks())
