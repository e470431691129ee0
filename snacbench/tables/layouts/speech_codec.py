"""The table of papers on speech codecs: rate, tokens, PESQ, STOI, UTMOS, speaker similarity, WER.

Usually on LibriSpeech test-clean. Each column is one metric: similarity by another network, which
has other values, gets a column of its own where a run has it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from snacbench.tables.layouts import parts as p
from snacbench.tables.run_rows import RunRows

_SIM, _USUAL = "speaker_sim_", "speaker_sim_wavlm_large"


def _parts(runs: Sequence[RunRows]) -> Iterator[p.Part]:
    yield from (p.KBPS, p.TOKENS)
    yield p.Measure("PESQ-WB", ("pesq_wb",))
    yield p.Measure("PESQ-NB", ("pesq_nb",))
    yield p.Measure("STOI", ("stoi",), digits=3)
    yield p.Measure("UTMOS", ("utmos",))
    yield p.Measure("SIM", (_USUAL,), digits=3)
    scored = dict.fromkeys(metric for rows in runs for metric in rows.metrics)
    for metric in scored:
        if metric.startswith(_SIM) and metric != _USUAL:
            yield p.Measure(f"SIM {metric.removeprefix(_SIM)}", (metric,), digits=3)
    yield p.Measure("WER", ("wer",), digits=4)


LAYOUTS = (
    p.Layout(
        name="speech-codec",
        title="Speech codecs",
        parts=lambda runs: tuple(_parts(runs)),
        by="domain",
        domains=("speech", "unknown"),
    ),
)
