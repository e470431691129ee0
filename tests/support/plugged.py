"""Plug-ins for tests: packages on the path, with the metadata that an installer would write."""

from pathlib import Path


def install(
    folder: Path, name: str, code: str, *, version: str = "1.0",
    kinds: tuple[str, ...] = ("codecs",),
) -> Path:  # fmt: skip
    """A package of one module that brings codecs or metrics, in a folder to put on the path."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.py").write_text(code)
    metadata = folder / f"{name}.dist-info"
    metadata.mkdir(exist_ok=True)
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    groups = (f"[snacbench.{kind}]\n{name} = {name}\n" for kind in kinds)
    (metadata / "entry_points.txt").write_text("\n".join(groups))
    return folder


def codec(
    name: str = "sent", *, encode: str = "return audio.samples.astype('<f4').tobytes()",
    decode: str = "return np.frombuffer(data, '<f4').reshape(shape)", spec: str = "",
    more: str = "",
) -> str:  # fmt: skip
    """Code of a module with a codec that sends samples, its two halves to be put in other ways.

    `encode` is a body that makes bytes of ``audio``, `decode` one that makes samples of ``data``,
    ``shape`` and ``seed``."""
    return f"""
import numpy as np
from snacbench.models import CodecModel
from snacbench.types import Audio, CodecSpec, Encoded
{more}
SPEC = CodecSpec({name!r}, {name!r}, "plugged", 16_000, (1,), licence="MIT", citation="a test",
                 latency_s=0.0, {spec})

class Codec:
    def __init__(self, spec):
        self.spec = spec
    def encode(self, audio):
        return Encoded(audio.num_samples, audio.channels, audio.rate_hz,
                       packets=(self.sent(audio),))
    def decode(self, encoded, *, seed):
        shape = (encoded.channels, encoded.num_samples)
        samples = self.heard(encoded.packets[0], shape, seed)
        return Audio(np.ascontiguousarray(samples, np.float32), encoded.rate_hz)
    def sent(self, audio):
        {encode}
    def heard(self, data, shape, seed):
        {decode}

MODELS = (CodecModel({name!r}, "plugged", (SPEC,), ({name!r},), lambda spec, *_: Codec(spec)),)
"""


def metric(name: str = "ear", value: str = "1.0") -> str:
    """Code of a module with a metric that scores every pair alike."""
    return f"""
from snacbench.types import Metric, MetricSpec
SPEC = MetricSpec({name!r}, "dB", "higher", (0, 1), 16_000, "a test", default=False)
METRICS = (Metric(SPEC, lambda reference: lambda *, degraded: {value}),)
"""
