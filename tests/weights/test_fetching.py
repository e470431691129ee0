from __future__ import annotations

import hashlib
import io
import json
import pickle
import re
import struct
import zipfile
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from snacbench.errors import WeightsMismatch, WeightsUnavailable
from snacbench.models import CodecModel, HostedFile, LocatedWeights, WeightsSource
from snacbench.progress import Notes
from snacbench.weights.locate import damage, locate
from snacbench.weights.lock import locked_files
from snacbench.weights.policy import WeightsPolicy
from tests.support.hosts import ENDPOINTS, Host, Reply

BODY, NEWER = b"\x80" + bytes(range(256)) * 1000, b"\x80newer"
DIGEST, NEWER_DIGEST = (hashlib.sha256(body).hexdigest() for body in (BODY, NEWER))
COMMIT, LATER = "0123456789abcdef" * 2 + "01234567", "f" * 40


def model(host: str = "cdn", sha256: str = "") -> CodecModel:
    file = HostedFile("model.bin", "a/model.bin", sha256)
    source = WeightsSource(host, "owner/name", (file,), revision="v1")
    return CodecModel("our-name", "family", (), (), lambda *_: None, source)


def hub_model(sha256: str = "") -> CodecModel:
    files = (HostedFile("config.json", "config.json"), HostedFile("w.bin", "w.bin", sha256))
    source = WeightsSource("hub", "owner/name", files)
    return replace(model(), source=source)


def obtain(model: CodecModel, progress: Notes | None = None) -> LocatedWeights:
    located = locate(model, WeightsPolicy("published"), progress)
    assert located is not None
    return located


def put(path: Path, body: bytes = BODY) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(body)
    return path


# ---------------------------------------------------------------------------- the plain hosts


@pytest.mark.parametrize("kind", ["cdn", "github"])
def test_a_file_is_fetched_once_into_our_own_cache_and_recorded(all_hosts, places, kind):
    all_hosts.replies["/a/model.bin"] = Reply(BODY)
    first = obtain(model(kind))
    assert first.files == {"model.bin": places.own / "model.bin"}
    assert first.files["model.bin"].read_bytes() == BODY
    assert (first.info.source, first.info.origin, first.info.revision) == (
        "published", "owner/name", "v1",
    )  # fmt: skip
    assert (first.info.verified, first.info.pinned_by) == (None, {"model.bin": "first use"})
    entry = locked_files("our-name")["model.bin"]
    assert (entry.sha256, entry.size_bytes, entry.commit) == (DIGEST, len(BODY), "")
    assert entry.origin == f"{all_hosts.address}/a/model.bin"
    again = obtain(model(kind))
    assert again.files == first.files
    assert (again.info.verified, again.info.pinned_by) == (True, {"model.bin": "lock"})
    assert all_hosts.asked == ["GET /a/model.bin"]


@pytest.mark.parametrize("digits", [8, 64])
def test_a_pinned_digest_is_recorded_in_full_too(all_hosts, digits):
    all_hosts.replies["/a/model.bin"] = Reply(BODY)
    info = obtain(model(sha256=DIGEST[:digits])).info
    assert (info.verified, info.pinned_by) == (True, {"model.bin": "package"})
    assert locked_files("our-name")["model.bin"].sha256 == DIGEST


def test_what_comes_must_have_its_pinned_digest(all_hosts, places):
    all_hosts.replies["/a/model.bin"] = Reply(BODY)
    text = (
        f"/a/model.bin has sha256 {DIGEST}, expected {'0' * 64}; the file was not kept "
        r"\(pinned in this package\)$"
    )
    with pytest.raises(WeightsMismatch, match=text):
        obtain(model(sha256="0" * 64))
    assert list(places.own.iterdir()) == []
    assert locked_files("our-name") == {}


def test_what_comes_must_be_what_was_recorded_and_the_message_says_what_to_do(all_hosts, places):
    all_hosts.replies["/a/model.bin"] = [Reply(BODY), Reply(NEWER)]
    obtain(model())
    (places.own / "model.bin").unlink()
    text = (
        rf"/a/model.bin has sha256 {NEWER_DIGEST}, expected {DIGEST}; the file was not kept "
        r"\(recorded in .*weights.lock on 20.*\); if the publisher really changed it, accept the "
        "new one by 'snacbench weights verify --accept our-name' and fetch again$"
    )
    with pytest.raises(WeightsMismatch, match=text):
        obtain(model())
    assert list(places.own.iterdir()) == []


