"""PESQ: predicted mean opinion score of speech, wideband and narrowband.

ITU-T P.862 (2001) with the mappings to MOS-LQO of P.862.1 (narrowband) and P.862.2
(wideband), computed by ITU's own C code in the package ``pesq``. That takes both signals at once,
so that nothing of the reference is kept but the signal.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from snacbench.errors import Undefined
from snacbench.metrics._guards import guarded, versions_of
from snacbench.types import Audio, MetricSpec

MIN_DURATION_S = 0.25
# The C code has room for 50 utterances and does not check: more overwrite its memory and end
# the process. An utterance and the pause after it are more than 0.2 s each, so that this
# duration cannot hold 51.
MAX_DURATION_S = 20.0

WIDEBAND = MetricSpec(
    name="pesq_wb", unit="MOS-LQO", better="higher", range=(1.0, 4.644), rate_hz=16_000,
    domains=("speech",), citation="ITU-T P.862.2 (2007), before Corrigendum 2",
    implementation="pesq", requires=("pesq",), ladder=("noise", "low-pass", "clipping"),
)  # fmt: skip
NARROWBAND = replace(
    WIDEBAND, name="pesq_nb", range=(1.0, 4.549), rate_hz=8_000,
    citation="ITU-T P.862 (2001) and P.862.1 (2003)", default=False,
    # What a low-pass above 3.4 kHz takes away, a telephone never had.
    ladder=("noise", "clipping"),
)  # fmt: skip


def _prepare(reference: Audio, mode: str) -> Callable[[Audio], float]:
    if reference.duration_s > MAX_DURATION_S:
        raise Undefined(
            f"too long: the reference lasts {reference.duration_s:.3f} s, at most "
            f"{MAX_DURATION_S:.3f} s are possible; score it in segments"
        )

    def compare(degraded: Audio) -> float:
        import pesq

        x, y = reference.samples[0], degraded.samples[0]
        try:
            return float(pesq.pesq(reference.rate_hz, x, y, mode))
        except pesq.NoUtterancesError as error:
            raise Undefined(
                "PESQ finds no utterance that both signals hold; at least 0.2 s of speech are "
                "needed"
            ) from error
        except (pesq.PesqError, ValueError) as error:
            raise Undefined(f"PESQ has no score for this pair: {error}") from error

    return compare


METRICS = tuple(
    guarded(spec, partial(_prepare, mode=mode), versions_of("pesq"), min_s=MIN_DURATION_S)
    for spec, mode in ((WIDEBAND, "wb"), (NARROWBAND, "nb"))
)
