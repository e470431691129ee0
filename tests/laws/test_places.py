"""Where a plan is carried out, and in how many pieces, changes no row."""

import os
import signal
from collections.abc import Iterator
from dataclasses import asdict, replace
from typing import Any

import pytest
from distributed import Client, LocalCluster

import snacbench as sb
from snacbench.errors import StoreError, TestSetError
from snacbench.progress import Notes, Silent
from snacbench.rows import Score
from snacbench.store.run_folder import ROW_FILES, RunFolder
from snacbench.types import Clip
from tests.support.clusters import local_cluster

ASKED: dict[str, Any] = {"codecs": "opus@14,noise,lowpass", "metrics": "si_sdr,lsd"}
ASKED |= {"limit": 3, "speed_budget_s": 0, "conditions": "loss@20%"}
TIMINGS = {"encode_s", "decode_s"}


class AtStep(Silent):
    """Does something once, after so many steps."""

    def __init__(self, at: int, what: Any) -> None:
        self._left, self._what = at, what

    def step(self, stage: str, steps: int = 1, *, failed: int = 0) -> None:
        self._left -= 1
        if self._left == 0:
            self._what()


def rows_of(folder: RunFolder) -> dict[str, list[str]]:
    """All rows by kind, without timings, in no order."""

    def told(row):
        return repr({k: v for k, v in asdict(row).items() if k not in TIMINGS})

    return {kind.__name__: sorted(map(told, folder.read(kind))) for kind in ROW_FILES}


@pytest.fixture(scope="module")
def cluster() -> Iterator[LocalCluster]:
    with local_cluster(2) as made:
        yield made


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> sb.Run:
    """The plan, carried out by one worker."""
    return sb.run(**ASKED, jobs=1, out=tmp_path_factory.mktemp("alone") / "run")


def test_two_workers(alone, tmp_path):
    assert rows_of(sb.run(**ASKED, jobs=2, out=tmp_path / "run").folder) == rows_of(alone.folder)


def test_a_cluster_that_loses_a_worker_and_gets_another(alone, cluster, tmp_path):
    with Client(cluster, set_as_default=False) as client:
        pids = client.run(os.getpid)

        def lose_one() -> None:
            os.kill(next(iter(pids.values())), signal.SIGKILL)
            cluster.scale(3)

        made = sb.run(**ASKED, client=client, progress=AtStep(8, lose_one), out=tmp_path / "run")
        assert rows_of(made.folder) == rows_of(alone.folder)
        assert made.ok


def test_a_cluster_goes_on_with_what_another_began(alone, cluster, tmp_path):
    class Enough(Exception):
        pass

    def leave() -> None:
        raise Enough

    with Client(cluster, set_as_default=False) as client:
        with pytest.raises(Enough):
            sb.run(**ASKED, jobs=2, progress=AtStep(9, leave), out=tmp_path / "run")
        before = rows_of(RunFolder.open(tmp_path / "run"))["Coded"]
        sb.run(resume=tmp_path / "run", client=client)
        more = sb.load(tmp_path / "run").score("waveform_l1", client=client)
    assert more.failed.empty
    assert 0 < len(before) < len(rows_of(alone.folder)["Coded"])
    found, expected = rows_of(RunFolder.open(tmp_path / "run")), rows_of(alone.folder)
    found["Score"] = [row for row in found["Score"] if "waveform_l1" not in row]
    assert found == expected


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> list[sb.Run]:
    folder = tmp_path_factory.mktemp("shards")
    return [sb.run(**ASKED, shard=f"{n}/2", out=folder / str(n)) for n in (1, 2)]


def test_shards_that_are_merged(alone, shards, tmp_path):
    merged = sb.merge([shards[1], shards[0]], tmp_path / "merged")
    assert rows_of(merged.folder) == rows_of(alone.folder)
    assert merged.folder.run.set_sha256 == alone.folder.run.set_sha256
    assert merged.table(format="csv") == alone.table(format="csv")
    assert list(merged.folder.read(Clip)) == list(alone.folder.read(Clip))


def test_a_shard_that_is_not_there_is_named_wherever_the_numbers_are(alone, shards, tmp_path):
    notes = Notes()
    merged = sb.merge([shards[0], shards[0]], tmp_path / "part", progress=notes)
    assert any("shard 2/2" in text for text in notes.texts)
    assert "shard 2/2" in merged.table(format="markdown")
    whole = sb.merge([merged, shards[1]], tmp_path / "whole")
    assert "shard 2/2" not in whole.table(format="markdown")
    assert rows_of(whole.folder) == rows_of(alone.folder)


def test_shards_of_codecs_of_their_own(alone, shards, tmp_path):
    def parts(codecs):
        asked = {**ASKED, "codecs": codecs}
        return [sb.run(**asked, shard=f"{n}/3", out=tmp_path / f"{codecs}{n}") for n in (1, 2, 3)]

    opus, others = parts("opus@14"), parts("noise,lowpass")
    assert rows_of(sb.merge([*opus, *others], tmp_path / "merged").folder) == rows_of(alone.folder)
    notes = Notes()
    sb.merge([*opus, *others[1:]], tmp_path / "part", progress=notes)
    assert any("shard 1/3 of noise@20dB" in text for text in notes.texts)
    with pytest.raises(StoreError, match="different divisions"):
        sb.merge([opus[1], shards[1]], tmp_path / "mixed")


def test_shards_that_both_have_a_clip_must_agree_on_it(shards, tmp_path):
    again = RunFolder.create(tmp_path / "again", shards[0].folder.run, [])
    changed = None
    for kind in ROW_FILES:
        rows = list(shards[0].folder.read(kind))
        if kind is Score:
            changed, *rest = rows
            rows = [replace(changed, value=1.5), *rest]
        again.append(rows)
    with pytest.raises(StoreError, match="they disagree on"):
        sb.merge([shards[0], again.path, shards[1]], tmp_path / "merged")


def test_to_which_shard_a_clip_belongs_depends_on_its_name_alone(shards, tmp_path):
    of = {clip.id: n for n, run in enumerate(shards) for clip in run.folder.read(Clip)}
    more = sb.run(**{**ASKED, "limit": 4, "codecs": "lowpass"}, shard="2/2", out=tmp_path / "more")
    ids = {clip.id for clip in more.folder.read(Clip)}
    assert ids & of.keys() == {clip for clip, n in of.items() if n == 1}


@pytest.mark.parametrize("shard", ["4/3", "0/3", "1", "a/b", "1/0", "1/9,2/9"])
def test_a_shard_that_cannot_be(shard):
    with pytest.raises(TestSetError, match="--shard"):
        sb.run(**ASKED, shard=shard)
