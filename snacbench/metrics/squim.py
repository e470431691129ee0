"""SQUIM: estimates of STOI, PESQ and SI-SDR from the degraded signal alone.

A network trained on speech of the DNS Challenge 2020 to say what the three would be if there were
a reference (Kumar et al.: "TorchAudio-Squim", ICASSP 2023, arXiv 2304.01448). It is torchaudio's,
with the weights of its pipeline ``SQUIM_OBJECTIVE``.
"""

import math
from dataclasses import replace
from functools import lru_cache
from typing import Any

from snacbench.errors import Undefined
from snacbench.later import torch
from snacbench.metrics._guards import VOICE
from snacbench.metrics._learned import Compare, Files, learned
from snacbench.models import HostedFile, MetricModel, WeightsSource
from snacbench.types import Audio, Metric, MetricSpec

MIN_DURATION_S = 1.0  # a choice of ours, as for other predictions: the network takes 4 ms
MAX_DURATION_S = 20.0  # takes 2 GB, and 40 s take 7: memory grows with the square
_FILE = "squim_objective_dns2020.pth"

STOI = replace(
    VOICE, name="squim_stoi", range=(0.0, 1.0),
    citation="Kumar et al.: TorchAudio-Squim, ICASSP 2023", implementation="torchaudio",
    requires=("torch", "torchaudio"),
)  # fmt: skip
# The network's last layer ends between 1 and what wideband PESQ makes of a raw score of 4.5.
PESQ = replace(STOI, name="squim_pesq", unit="MOS-LQO", range=(1.0, 4.644))
SI_SDR = replace(STOI, name="squim_si_sdr", unit="dB", range=(-math.inf, math.inf))

# As the model list of the package ayase states it for this address; PyTorch states none.
_SHA256 = "2c54586fea83fb5eb5394d710038ee89f55cab7011a5bf730bebed4c8777e828"
_HOSTED = HostedFile(_FILE, f"torchaudio/models/{_FILE}", _SHA256)
MODEL = MetricModel(
    "squim-objective", WeightsSource("pytorch", "torchaudio/models", (_HOSTED,), revision=""),
    licence="CC-BY-4.0", requires=STOI.requires,
)  # fmt: skip
MODELS = (MODEL,)


def load(files: Files) -> Any:
    """The network of torchaudio with the weights of the published file."""
    from torchaudio.models import squim_objective_base

    with torch.device("meta"):
        network = squim_objective_base()
    state = torch.load(files[_FILE], map_location="cpu", weights_only=True)
    network.load_state_dict({name: tensor.float() for name, tensor in state.items()}, assign=True)
    return network.eval()


@lru_cache(maxsize=2)  # three metrics ask for the same signal
def estimated(network: Any, audio: Audio) -> tuple[float, float, float]:
    """STOI, wideband PESQ and SI-SDR in dB, as estimated of a mono signal at 16 kHz."""
    if audio.duration_s > MAX_DURATION_S:
        raise Undefined(
            f"too long: the degraded signal lasts {audio.duration_s:.3f} s, SQUIM takes at most "
            f"{MAX_DURATION_S:.3f} s; cut it into segments"
        )
    with torch.inference_mode():
        stoi, pesq, si_sdr = network(torch.from_numpy(audio.samples.copy()))
    return float(stoi), float(pesq), float(si_sdr)


def _metric(spec: MetricSpec, which: int) -> Metric:
    def prepare(network: Any, _reference: Audio) -> Compare:
        return lambda degraded: estimated(network, degraded)[which]

    return learned(spec, MODEL, load, prepare, min_degraded_s=MIN_DURATION_S)


METRICS = tuple(_metric(spec, which) for which, spec in enumerate((STOI, PESQ, SI_SDR)))
