"""Where weights are: in the package, in folders of the user's, in caches; what is listed, read."""

from dataclasses import replace
from pathlib import Path

import pytest

from snacbench.errors import WeightsUnavailable
from snacbench.models import HostedFile, WeightsSource
from snacbench.plugins import codec_models
from snacbench.weights.locate import locate
from snacbench.weights.policy import WeightsPolicy, copies, state_of
from tests.support.published_models import DIGEST, NEWER, NEWER_DIGEST, lock_it, published, put

AUTO = WeightsPolicy()
LYRA, OPUS, MINI = (codec_models()[name] for name in ("lyra-v2", "opus", "snac-mini"))


@pytest.mark.parametrize("base", ["auto", "published", Path("/w")])
def test_embedded_weights_come_from_the_package_under_every_policy(base):
    located = locate(MINI, policy := WeightsPolicy(base))
    assert list(located.files) == ["config.json", "model.safetensors"]
    assert all(path.is_file() for path in located.files.values())
    assert (located.info.source, located.info.origin) == ("embedded", "snacbench package")
    assert located.info.sha256.keys() == located.files.keys()
    assert state_of(MINI, policy) == "embedded demonstration weights"


def test_checkpoints_of_ones_own_are_where_they_are(tmp_path):
    path = put(tmp_path / "mine.pth")
    source = WeightsSource("own", str(path), (HostedFile("mine.pth", str(path)),))
    own = replace(published(), source=source)
    located = locate(own, AUTO)
    assert located.files == {"mine.pth": path}
    assert (located.info.source, state_of(own, AUTO)) == ("own", str(path))


def test_what_is_not_here_says_where_it_was_looked_for_or_how_to_name_it(tmp_path):
    mine = WeightsPolicy(tmp_path)
    text = r"no model.bin for our-name in .*; looked for .*their-name/model.bin, .*old.bin"
    for model, policy, message, state in (
        (published(), mine, text, f"missing model.bin in {tmp_path}"),
        (published(), WeightsPolicy("embedded"), r"no embedded weights; ask for .*snac-mini", ""),
    ):
        with pytest.raises(WeightsUnavailable, match=message):
            locate(model, policy)
        assert state_of(model, policy) == (state or "published, not cached")


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


@pytest.mark.parametrize(("place", "pinned", "recorded", "verified", "by"), [
    ("model.bin", DIGEST, "", True, "package"),
    ("old.bin", DIGEST[:8], "", True, "package"),
    ("their-name/model.bin", "0" * 64, "", False, "package"),
    ("our-name/old.bin", "", "", None, None),
    ("model.bin", "", DIGEST, True, "lock"),
    ("model.bin", "", NEWER_DIGEST, False, "lock"),
])  # fmt: skip
def test_a_folder_is_flat_or_by_either_name_and_compared_with_what_is_known_never_recorded(
        tmp_path, places, place, pinned, recorded, verified, by):  # fmt: skip
    path, policy = put(tmp_path / "mine" / place), WeightsPolicy(tmp_path / "mine")
    if recorded:
        lock_it(recorded)
    before = places.lock.read_text() if recorded else ""
    located = locate(published(sha256=pinned), policy)
    assert (located.files, located.info.revision) == ({"model.bin": path}, "v1")
    assert (located.info.source, located.info.origin) == ("folder", str(tmp_path / "mine"))
    assert (located.info.verified, located.info.sha256) == (verified, {"model.bin": DIGEST})
    assert located.info.pinned_by == ({"model.bin": by} if by else {})
    assert (places.lock.read_text() if places.lock.exists() else "") == before


def test_every_copy_is_found_and_ours_is_used(host, places):
    def found() -> list[tuple[str, Path]]:
        (file,) = published().source.files
        return [(copy.place, copy.path) for copy in copies(published(), file, AUTO)]

    offline = WeightsPolicy(offline=True)
    assert found() == []
    with pytest.raises(WeightsUnavailable, match=r"cannot get model.bin of owner"):
        locate(published(), offline)
    lock_it()
    other = put(places.cdn / "model.bin", NEWER)
    assert state_of(published(), AUTO) == "published, in the package cache"
    ours = put(places.own / "model.bin")
    assert found() == [("snacbench cache", ours), ("package cache", other)]
    assert locate(published(), offline).files == {"model.bin": ours}
    assert host.asked == []
    assert (state_of(OPUS, AUTO), locate(OPUS, AUTO)) == ("no weights", None)
