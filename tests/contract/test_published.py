"""Every published model name, from its host to a loaded model, at full size with random weights.

The hosts are this machine's, the files are in the true formats and sizes: what is asked, checked,
recorded and loaded is what would be with the published files, whose digests alone are replaced.
What weights mean cannot be tested without them; shapes, rates, lengths, parameter counts and
equality with the packages can. Gigabytes: run with ``-m published``."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from snacbench.files import sha256_of_file as digest
from snacbench.models import CodecModel
from snacbench.plugins import codec_models
from snacbench.rate.bits import bits_of
from snacbench.selectors import select
from snacbench.types import Codec
from snacbench.weights.locate import locate
from snacbench.weights.lock import locked_files
from snacbench.weights.policy import WeightsPolicy
from tests.conftest import broadband
from tests.support.codec_models import DAC_SHAPES, SNAC_SHAPES, batch_of, write_published
from tests.support.hosts import Host, Reply, be_alone, redirect, serve

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.published

PUBLISHED = WeightsPolicy("published")
COMMIT = "0123456789abcdef" * 2 + "01234567"
SMALLEST_MB = {"snac": 75, "dac": 250, "encodec": 55, "mimi": 380}
THROUGH_TRANSFORMERS = ["encodec-32khz", "mimi"]
OWN = [*SNAC_SHAPES, *DAC_SHAPES, "encodec-24khz", "encodec-48khz"]
NAMES = [*OWN, *THROUGH_TRANSFORMERS]


@pytest.fixture
def hosts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[tuple[Host, Host]]:
    """The three hosts, and the storage behind their redirects; caches of one's own."""
    be_alone(monkeypatch, tmp_path)
    with serve() as front, serve() as storage:
        for name in ("HF_ENDPOINT", "SNACBENCH_GITHUB_ENDPOINT", "SNACBENCH_ENCODEC_ENDPOINT"):
            monkeypatch.setenv(name, front.address)
        yield front, storage


def test_no_published_name_is_left_out() -> None:
    sources = {m.name: m.source.host for m in codec_models().values() if m.source}
    hosted = {n for n, host in sources.items() if host in ("hub", "github", "cdn")}
    assert hosted == {*NAMES, "lyra-v2"}  # whose own files other tests have


def publish(name: str, folder: Path, front: Host, storage: Host) -> Any:
    """Write a model and serve it as its host would; pinned digests become those of the files."""
    model, spec = select(name)[0]
    assert model.source is not None
    if name in THROUGH_TRANSFORMERS:
        pytest.importorskip("transformers")
        from tests.support.codec_models import network

        network(name).save_pretrained(folder)
    else:
        write_published(name, folder)
    written, files = {}, []
    for file in model.source.files:
        names = (file.name, *file.aliases)
        path = next(folder / n for n in names if (folder / n).is_file())
        written[file.name] = path
        files.append(replace(file, sha256=digest(path)[: len(file.sha256)]))
        if model.source.host == "cdn":
            front.replies[f"/{file.url_path}"] = Reply(path)
            continue
        storage.replies[f"/{file.url_path}"] = Reply(path, ranges=True)
        answer = redirect(f"{storage.address}/{file.url_path}?signature=1")
        if model.source.host == "github":
            front.replies[f"/{file.url_path}"] = answer
            continue
        if path.suffix == ".json":
            answer = Reply(path)
        else:
            answer.headers["X-Linked-Etag"] = f'"{digest(path)}"'
            answer.headers["X-Linked-Size"] = str(path.stat().st_size)
        answer.headers["X-Repo-Commit"] = COMMIT
        for revision in ("main", COMMIT):
            front.replies[f"/{model.source.repository}/resolve/{revision}/{file.url_path}"] = answer
    return replace(model, source=replace(model.source, files=tuple(files))), spec, written


