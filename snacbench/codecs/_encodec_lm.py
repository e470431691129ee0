"""EnCodec's own language models, which say how likely every next code is (Défossez et al. 2022).

One small Transformer per model predicts all codebooks of a frame from the frames before it, 3.5
seconds back (section 3.3). The authors' rates "with entropy coding" are by these.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snacbench.codecs import _neural as neural
from snacbench.codecs._checkpoint import load_strictly, load_tensors
from snacbench.errors import UserError, WeightsMismatch
from snacbench.models import CodecModel, HostedFile, LocatedWeights, WeightsSource
from snacbench.types import Codec, CodecSpec

_CONTEXT_S = 3.5


@dataclass(frozen=True)
class _Facts:
    """What `EncodecModel.get_lm_model` builds for a model, and after how many frames it restarts.

    The 48 kHz model codes segments of a second apart from each other, and so does the coder.
    """

    codec: str
    file: str
    sha256: str
    codebooks: int
    frame_rate_hz: int
    segment_frames: int | None = None
    codebook_size: int = 1024
    dim: int = 200
    layers: int = 5

    @property
    def past_frames(self) -> int:
        """How many frames it looks back."""
        return int(_CONTEXT_S * self.frame_rate_hz)


_FACTS = (
    _Facts("encodec-24khz", "encodec_lm_24khz-1608e3c0.th", "1608e3c0", 32, 75),
    _Facts("encodec-48khz", "encodec_lm_48khz-7add9fc3.th", "7add9fc3", 16, 150, 150),
)


def _not_a_codec(spec: CodecSpec, weights: LocatedWeights | None, device: str) -> Codec:
    raise UserError(f"{spec.name} is a language model of codes, and codes no audio")


def _model(facts: _Facts) -> CodecModel:
    """Under this its weights are found, fetched and checked as a codec's are."""
    file = HostedFile(facts.file, f"encodec/v0/{facts.file}", facts.sha256)
    return CodecModel(
        name=facts.codec.replace("encodec-", "encodec-lm-"),
        family="encodec",
        points=(),
        default=(),
        load=_not_a_codec,
        source=WeightsSource("cdn", "encodec", (file,), revision="v0"),
        requires=("torch", "encodec"),
    )


LANGUAGE_MODELS = {facts.codec: _model(facts) for facts in _FACTS}
"""By the name of the codec whose codes they know."""

Step = Callable[[NDArray[np.int64] | None], NDArray[np.float32]]


@dataclass(frozen=True, eq=False)
class LanguageModel:
    """A loaded language model.

    Attributes
    ----------
    sha256 : str
        Digest of its weights file.
    segment_frames : int or None
        After so many frames it begins anew.
    """

    network: Any
    sha256: str
    segment_frames: int | None
    codebooks: int
    codebook_size: int

    def begin(self, streams: int) -> Step:
        """A walk through a segment's frames, for the first so many codebooks.

        The function that is returned takes a frame's codes, shape (streams,), or None before the
        first, and returns how likely the next frame's are, shape (streams, codebook_size). It must
        see the same sequence of calls when decoding as when encoding: the probabilities are the
        same to the last bit only then, on the same machine with the same number of threads.
        """
        import torch

        states: Any = None
        offset: Any = 0

        def step(codes: NDArray[np.int64] | None) -> NDArray[np.float32]:
            nonlocal states, offset
            frame = np.zeros(streams, np.int64) if codes is None else codes + 1
            with torch.inference_mode():
                given = torch.from_numpy(frame).view(1, streams, 1)
                likely, states, offset = self.network(given, states, offset)
            found: NDArray[np.float32] = likely[0, :, :, 0].T.contiguous().numpy()
            return found

        return step


def load_language_model(codec: str, weights: LocatedWeights) -> LanguageModel:
    """The language model for a codec's codes, from its published file.

    Raises
    ------
    WeightsMismatch
        If the file is not such a model.
    """
    facts = next(facts for facts in _FACTS if facts.codec == codec)
    path = weights.files[facts.file]
    return _loaded(facts, path, weights.info.sha256[facts.file])


def _loaded(facts: _Facts, path: Path, sha256: str) -> LanguageModel:
    state = load_tensors(path)
    if not isinstance(state, dict):
        raise WeightsMismatch(
            f"{path} holds a {type(state).__name__}, expected the weights of a language model"
        )
    network = _network(facts, path)
    load_strictly(network, state, path)
    network.eval().requires_grad_(False)
    return LanguageModel(
        network, sha256, facts.segment_frames, facts.codebooks, facts.codebook_size
    )


def _network(facts: _Facts, origin: Path) -> Any:
    from encodec.model import LMModel

    arguments = {
        "n_q": facts.codebooks,
        "card": facts.codebook_size,
        "dim": facts.dim,
        "num_layers": facts.layers,
        "past_context": facts.past_frames,
    }
    return neural.build(LMModel, arguments, origin)
