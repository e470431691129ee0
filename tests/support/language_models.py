"""EnCodec's language models with random weights, in the true format."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch

from snacbench.codecs.encodec import LANGUAGE_FACTS, LanguageFacts

FULL = {facts.codec: facts for facts in LANGUAGE_FACTS}
TINY = replace(
    FULL["encodec-48khz"],
    arguments={"n_q": 4, "card": 32, "dim": 16, "num_layers": 2, "past_context": 525},
    segment_frames=9,
)


def write_weights(facts: LanguageFacts, folder: Path) -> Path:
    """Random weights as the package's own module has them: what `torch.save` made of a state."""
    from encodec.model import LMModel

    torch.manual_seed(0)
    model = LMModel(**facts.arguments)
    torch.save(model.state_dict(), folder / facts.file)
    return folder / facts.file
