from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from snacbench.errors import WeightsMismatch, WeightsUnavailable
from snacbench.models import CodecModel, HostedFile, WeightsSource
from snacbench.plugins import codec_models
from snacbench.weights.inventory import accept, items, paths, verify
from snacbench.weights.lock import LockedFile, locked_files, record
from snacbench.weights.policy import WeightsPolicy

AUTO = WeightsPolicy()
BODY, NEWER = b"\x80body", b"\x80newer"
DIGEST, NEWER_DIGEST = (hashlib.sha256(body).hexdigest() for body in (BODY, NEWER))
LYRA = codec_models()["lyra-v2"]


def model(sha256: str = "") -> CodecModel:
    source = WeightsSource("cdn", "owner/name", (HostedFile("model.bin", "model.bin", sha256),))
    return CodecModel("our-name", "family", (), (), lambda *_: None, source)


def put(path: Path, body: bytes = BODY) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(body)
    return path


def lock_it(sha256: str = DIGEST, **facts: str) -> None:
    entry = LockedFile(sha256=sha256, size_bytes=77, origin="https://host/model.bin", **facts)
    record("our-name", {"model.bin": entry})


def where(policy: WeightsPolicy = AUTO, sha256: str = "") -> tuple[int | None, str, str]:
    (item,) = items(model(sha256), policy)
    return item.size_bytes, item.place, item.digest


def test_a_file_that_is_not_here_has_the_size_that_was_recorded():
    assert where() == (None, "not here", "unknown")
    assert where(sha256=DIGEST[:8]) == (None, "not here", "pinned in part")
    assert where(sha256=DIGEST) == (None, "not here", "pinned")
    lock_it()
    assert where() == (77, "not here", "locked")
    assert where(sha256=DIGEST[:8]) == (77, "not here", "locked")
    assert where(sha256=DIGEST) == (77, "not here", "pinned")


def test_every_place_has_its_name(places, tmp_path):
    put(places.cdn / "model.bin")
    assert where() == (5, "package cache", "unknown")
    put(places.own / "model.bin", NEWER)
    assert where() == (6, "snacbench cache", "unknown")
    mine = WeightsPolicy(folders={"our-name": tmp_path / "mine"})
    assert where(mine) == (None, f"not in {tmp_path / 'mine'}", "unknown")
    path = put(tmp_path / "mine" / "model.bin", b"12")
    assert where(mine) == (2, str(path), "unknown")


def test_models_that_are_not_published(monkeypatch, tmp_path):
    assert list(items(codec_models()["opus"], AUTO)) == []
    embedded = list(items(codec_models()["snac-mini"], AUTO))
    assert [item.file for item in embedded] == ["config.json", "model.safetensors"]
    assert {item.place for item in embedded} == {"embedded"}
    assert {i.place for i in items(LYRA, AUTO)} == {"not here: set SNACBENCH_LYRA_DIR=DIR"}
    monkeypatch.setenv("SNACBENCH_LYRA_DIR", str(tmp_path))
    put(tmp_path / "quantizer.tflite")
    places = {item.file: item.place for item in items(LYRA, AUTO)}
    assert places["quantizer.tflite"] == str(tmp_path / "quantizer.tflite")
    assert places["lyragan.tflite"] == f"not in {tmp_path}"


def test_paths_are_those_of_a_run_and_nothing_is_fetched(host, places, tmp_path):
    text = r"cannot get model.bin of owner/name \(.*run 'snacbench weights fetch our-name' where"
    with pytest.raises(WeightsUnavailable, match=text):
        paths(model(), AUTO)
    path = put(places.own / "model.bin")
    assert paths(model(), AUTO) == [path]
    path.write_bytes(NEWER)
    with pytest.raises(WeightsMismatch, match="delete it"):
        paths(model(), AUTO)
    mine = put(tmp_path / "mine" / "model.bin")
    assert paths(model(), WeightsPolicy(tmp_path / "mine")) == [mine]
    assert len(paths(codec_models()["snac-mini"], AUTO)) == 2
    assert paths(codec_models()["opus"], AUTO) == []
    with pytest.raises(WeightsUnavailable, match="lyra-v2 needs models that only you can name"):
        paths(LYRA, AUTO)
    assert host.asked == []


