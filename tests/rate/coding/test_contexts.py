from __future__ import annotations

import numpy as np

from snacbench.rate.coding.contexts import (
    coarser_context,
    coarser_frames,
    previous_context,
)


def test_a_parent_in_snacs_hierarchy_has_as_many_children_as_the_strides_say() -> None:
    for stride in (2, 4, 8):
        assert coarser_frames(24, 24 // stride).tolist() == [n // stride for n in range(24)]


def test_streams_of_one_rate_share_their_time() -> None:
    assert coarser_frames(5, 5).tolist() == [0, 1, 2, 3, 4]


def test_rates_that_are_no_multiples_are_aligned_by_time() -> None:
    assert coarser_frames(6, 4).tolist() == [0, 1, 1, 2, 3, 3]
    assert coarser_frames(3, 5).tolist() == [0, 2, 4]  # a finer stream that is slower
    assert coarser_frames(0, 5).tolist() == []


def test_contexts_by_channel_and_frame() -> None:
    coarse = np.array([[7, 8], [1, 2]], np.int32)
    assert coarser_context(4, 2, coarse).tolist() == [[7, 7, 8, 8], [1, 1, 2, 2]]
    assert previous_context(coarse).tolist() == [[-1, 7], [-1, 1]]


def test_without_a_coarser_stream_there_is_no_context() -> None:
    assert coarser_context(2, 1, None).tolist() == [[-1, -1]]
    assert coarser_context(2, 1, np.zeros((1, 0), np.int32)).tolist() == [[-1, -1]]
    assert coarser_context(1, 2, np.zeros((1, 3), np.int32)).tolist() == [[-1], [-1]]
