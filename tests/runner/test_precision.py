"""Precision: fp32 unless asked otherwise, and what less costs is measured."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import replace

import numpy as np
import pytest

from snacbench.errors import UserError, WeightsMismatch
from snacbench.request import Request
from snacbench.runner.calibrate import agreement, agreements
from snacbench.runner.loading import LoadedCodec, load, unload
from snacbench.runner.plan import PlannedCodec, make_plan, plan_codecs, summary_of, with_weights
from tests.conftest import broadband

torch = pytest.importorskip("torch")


def handle(name: str, **changes: object) -> PlannedCodec:
    plan = with_weights(make_plan(Request(codecs=name, weights=("embedded",), limit=1)))
    return replace(plan.codecs[0], **changes)  # type: ignore[arg-type]


def computing(precision: str) -> AbstractContextManager[None]:
    planned = replace(handle("identity"), precision=precision)  # type: ignore[arg-type]
    return LoadedCodec(None, planned, on_torch=True).computing()  # type: ignore[arg-type]


@pytest.mark.parametrize("precision", ["tf32", "fp16"])
def test_what_only_gpus_have_is_refused_on_the_cpu(precision: str) -> None:
    with pytest.raises(UserError, match=f"--precision {precision} is for GPUs; use --device cuda"):
        make_plan(Request(codecs="identity", limit=1, precision=precision))  # type: ignore[arg-type]


@pytest.mark.parametrize(("precision", "allowed"), [("fp32", False), ("tf32", True)])
def test_tf32_is_off_unless_asked_for(precision: str, allowed: bool) -> None:
    with computing(precision):
        assert torch.backends.cuda.matmul.allow_tf32 is allowed
        assert torch.backends.cudnn.allow_tf32 is allowed
    with computing("fp32"):
        assert torch.backends.cudnn.allow_tf32 is False


def test_bf16_computes_in_bf16_and_only_while_it_is_held() -> None:
    a = torch.ones(2, 2)
    with computing("bf16"):
        assert (a @ a).dtype == torch.bfloat16
    assert (a @ a).dtype == torch.float32


@pytest.mark.parametrize("name", ["snac-mini", "dac-mini@3q", "encodec-mini@3"])
def test_bf16_changes_some_codes_and_not_all(name: str) -> None:
    row = agreement(handle(name, precision="bf16"))
    assert (row.computed, row.baseline) == ("cpu bf16", "cpu fp32")
    assert row.tokens > 300
    assert row.share is not None
    assert 0.05 < row.share < 1
    assert row.snr_db is not None
    unload()


def test_the_same_precision_agrees_in_everything() -> None:
    row = agreement(handle("encodec-mini@1.5"))
    assert (row.equal, row.share, row.snr_db) == (row.tokens, 1.0, None)
    unload()


def test_codecs_without_codes_have_no_share() -> None:
    row = agreement(handle("identity"))
    assert (row.tokens, row.share, row.snr_db) == (0, None, None)


def test_comparing_the_baseline_with_itself_is_refused() -> None:
    plan = make_plan(Request(codecs="identity", limit=1))
    with pytest.raises(UserError, match="what is compared runs on the CPU in fp32"):
        list(agreements(plan))


def test_the_plan_says_what_less_precision_means() -> None:
    plan = make_plan(Request(codecs="identity", limit=1, precision="bf16"))
    assert "codes are compared with fp32's first" in summary_of(plan)["precision"]
    assert "precision" not in summary_of(make_plan(Request(codecs="identity", limit=1)))


def test_only_pytorch_codecs_take_device_precision_and_batch() -> None:
    gpu = Request("opus@24,snac-mini", device="cuda", precision="bf16", batch=4)
    opus, snac = plan_codecs(gpu)[0]
    assert (opus.device, opus.precision, opus.batch) == ("cpu", "fp32", 1)
    assert (snac.device, snac.precision, snac.batch) == ("cuda", "bf16", 4)
    assert plan_codecs(replace(gpu, batch=None))[0][1].batch is None
    assert plan_codecs(Request("snac-mini"))[0][0].batch == 1


@pytest.mark.parametrize(
    ("low", "high"),
    [("dac-mini@2q", "dac-mini@9q"), ("encodec-mini@1.5", "encodec-mini@6")],
)
def test_a_network_is_loaded_once_for_all_its_points(low: str, high: str) -> None:
    audio = broadband(0.5, 24_000)
    first = load(handle(low))
    network = first.codec.model  # type: ignore[attr-defined]
    fewer = first.codec.encode(audio)
    again = load(handle(high))
    assert again.codec.model is network  # type: ignore[attr-defined]
    assert again.codec.spec.name == handle(high).spec.name
    more = again.codec.encode(audio)
    assert len(more.codes) == len(again.codec.spec.streams) > len(fewer.codes)
    assert all(np.array_equal(a, b) for a, b in zip(fewer.codes, more.codes, strict=False))
    assert load(handle(high, precision="bf16")).codec.model is not network  # type: ignore[attr-defined]
    unload()


def test_a_point_that_the_network_does_not_have_is_refused() -> None:
    loaded = load(handle("dac-mini@2q"))
    too_deep = replace(loaded.codec.spec, settings={"codebooks": 99})
    with pytest.raises(WeightsMismatch, match="which is not dac-mini"):
        loaded.codec.at(too_deep)  # type: ignore[attr-defined]
    unload()


def test_a_worker_holds_one_codec() -> None:
    first = load(handle("identity"))
    assert load(handle("identity")) is first
    second = load(handle("noise@20dB"))
    assert load(handle("identity")) is not first
    assert second.codec.spec.name == "noise@20dB"
    unload()
    unload()
