"""The honest peer of a run: a script around the packages' own code, with nothing shared.

For every operating point every clip is read, resampled, encoded and decoded by the codec's own
package, its modules as they come, and then scored by the reference metric packages. One process
for each of ``--jobs``, one thread in each. Opus has no package that encodes packet by packet; there
our adapter stands in.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
from functools import cache
from typing import Any

_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")


def main() -> None:
    """Do what the command line asks for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--codecs", required=True)
    parser.add_argument("--weights", default="embedded")
    parser.add_argument("--limit", type=int)
    parser.add_argument("--segment-s", type=float)
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    os.environ.update(dict.fromkeys(_THREADS, "1"))
    clips, points = len(_clips(options)), len(_points(options))
    tasks = [(options, point, clip) for point in range(points) for clip in range(clips)]
    with multiprocessing.get_context("spawn").Pool(options.jobs) as pool:
        scores = sum(pool.imap_unordered(_code_and_score, tasks))
    print(f"{len(tasks)} codings, {scores} scores")


@cache
def _plan(codecs: str, weights: str) -> Any:
    from snacbench.request import Request
    from snacbench.runner.plan import locate_all, plan_codecs

    planned, policy, _ = plan_codecs(Request(codecs=codecs, weights=(weights,)))
    return locate_all(planned, policy)


def _points(options: argparse.Namespace) -> Any:
    return _plan(options.codecs, options.weights)


def _clips(options: argparse.Namespace) -> tuple[Any, ...]:
    from snacbench.testsets import NAMED_SETS
    from snacbench.testsets.testset import choose

    built = NAMED_SETS["quick"].build()
    return choose(built, segment_s=options.segment_s, limit=options.limit).clips


_held: dict[str, Any] = {}  # the model that a process is at


def _network(point: Any) -> Any:
    """A model as its package makes it: neither fused nor with modules in place of its own."""
    import torch

    from snacbench.codecs import _neural

    if point.spec.model not in _held:
        _held.clear()
        torch.set_num_threads(1)
        _neural.prepare_for_inference = lambda model, device: model.eval()  # type: ignore[assignment]
        _neural.replace_modules = lambda *_: None  # type: ignore[assignment]
        _held[point.spec.model] = point.model.load(point.spec, point.weights, "cpu")
    return _held[point.spec.model]


def _code_and_score(task: tuple[argparse.Namespace, int, int]) -> int:
    from benchmarks._peers import score_all
    from snacbench.audio.io import read_clip
    from snacbench.plugins import select_metrics
    from snacbench.runner.signal_rules import codec_inputs, source_signal
    from snacbench.types import Audio

    options, index, number = task
    point, clip = _points(options)[index], _clips(options)[number]
    source = source_signal(read_clip(clip), "mono")
    (signal,), _ = codec_inputs(source, point.spec)
    codec = _network(point)
    family, settings = point.spec.family, point.spec.settings
    if family in _PACKAGES:
        samples = _PACKAGES[family](codec.model, signal, settings)
        decoded = Audio(samples[:, : signal.num_samples], signal.rate_hz)
    else:
        decoded = codec.decode(codec.encode(signal), seed=0)
    specs = [m.spec for m in select_metrics(()) if clip.domain in m.spec.domains]
    return len(score_all(source, decoded, specs))


def _dac(model: Any, signal: Any, settings: Any) -> Any:
    import torch

    with torch.inference_mode():
        batch = model.preprocess(torch.from_numpy(signal.samples.copy())[None], signal.rate_hz)
        return model.decode(model.encode(batch, settings["codebooks"])[0])[0].numpy()


def _encodec(model: Any, signal: Any, settings: Any) -> Any:
    import torch

    with torch.inference_mode():
        model.set_target_bandwidth(settings["bandwidth_kbps"])
        return model.decode(model.encode(torch.from_numpy(signal.samples.copy())[None]))[0].numpy()


def _snac(model: Any, signal: Any, settings: Any) -> Any:
    import torch

    with torch.inference_mode():
        codes = model.encode(torch.from_numpy(signal.samples.copy())[None])
        return model.decode(codes)[0].numpy()


_PACKAGES = {"dac": _dac, "encodec": _encodec, "snac": _snac}


if __name__ == "__main__":
    main()
