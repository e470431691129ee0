"""EnCodec's language models with random weights, in the true format."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch

from snacbench.codecs.encodec import LANGUAGE_FACTS, LanguageFacts

FULL = {facts.codec: facts for facts in LANGUAGE_FACTS}
TINY = replace(
    FULL["encodec-48khz"], codebooks=4, codebook_size=32, dim=16, layers=2, segment_frames=9
)


def write_weights(facts: LanguageFacts, folder: Path) -> Path:
    """Random weights as the package's own module has them: what `torch.save` made of a state."""
    from encodec.model import LMModel

    torch.manual_seed(0)
    model = LMModel(
        n_q=facts.codebooks,
        card=facts.codebook_size,
        dim=facts.dim,
        num_layers=facts.layers,
        past_context=facts.past_frames,
    )
    torch.save(model.state_dict(), folder / facts.file)
    return folder / facts.file
