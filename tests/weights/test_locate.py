"""Where weights are: in the package, in folders of the user's, in caches; what is listed, read."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from snacbench.errors import WeightsMismatch, WeightsUnavailable
from snacbench.models import HostedFile, WeightsSource
from snacbench.plugins import codec_models
from snacbench.weights.locate import items, locate, state_of
from snacbench.weights.policy import WeightsPolicy
from tests.support.published_models import (
    BODY,
    DIGEST,
    NEWER,
    NEWER_DIGEST,
    lock_it,
    published,
    put,
)

AUTO = WeightsPolicy()
LYRA, OPUS, MINI = (codec_models()[name] for name in ("lyra-v2", "opus", "snac-mini"))


def test_a_codec_without_weights_has_none():
    assert locate(OPUS, AUTO) is None
    assert (state_of(OPUS, AUTO), list(items(OPUS, AUTO, read=True))) == ("no weights", [])


@pytest.mark.parametrize("base", ["auto", "published", Path("/w")])
def test_embedded_weights_come_from_the_package_under_every_policy(base):
    located = locate(MINI, policy := WeightsPolicy(base))
    assert list(located.files) == ["config.json", "model.safetensors"]
    assert all(path.is_file() for path in located.files.values())
    assert (located.info.source, located.info.origin) == ("embedded", "snacbench package")
    assert located.info.sha256.keys() == located.files.keys()
    assert state_of(MINI, policy) == "embedded demonstration weights"
    assert {(item.place, item.digest, item.wrong) for item in items(MINI, policy, read=True)} == {
        ("embedded", "", "")
    }


def test_checkpoints_of_ones_own_are_where_they_are(tmp_path):
    path = put(tmp_path / "mine.pth")
    source = WeightsSource("own", str(path), (HostedFile("mine.pth", str(path)),))
    own = replace(published(), source=source)
    (item,) = items(own, AUTO)
    assert (item.path, item.size_bytes, item.place, item.digest) == (path, len(BODY), f"{path}", "")
    located = locate(own, AUTO)
    assert located.files == {"mine.pth": path}
    assert (located.info.source, state_of(own, AUTO)) == ("own", str(path))


@pytest.mark.parametrize(
    "place", ["model.bin", "old.bin", "their-name/model.bin", "our-name/old.bin"]
)
def test_a_folder_may_be_flat_or_by_either_name(tmp_path, place):
    path, policy = put(tmp_path / "mine" / place), WeightsPolicy(tmp_path / "mine")
    located = locate(published(), policy)
    assert located.files == {"model.bin": path}
    assert (located.info.source, located.info.origin) == ("folder", str(tmp_path / "mine"))
    assert (located.info.revision, located.info.sha256) == ("v1", {"model.bin": DIGEST})
    (item,) = items(published(), policy)
    assert (item.place, item.digest) == (str(path), "unknown")


def test_what_is_not_here_says_where_it_was_looked_for_or_how_to_name_it(tmp_path):
    mine = WeightsPolicy(tmp_path)
    text = r"no model.bin for our-name in .*; looked for .*their-name/model.bin, .*old.bin"
    for model, policy, message, state in (
        (published(), mine, text, f"missing model.bin in {tmp_path}"),
        (published(), WeightsPolicy("embedded"), "no embedded weights; ask for family-mini", ""),
        (
            LYRA,
            AUTO,
            r"lyra-v2 needs models .*google/lyra.*then set SNACBENCH_LYRA_DIR=DIR or pass",
            "folder not named: set SNACBENCH_LYRA_DIR",
        ),
    ):
        with pytest.raises(WeightsUnavailable, match=message):
            locate(model, policy)
        assert state_of(model, policy) == (state or "published, not cached")
    assert {i.place for i in items(published(), mine)} == {f"not in {tmp_path}"}
    assert {i.place for i in items(LYRA, AUTO)} == {"not here: set SNACBENCH_LYRA_DIR=DIR"}


def test_an_environment_variable_names_a_folder_and_the_option_beats_it(monkeypatch, tmp_path):
    for file in LYRA.source.files:
        put(tmp_path / "lyra" / file.name)
    monkeypatch.setenv("SNACBENCH_LYRA_DIR", str(tmp_path / "lyra"))
    for policy in (AUTO, WeightsPolicy("embedded")):
        located = locate(LYRA, policy)
        assert (located.info.source, located.info.origin) == ("folder", str(tmp_path / "lyra"))
        assert len(located.files) == 3
        assert state_of(LYRA, policy) == str(tmp_path / "lyra")
    monkeypatch.setenv("SNACBENCH_LYRA_DIR", str(tmp_path / "elsewhere"))
    policy = WeightsPolicy(folders={"lyra-v2": tmp_path / "lyra"})
    assert locate(LYRA, policy).info.origin == str(tmp_path / "lyra")


@pytest.mark.parametrize(
    ("pinned", "recorded", "verified", "by"),
    [
        (DIGEST, "", True, "package"),
        (DIGEST[:8], "", True, "package"),
        ("0" * 64, "", False, "package"),
        ("", "", None, None),
        ("", DIGEST, True, "lock"),
        ("", NEWER_DIGEST, False, "lock"),
    ],
)
def test_a_local_file_is_compared_with_what_is_known_and_never_recorded(
    tmp_path, places, pinned, recorded, verified, by
):
    put(tmp_path / "mine" / "model.bin")
    if recorded:
        lock_it(recorded)
    before = places.lock.read_text() if recorded else ""
    info = locate(published(sha256=pinned), WeightsPolicy(tmp_path / "mine")).info
    assert (info.verified, info.sha256) == (verified, {"model.bin": DIGEST})
    assert info.pinned_by == ({"model.bin": by} if by else {})
    assert (places.lock.read_text() if places.lock.exists() else "") == before
    (item,) = items(published(sha256=pinned), WeightsPolicy(tmp_path / "mine"), read=True)
    assert bool(item.wrong) == (verified is False)


def test_files_are_listed_with_their_place_and_size_and_by_what_their_digest_is_known(places):
    def listed(sha256: str = "") -> list[tuple[str, int | None, str]]:
        return [(i.place, i.size_bytes, i.digest) for i in items(published(sha256=sha256), AUTO)]

    assert listed() == [("not here", None, "unknown")]
    assert listed(DIGEST[:8]) == listed(DIGEST) == [("not here", None, "pinned")]
    lock_it()
    assert listed() == [("not here", 77, "locked")]
    assert listed(DIGEST) == [("not here", 77, "pinned")]
    put(places.cdn / "model.bin")
    assert listed() == [("package cache", len(BODY), "locked")]
    assert state_of(published(), AUTO) == "published, in the package cache"
    put(places.own / "model.bin", NEWER)
    assert [place for place, *_ in listed()] == ["snacbench cache", "package cache"]


def test_every_copy_is_read_again(places):
    ours, theirs = put(places.own / "model.bin"), put(places.cdn / "model.bin", NEWER)
    assert [i.wrong for i in items(published(), AUTO, read=True)] == ["", ""]
    lock_it()
    first, second = items(published(), AUTO, read=True)
    assert (first.path, first.wrong, second.path) == (ours, "", theirs)
    assert f"has sha256 {NEWER_DIGEST}, expected {DIGEST} (recorded in" in second.wrong


def test_offline_a_file_is_found_or_an_error(host, places):
    policy = WeightsPolicy(offline=True)
    text = r"cannot get model.bin of owner/their-name \(.*run 'snacbench weights fetch our-name'"
    with pytest.raises(WeightsUnavailable, match=text):
        locate(published(), policy)
    path = put(places.own / "model.bin")
    assert locate(published(), policy).files == {"model.bin": path}
    path.write_bytes(NEWER)
    with pytest.raises(WeightsMismatch, match="delete it"):
        locate(published(), policy)
    assert host.asked == []
