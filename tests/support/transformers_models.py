"""Models of transformers' own classes, as their configurations on the hub describe them."""

from __future__ import annotations

from typing import Any

import transformers

CLASSES = {"encodec-32khz": "Encodec", "mimi": "Mimi"}
# Those of facebook/encodec_32khz and kyutai/mimi, where they differ from the library's defaults.
PUBLISHED: dict[str, dict[str, Any]] = {
    "encodec-32khz": {
        "sampling_rate": 32_000, "num_filters": 64, "codebook_size": 2048, "codebook_dim": 128,
        "target_bandwidths": [2.2], "upsampling_ratios": [8, 5, 4, 4], "use_causal_conv": False,
        "use_conv_shortcut": False,
    },
    "mimi": {},
}  # fmt: skip


def network(name: str, **changes: Any) -> Any:
    """The library's own object, of published size unless `changes` make it narrow."""
    config = getattr(transformers, f"{CLASSES[name]}Config")(**{**PUBLISHED[name], **changes})
    return getattr(transformers, f"{CLASSES[name]}Model")(config)