def test_every_copy_is_read_again(places):
    assert list(verify(model(), AUTO)) == []
    ours, theirs = put(places.own / "model.bin"), put(places.cdn / "model.bin", NEWER)
    assert [v.state for v in verify(model(), AUTO)] == ["unknown", "unknown"]
    assert {v.detail for v in verify(model(), AUTO)} == {"unknown"}
    (first, _) = verify(model(DIGEST[:8]), AUTO)
    assert (first.state, first.detail) == ("ok", "pinned in part")
    lock_it()
    first, second = verify(model(), AUTO)
    assert (first.path, first.state) == (ours, "ok")
    assert first.detail == "locked"
    assert (second.path, second.state) == (theirs, "wrong")
    assert f"has sha256 {NEWER_DIGEST}, expected {DIGEST}" in second.detail
    (pinned, _) = verify(model(DIGEST), AUTO)
    assert (pinned.state, pinned.detail) == ("ok", "pinned")


def test_a_lock_file_that_contradicts_the_package_is_seen_in_the_files(places):
    put(places.own / "model.bin")
    lock_it(NEWER_DIGEST)
    (verdict,) = verify(model(DIGEST), AUTO)
    assert verdict.state == "wrong"
    assert list(items(model(DIGEST), AUTO))


def test_folders_and_embedded_models_are_read_too(places, tmp_path):
    put(places.own / "model.bin")
    lock_it()
    put(tmp_path / "mine" / "model.bin", NEWER)
    (verdict,) = verify(model(), WeightsPolicy(tmp_path / "mine"))
    assert (verdict.path, verdict.state) == (tmp_path / "mine" / "model.bin", "wrong")
    assert {v.state for v in verify(codec_models()["snac-mini"], AUTO)} == {"ok"}
    assert list(verify(codec_models()["opus"], AUTO)) == []
    assert list(verify(LYRA, AUTO)) == []


def test_accepting_records_what_is_here(places):
    lock_it(commit="c" * 40, first_seen_utc="2020")
    put(places.own / "model.bin", NEWER)
    assert accept(model()) == ["model.bin"]
    entry = locked_files("our-name")["model.bin"]
    assert (entry.sha256, entry.commit) == (NEWER_DIGEST, "")
    put(places.own / "model.bin", NEWER)
    assert accept(model()) == ["model.bin"]
    assert locked_files("our-name")["model.bin"] == entry


def test_what_the_package_pins_cannot_be_accepted_away(places):
    lock_it()
    put(places.own / "model.bin", NEWER)
    with pytest.raises(WeightsMismatch, match=r"\(pinned in this package\); delete it"):
        accept(model(DIGEST))
    assert locked_files("our-name")["model.bin"].sha256 == DIGEST


@pytest.mark.parametrize("name", ["snac-mini", "lyra-v2", "opus"])
def test_there_is_nothing_to_accept_of_models_that_are_not_published(name):
    with pytest.raises(WeightsUnavailable, match=f"{name} has no published weights to accept"):
        accept(replace(codec_models()[name]))


def test_checkpoints_of_ones_own_are_where_they_are(tmp_path):
    path = put(tmp_path / "mine.pth")
    source = WeightsSource("own", str(path), (HostedFile("mine.pth", str(path)),))
    own = replace(model(), source=source)
    (item,) = items(own, AUTO)
    assert (item.size_bytes, item.place, item.digest) == (5, str(path), "")
    (verdict,) = verify(own, AUTO)
    assert (verdict.path, verdict.state, verdict.detail) == (path, "ok", "your own")
    assert paths(own, AUTO) == [path]