@pytest.mark.parametrize("name", NAMES)
def test_from_the_host_to_a_loaded_model(name, hosts, tmp_path, monkeypatch):
    (tmp_path / "published").mkdir()
    model, spec, written = publish(name, tmp_path / "published", *hosts)
    assert model.source is not None
    located = locate(model, PUBLISHED)
    assert located is not None
    assert sum(p.stat().st_size for p in written.values()) > SMALLEST_MB[model.family] * 1e6
    for file, path in written.items():
        assert digest(located.files[file]) == digest(path) == located.info.sha256[file]
    pinned = {file.name for file in model.source.files if file.sha256}
    by = {file: "package" if file in pinned else "first use" for file in written}
    assert located.info.pinned_by == by
    assert {n: e.sha256 for n, e in locked_files(name).items()} == located.info.sha256
    assert (len(located.info.revision) == 40) == (model.source.host == "hub")

    codec = model.load(spec, located, "cpu")
    audio = broadband(0.3, spec.rate_hz or 0, channels=max(spec.channels))
    decoded = codec.decode(codec.encode(audio), seed=0)
    assert decoded.samples.shape == audio.samples.shape
    assert np.isfinite(decoded.samples).all()

    monkeypatch.setenv("SNACBENCH_OFFLINE", "1")
    asked = len(hosts[0].asked)
    again = locate(model, PUBLISHED)
    assert again is not None
    assert (again.files, again.info.sha256) == (located.files, located.info.sha256)
    assert (again.info.revision, again.info.verified) == (located.info.revision, True)
    assert "first use" not in again.info.pinned_by.values()
    assert len(hosts[0].asked) == asked


# ------------------------------------------------------------ as the packages compute
@pytest.fixture(params=OWN, scope="module")
def published(request: Any, tmp_path_factory: Any) -> tuple[CodecModel, Codec, Any]:
    folder = tmp_path_factory.mktemp(request.param)
    package = write_published(request.param, folder)
    model, spec = select(request.param)[0]
    codec = model.load(spec, locate(model, WeightsPolicy(folder)), "cpu")
    return model, codec, package


def test_codes_of_lower_points_are_cut_from_those_of_the_highest(published):
    model, codec, _ = published
    audio = broadband(1.013, codec.spec.rate_hz or 0, channels=max(codec.spec.channels))
    full, points = codec.at(model.points[-1]).encode(audio), model.points[:-1]  # type: ignore[attr-defined]
    for point in points[:: max(1, len(points) // 4)]:
        codes = codec.at(point).encode(audio)  # type: ignore[attr-defined]
        assert codes.side_info == full.side_info
        for ours, deepest in zip(codes.codes, full.codes, strict=False):
            assert np.array_equal(ours, deepest)


def test_rates_codes_audio_and_sizes_are_the_packages(published):
    model, codec, package = published
    audio = broadband(1.013, codec.spec.rate_hz or 0, channels=max(codec.spec.channels))
    encoded = codec.encode(audio)
    kbps = bits_of(encoded, codec.spec).total / audio.duration_s / 1000
    assert codec.spec.nominal_kbps is not None
    assert codec.spec.nominal_kbps <= kbps < 1.4 * codec.spec.nominal_kbps
    batch = batch_of(audio)
    with torch.inference_mode():
        if model.family == "encodec":
            package.set_target_bandwidth(codec.spec.settings["bandwidth_kbps"])
            expected = package(batch)
            codes = torch.cat([c for c, _ in package.encode(batch)], -1)[0]
        elif model.family == "dac":
            padded = package.preprocess(batch, codec.spec.rate_hz)
            codes = package.encode(padded)[1][0]
            expected = package.decode(package.quantizer.from_codes(codes[None])[0])
        else:
            levels = package.encode(batch)
            codes = torch.cat(levels, dim=-1)
            torch.manual_seed(5)
            expected = package.decode(levels)
    axis = 1 if model.family == "snac" else 0
    assert np.array_equal(np.concatenate(encoded.codes, axis=axis), codes.numpy())
    decoded = codec.decode(encoded, seed=5)
    assert decoded.samples.shape == audio.samples.shape
    assert np.array_equal(decoded.samples, codec.decode(encoded, seed=5).samples)
    n = min(expected.shape[-1], audio.num_samples)
    assert np.array_equal(decoded.samples[:, :n], expected[0, :, :n].numpy())
    counted = sum(p.numel() for p in package.parameters())
    counted += sum(b.numel() for name, b in package.named_buffers() if name.endswith("embed"))
    if codec.spec.params_m is not None:
        assert counted / 1e6 == pytest.approx(codec.spec.params_m, abs=0.06)
