"""Batch sizes by what is known of memory."""

from __future__ import annotations

import math

import pytest

from snacbench.runner.loading import (
    MAX_BATCH,
    BatchLimit,
    CudaMemory,
    DeviceMemory,
    is_out_of_memory,
)
from tests.runner.toys import FakeMemory


def test_one_at_a_time_as_long_as_nothing_is_known() -> None:
    assert BatchLimit(FakeMemory()).size(10_000, None) == 1


def test_as_many_as_fit_into_four_fifths_of_what_is_free() -> None:
    memory = FakeMemory(free=10e6)
    limit = BatchLimit(memory)
    memory.taken = 1e6
    limit.learn(10_000)  # 100 bytes per sample
    assert limit.size(10_000, None) == 8
    assert limit.size(40_000, None) == 2
    assert limit.size(1_000_000, None) == 1
    memory.free = 1e12
    assert limit.size(10_000, None) == MAX_BATCH


def test_what_was_asked_for_is_what_is_tried() -> None:
    assert BatchLimit(FakeMemory(free=1.0)).size(10_000, 5) == 5


@pytest.mark.parametrize("asked", [None, 32])
def test_half_of_what_did_not_fit_is_the_most_from_then_on(asked: int | None) -> None:
    memory = FakeMemory()
    limit = BatchLimit(memory)
    limit.learn(1000)
    limit.failed(32 * 1000)
    assert limit.size(1000, asked) == 16
    assert limit.size(4000, asked) == 4
    limit.failed(4 * 4000)
    assert limit.size(1000, asked) == 8
    assert limit.size(1_000_000, asked) == 1
    assert memory.released == 2


def test_the_memory_of_the_computer_is_not_measured() -> None:
    memory = DeviceMemory()
    memory.begin()
    memory.release()
    assert (memory.free_bytes(), memory.taken_bytes()) == (math.inf, 0.0)


def test_out_of_memory_is_known_by_its_name() -> None:
    torch = pytest.importorskip("torch")
    assert is_out_of_memory(torch.cuda.OutOfMemoryError("..."))
    assert is_out_of_memory(RuntimeError("CUDA out of memory. Tried to allocate"))
    assert not is_out_of_memory(RuntimeError("shapes differ"))


def test_memory_of_a_gpu_is_what_is_left_and_what_pytorch_holds_in_reserve(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    torch = pytest.importorskip("torch")
    state = {"allocated": 100, "reserved": 300, "peak": 100, "released": 0}
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda: (1000, 5000))
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda: state["reserved"])
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda: state["allocated"])
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda: state["peak"])
    monkeypatch.setattr(torch.cuda, "reset_peak_memory_stats", lambda: state.update(peak=100))
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: state.update(released=1))
    memory = CudaMemory()
    assert memory.free_bytes() == 1200
    state["peak"] = 9999
    memory.begin()
    assert memory.taken_bytes() == 0
    state["peak"] = 700
    assert memory.taken_bytes() == 600
    memory.release()
    assert state["released"] == 1


@pytest.mark.gpu
def test_a_batch_that_takes_memory_is_seen_to_take_it() -> None:
    torch = pytest.importorskip("torch")
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    memory = CudaMemory()
    memory.begin()
    kept = torch.zeros(1 << 20, device="cuda")
    assert memory.taken_bytes() >= kept.numel() * 4
    assert memory.free_bytes() > 0
