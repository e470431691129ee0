from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from snacbench.errors import WeightsUnavailable
from snacbench.models import CodecModel, HostedFile, WeightsSource
from snacbench.plugins import codec_models
from snacbench.weights.locate import locate, state_of
from snacbench.weights.lock import LockedFile, record
from snacbench.weights.policy import WeightsPolicy

BODY = b"\x80weights"
DIGEST = hashlib.sha256(BODY).hexdigest()
AUTO, PUBLISHED = WeightsPolicy(), WeightsPolicy("published")
SOURCE = WeightsSource(
    "cdn", "owner/their-name", (HostedFile("model.bin", "model.bin", DIGEST, ("old.bin",)),), "v1"
)
MODEL = CodecModel("our-name", "family", (), (), lambda *_: None, SOURCE)
LYRA = codec_models()["lyra-v2"]


def with_digest(sha256: str) -> CodecModel:
    return replace(MODEL, source=replace(SOURCE, files=(HostedFile("model.bin", "m", sha256),)))


@pytest.fixture
def folder(tmp_path) -> Path:
    path = tmp_path / "weights"
    path.mkdir()
    return path


def put(path: Path, body: bytes = BODY) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(body)
    return path


def put_lyra(folder: Path) -> None:
    for file in LYRA.source.files:
        put(folder / file.name)


def test_a_codec_without_weights_has_none():
    opus = codec_models()["opus"]
    assert locate(opus, AUTO) is None
    assert state_of(opus, AUTO) == "no weights"


@pytest.mark.parametrize("policy", [AUTO, PUBLISHED, WeightsPolicy(Path("/w"))])
def test_embedded_weights_come_from_the_package_under_every_policy(policy):
    located = locate(codec_models()["snac-mini"], policy)
    assert set(located.files) == {"config.json", "model.safetensors"}
    assert all(path.is_file() for path in located.files.values())
    assert (located.info.source, located.info.origin) == ("embedded", "snacbench package")
    assert set(located.info.sha256) == set(located.files)
    assert state_of(codec_models()["snac-mini"], policy) == "embedded demonstration weights"


@pytest.mark.parametrize(
    "place", ["model.bin", "old.bin", "their-name/model.bin", "our-name/model.bin",
              "our-name/old.bin"],
)  # fmt: skip
def test_a_folder_may_be_flat_or_by_either_name(folder, place):
    path = put(folder / place)
    located = locate(MODEL, WeightsPolicy(folder))
    assert located.files == {"model.bin": path}
    assert (located.info.source, located.info.origin) == ("folder", str(folder))
    assert (located.info.revision, located.info.sha256) == ("v1", {"model.bin": DIGEST})


def test_a_file_missing_from_a_folder_names_every_place_looked_at(folder):
    text = r"no model.bin for our-name in .*weights; looked for .*their-name/model.bin, .*old.bin"
    with pytest.raises(WeightsUnavailable, match=text):
        locate(MODEL, WeightsPolicy(folder))
    assert state_of(MODEL, WeightsPolicy(folder)) == f"missing model.bin in {folder}"


@pytest.mark.parametrize(
    ("pinned", "verified"), [(DIGEST, True), (DIGEST[:8], True), ("0" * 64, False), ("", None)]
)
def test_a_local_file_is_verified_against_its_pinned_digest(folder, pinned, verified):
    put(folder / "model.bin")
    located = locate(with_digest(pinned), WeightsPolicy(folder))
    assert located.info.verified is verified
    assert located.info.sha256 == {"model.bin": DIGEST}
    assert located.info.pinned_by == ({"model.bin": "package"} if pinned else {})


@pytest.mark.parametrize(("body", "verified"), [(BODY, True), (b"\x80mine", False)])
def test_a_local_file_is_compared_with_what_was_recorded_but_never_recorded(
    folder, places, body, verified
):
    unpinned = with_digest("")
    put(folder / "model.bin", body)
    info = locate(unpinned, WeightsPolicy(folder)).info
    assert (info.verified, info.pinned_by) == (None, {})
    assert not places.lock.exists()
    record("our-name", {"model.bin": LockedFile(sha256=DIGEST, size_bytes=8, origin="x")})
    before = places.lock.read_text()
    info = locate(unpinned, WeightsPolicy(folder)).info
    assert (info.verified, info.pinned_by) == (verified, {"model.bin": "lock"})
    assert places.lock.read_text() == before


def test_a_published_model_has_no_embedded_weights():
    text = "our-name is a published model and has no embedded weights; ask for family-mini"
    with pytest.raises(WeightsUnavailable, match=text):
        locate(MODEL, WeightsPolicy("embedded"))


def test_a_model_that_only_the_user_has_says_how_to_name_its_folder():
    text = r"lyra-v2 needs models .*google/lyra.*then set SNACBENCH_LYRA_DIR=DIR or pass --weights"
    with pytest.raises(WeightsUnavailable, match=text):
        locate(LYRA, AUTO)
    assert state_of(LYRA, AUTO) == "folder not named: set SNACBENCH_LYRA_DIR"


@pytest.mark.parametrize("base", ["auto", "published", "embedded"])
def test_an_environment_variable_names_the_folder_under_every_rule(monkeypatch, folder, base):
    put_lyra(folder)
    monkeypatch.setenv("SNACBENCH_LYRA_DIR", str(folder))
    located = locate(LYRA, WeightsPolicy(base))
    assert (located.info.source, located.info.origin) == ("folder", str(folder))
    assert len(located.files) == 3
    assert state_of(LYRA, WeightsPolicy(base)) == str(folder)


def test_a_folder_given_for_the_model_beats_the_environment_variable(monkeypatch, folder, tmp_path):
    put_lyra(folder)
    monkeypatch.setenv("SNACBENCH_LYRA_DIR", str(tmp_path / "elsewhere"))
    policy = WeightsPolicy(folders={"lyra-v2": folder})
    assert locate(LYRA, policy).info.origin == str(folder)