@pytest.mark.parametrize(
    ("pinned", "text"),
    [
        ("", r"\(recorded in .*\); delete it, so that it is fetched again; if the publisher"),
        (DIGEST[:8], r"\(recorded in .*\); delete it, so that it is fetched again; if the"),
        (DIGEST, r"\(pinned in this package\); delete it, so that it is fetched again$"),
    ],
)  # fmt: skip
def test_a_file_in_our_cache_that_changed_is_an_error(all_hosts, places, pinned, text):
    all_hosts.replies["/a/model.bin"] = Reply(BODY)
    obtain(model(sha256=pinned))
    put(places.own / "model.bin", NEWER)
    expected = f"our-name/model.bin has sha256 {NEWER_DIGEST}, expected {DIGEST} {text}"
    with pytest.raises(WeightsMismatch, match=expected):
        obtain(model(sha256=pinned))


def test_a_cache_that_was_copied_here_is_used_and_recorded(places):
    path = put(places.own / "model.bin")
    located = obtain(model())
    assert located.info.pinned_by == {"model.bin": "first use"}
    assert locked_files("our-name")["model.bin"].origin == path.as_uri()


def test_a_page_in_place_of_a_file_is_not_recorded(all_hosts, places):
    all_hosts.replies["/a/model.bin"] = Reply(b"<html>Please sign in</html>")
    text = "what came from .*/a/model.bin is no PyTorch file; it was not kept. Something between"
    with pytest.raises(WeightsMismatch, match=text):
        obtain(model())
    assert list(places.own.iterdir()) == []
    assert locked_files("our-name") == {}


# ---------------------------------------------------------------------- the packages' own caches


@pytest.mark.parametrize("kind", ["cdn", "github"])
def test_a_copy_in_the_packages_cache_is_used(host, places, kind):
    path = put(getattr(places, kind) / "model.bin")
    located = obtain(model(kind))
    assert located.files == {"model.bin": path}
    assert locked_files("our-name")["model.bin"].origin == path.as_uri()
    assert obtain(model(kind)).info.verified is True
    assert host.asked == []


@pytest.mark.parametrize(
    ("pinned", "body", "text"),
    [
        (
            DIGEST,
            b"cut off",
            r"has sha256 .*, expected .* \(pinned in this package\); it is not us",
        ),
        ("", b"PK\x03\x04cut off", "breaks off; it is not used"),
    ],
    ids=["another digest", "broken off"],
)
def test_a_bad_copy_in_the_packages_cache_is_reported_and_ours_fetched(
    all_hosts, places, pinned, body, text
):
    bad = put(places.github / "model.bin", body)
    all_hosts.replies["/a/model.bin"] = Reply(BODY)
    shown = Notes()
    located = obtain(model("github", pinned), shown)
    assert located.files == {"model.bin": places.own / "model.bin"}
    assert len(shown.texts) == 1
    assert shown.texts[0].startswith(str(bad))
    assert re.search(text, shown.texts[0])
    assert bad.read_bytes() == body


# ------------------------------------------------------------------------------------- the hub


def on_the_hub(
    host: Host, bodies: dict[str, bytes], commit: str = COMMIT, *, branch: bool = True
) -> None:
    """Files as the hub serves them: large ones by a redirect, of which it tells the digest."""
    # Under another name: the hub's client follows redirects within one host by itself.
    storage = f"{host.address.replace('127.0.0.1', 'localhost')}/storage"
    for name, body in bodies.items():
        facts = {"X-Repo-Commit": commit}
        if not name.endswith(".json"):
            facts |= {"X-Linked-Etag": f'"{hashlib.sha256(body).hexdigest()}"'}
            facts |= {"X-Linked-Size": str(len(body)), "Location": f"{storage}/{commit}/{name}"}
        status = 302 if "Location" in facts else 200
        content = b"" if "Location" in facts else body
        for revision in (commit, "main") if branch else (commit,):
            path = f"/owner/name/resolve/{revision}/{name}"
            host.replies[path] = Reply(content, status=status, headers=facts)
        host.replies[f"/storage/{commit}/{name}"] = Reply(body)


FILES = {"config.json": b'{"rate": 1}', "w.bin": BODY}


def test_the_hubs_files_come_of_one_commit_which_is_recorded(all_hosts, places):
    on_the_hub(all_hosts, FILES)
    located = obtain(hub_model())
    assert {name: path.read_bytes() for name, path in located.files.items()} == FILES
    assert located.info.revision == COMMIT
    assert {e.commit for e in locked_files("our-name").values()} == {COMMIT}
    base = f"/owner/name/resolve/{COMMIT}"
    assert all_hosts.asked == [
        "HEAD /owner/name/resolve/main/config.json", f"GET {base}/config.json",
        f"HEAD {base}/w.bin", f"GET {base}/w.bin", f"GET /storage/{COMMIT}/w.bin",
    ]  # fmt: skip
    assert obtain(hub_model()).info.revision == COMMIT


