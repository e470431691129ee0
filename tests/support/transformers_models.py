"""The two codecs of the transformers library, with random weights."""

from __future__ import annotations

from typing import Any

import torch
import transformers

# As published: the configurations of facebook/encodec_32khz and kyutai/mimi, where they differ
# from the library's defaults.
PUBLISHED: dict[str, dict[str, Any]] = {
    "encodec-32khz": {
        "sampling_rate": 32_000, "num_filters": 64, "codebook_size": 2048, "codebook_dim": 128,
        "target_bandwidths": [2.2], "upsampling_ratios": [8, 5, 4, 4], "use_causal_conv": False,
        "use_conv_shortcut": False,
    },
    "mimi": {},
}  # fmt: skip
# The same rates, strides, depths and numbers of codebooks at a fraction of the width.
NARROW: dict[str, dict[str, Any]] = {
    "encodec-32khz": {"num_filters": 4, "hidden_size": 16, "codebook_dim": 16},
    "mimi": {
        "num_filters": 4, "hidden_size": 32, "intermediate_size": 32, "head_dim": 16,
        "num_attention_heads": 2, "num_key_value_heads": 2, "codebook_dim": 16,
        "vector_quantization_hidden_dimension": 16, "upsample_groups": 32,
    },
}  # fmt: skip
CLASSES = {"encodec-32khz": "Encodec", "mimi": "Mimi"}
NAMES = sorted(CLASSES)


def network(name: str, arguments: dict[str, Any]) -> Any:
    """The library's own object, with codebooks and layers that make codes differ."""
    torch.manual_seed(0)
    config = getattr(transformers, f"{CLASSES[name]}Config")(**arguments)
    model = getattr(transformers, f"{CLASSES[name]}Model")(config)
    generator = torch.Generator().manual_seed(1)
    for key, tensor in [*model.named_parameters(), *model.named_buffers()]:
        if key.endswith(("embed", "embed_sum")):
            tensor.data = torch.randn(tensor.shape, generator=generator)
        elif key.endswith("bias"):
            tensor.data = 0.02 * torch.randn(tensor.shape, generator=generator)
        elif key.endswith("original0"):
            tensor.data = 2 * tensor.data
    return model.eval()