def test_after_the_branch_has_moved_on_the_recorded_commit_is_fetched(all_hosts, places):
    on_the_hub(all_hosts, FILES)
    obtain(hub_model())
    (places.own / "w.bin").unlink()
    on_the_hub(all_hosts, {"config.json": b"{}", "w.bin": NEWER}, LATER)
    assert obtain(hub_model()).files["w.bin"].read_bytes() == BODY


def test_what_the_hub_tells_of_another_file_is_enough_not_to_fetch_it(all_hosts):
    on_the_hub(all_hosts, FILES)
    text = f"w.bin has sha256 {DIGEST}, expected {'0' * 64}; the file was not fetched"
    with pytest.raises(WeightsMismatch, match=text):
        obtain(hub_model("0" * 64))
    assert not [asked for asked in all_hosts.asked if asked.startswith("GET /storage")]


def test_storage_that_has_not_what_the_hub_says_is_found_out(all_hosts):
    on_the_hub(all_hosts, FILES)
    all_hosts.replies[f"/storage/{COMMIT}/w.bin"] = Reply(BODY[::-1])
    with pytest.raises(WeightsMismatch, match=f"expected {DIGEST}; the file was not kept"):
        obtain(hub_model())
    all_hosts.replies[f"/storage/{COMMIT}/w.bin"] = Reply(BODY[:10])
    with pytest.raises(WeightsMismatch, match=f"has 10 bytes, expected {len(BODY)}"):
        obtain(hub_model())


def test_the_users_token_is_sent_to_the_hub_alone(all_hosts, monkeypatch):
    on_the_hub(all_hosts, FILES)
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    obtain(hub_model())
    seen = [
        (path.split()[1][:9], h.get("authorization"))
        for path, h in zip(all_hosts.asked, all_hosts.headers, strict=True)
    ]
    assert set(seen) == {("/owner/na", "Bearer hf_secret"), ("/storage/", None)}


def test_a_busy_hub_is_asked_again(all_hosts):
    on_the_hub(all_hosts, FILES)
    path = "/owner/name/resolve/main/config.json"
    all_hosts.replies[path] = [Reply(status=503), all_hosts.replies[path]]
    assert obtain(hub_model()).info.revision == COMMIT
    assert all_hosts.asked[:2] == [f"HEAD {path}"] * 2


def test_a_mirror_need_not_know_a_recorded_commit_nor_tell_of_any(all_hosts, places):
    on_the_hub(all_hosts, FILES)
    obtain(hub_model())
    (places.own / "w.bin").unlink()
    all_hosts.replies.clear()
    all_hosts.replies["/owner/name/resolve/main/w.bin"] = Reply(BODY)
    assert obtain(hub_model()).files["w.bin"].read_bytes() == BODY


def hub_cache(places: SimpleNamespace, bodies: dict[str, bytes], blobs: dict[str, str]) -> Path:
    """The layout that the hub's own client leaves."""
    repository = places.hub / "models--owner--name"
    put(repository / "refs" / "main", COMMIT.encode())
    snapshot = repository / "snapshots" / COMMIT
    snapshot.mkdir(parents=True)
    for name, body in bodies.items():
        blob = put(repository / "blobs" / blobs[name], body)
        (snapshot / name).symlink_to(blob)
    return snapshot


def test_the_hubs_own_cache_is_used_without_asking(host, places):
    snapshot = hub_cache(places, FILES, {"config.json": "9" * 40, "w.bin": DIGEST})
    located = obtain(hub_model())
    assert located.files == {name: snapshot / name for name in FILES}
    assert located.info.revision == COMMIT
    assert locked_files("our-name")["w.bin"].commit == COMMIT
    assert host.asked == []


def test_a_file_that_the_hubs_cache_itself_says_is_another_is_passed_over(all_hosts, places):
    hub_cache(places, {**FILES, "w.bin": NEWER}, {"config.json": "9" * 40, "w.bin": DIGEST})
    on_the_hub(all_hosts, FILES, branch=False)
    shown = Notes()
    located = obtain(hub_model(), shown)
    assert f"has sha256 {NEWER_DIGEST}, expected {DIGEST} (as its cache says)" in shown.texts[0]
    assert located.files["w.bin"] == places.own / "w.bin"
    assert located.info.revision == COMMIT


# ---------------------------------------------------------------------------- what is not to be had

OTHERWISE = "or pass --weights DIR with a local copy, or --weights embedded for the demonstration"


@pytest.mark.parametrize("kind", ["cdn", "hub"])
@pytest.mark.parametrize(
    ("fault", "text"),
    [
        ("silent", r"no connection \(.*\); connect to a network"),
        (404, r"404 Not Found\); look whether it has moved"),
        (403, r"403 .*\); if it must be applied for at http\S+/owner/name, do so and set HF_TOKEN"),
        ("offline", r"offline.*\); run 'snacbench weights fetch our-name' where there is a net.*"
                    r"and copy \S+/weights and \S+lock here"),
    ],
)  # fmt: skip
def test_a_file_that_is_not_to_be_had_gives_one_clear_sentence(
    host, monkeypatch, silent_address, kind, fault, text
):
    for name in ENDPOINTS:
        monkeypatch.setenv(name, silent_address if fault == "silent" else host.address)
    if fault == "offline":
        monkeypatch.setenv("SNACBENCH_OFFLINE", "1")
    for path in ("/a/model.bin", "/owner/name/resolve/v1/a/model.bin"):
        host.replies[path] = Reply(status=fault if isinstance(fault, int) else 200)
    text = rf"^cannot get model.bin of owner/name \(.*{text}, {OTHERWISE}"
    with pytest.raises(WeightsUnavailable, match=text):
        obtain(model(kind))
    assert bool(host.asked) == isinstance(fault, int)


def test_a_cache_that_cannot_be_written_is_not_blamed_on_the_network(all_hosts, tmp_path):
    (tmp_path / "cache").write_text("a file where the cache should be")
    text = (
        r"cannot keep model.bin in .*cache/weights/our-name \(.*\); check its permissions, or set"
    )
    with pytest.raises(WeightsUnavailable, match=text):
        obtain(model())


def test_a_lock_file_of_a_group_is_obeyed(all_hosts, monkeypatch, tmp_path):
    all_hosts.replies["/a/model.bin"] = Reply(BODY)
    shared = tmp_path / "group.lock"
    entry = {"sha256": NEWER_DIGEST, "size_bytes": 1, "origin": "x", "first_seen_utc": "2024"}
    shared.write_text(json.dumps({"version": 1, "models": {"our-name": {"model.bin": entry}}}))
    monkeypatch.setenv("SNACBENCH_WEIGHTS_LOCK", str(shared))
    with pytest.raises(WeightsMismatch, match=rf"recorded in {shared} on 2024\)"):
        obtain(model())


# ------------------------------------------------------------------------------- damaged files


def zipped() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("data.pkl", b"x" * 5000)
    return buffer.getvalue()


def tensors(size: int = 16) -> bytes:
    header = json.dumps({"w": {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}}).encode()
    return struct.pack("<Q", len(header)) + header + b"\0" * size


PAGE = b"<html>Please sign in</html>"


@pytest.mark.parametrize(
    ("name", "body", "said"),
    [
        ("a.pth", zipped(), ""),
        ("a.th", pickle.dumps({"w": 1}), ""),
        ("a.bin", b"", "is empty"),
        ("a.pth", zipped()[:3000], "breaks off"),
        ("a.th", PAGE, "is no PyTorch file"),
        ("a.json", b'{"a": 1}', ""),
        ("a.json", b'{"a": ', "is no JSON"),
        ("a.json", PAGE, "is no JSON"),
        ("a.safetensors", tensors(), ""),
        ("a.safetensors", tensors(10), "is no whole safetensors"),
        ("a.safetensors", tensors()[:20], "is no whole safetensors"),
        ("a.tflite", PAGE, ""),
    ],
)
def test_what_a_files_own_format_tells(tmp_path: Path, name: str, body: bytes, said: str) -> None:
    path = tmp_path / name
    path.write_bytes(body)
    assert damage(path).startswith(said) if said else damage(path) == ""


def test_real_files_are_whole(tmp_path: Path) -> None:
    import torch
    from safetensors.torch import save_file

    state = {"w": torch.zeros(3, 5), "b": torch.zeros(0)}
    torch.save(state, tmp_path / "zip.pth")
    torch.save(state, tmp_path / "legacy.th", _use_new_zipfile_serialization=False)
    save_file(state, tmp_path / "model.safetensors", metadata={"format": "pt"})
    assert [damage(path) for path in sorted(tmp_path.iterdir())] == ["", "", ""]
