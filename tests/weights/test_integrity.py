from __future__ import annotations

import io
import json
import pickle
import struct
import zipfile
from pathlib import Path

import pytest

from snacbench.weights.integrity import damage


def zipped() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("data.pkl", b"x" * 5000)
    return buffer.getvalue()


def tensors(size: int = 16) -> bytes:
    header = json.dumps({"__metadata__": {}, "w": {"data_offsets": [0, 16]}}).encode()
    return struct.pack("<Q", len(header)) + header + b"\0" * size


PAGE = b"<html>Please sign in</html>"


@pytest.mark.parametrize(
    ("name", "body", "said"),
    [
        ("a.pth", zipped(), ""),
        ("a.th", pickle.dumps({"w": 1}), ""),
        ("a.bin", b"", "is empty"),
        ("a.pth", zipped()[:3000], "breaks off"),
        ("a.th", PAGE, "is no PyTorch file"),
        ("a.json", b'{"a": 1}', ""),
        ("a.json", b'{"a": ', "is no JSON"),
        ("a.json", PAGE, "is no JSON"),
        ("a.safetensors", tensors(), ""),
        ("a.safetensors", tensors(10), "breaks off"),
        ("a.safetensors", tensors()[:20], "breaks off"),
        ("a.safetensors", b"abc", "breaks off"),
        ("a.safetensors", struct.pack("<Q", 3) + b"abc", "is no safetensors file"),
        ("a.safetensors", struct.pack("<Q", 2) + b"[]", "is no safetensors file"),
        ("a.tflite", PAGE, ""),
    ],
)
def test_what_a_files_own_format_tells(tmp_path: Path, name: str, body: bytes, said: str) -> None:
    path = tmp_path / name
    path.write_bytes(body)
    assert damage(path) == said


def test_real_files_are_whole(tmp_path: Path) -> None:
    import torch
    from safetensors.torch import save_file

    state = {"w": torch.zeros(3, 5), "b": torch.zeros(0)}
    torch.save(state, tmp_path / "zip.pth")
    torch.save(state, tmp_path / "legacy.th", _use_new_zipfile_serialization=False)
    save_file(state, tmp_path / "model.safetensors", metadata={"format": "pt"})
    assert [damage(path) for path in sorted(tmp_path.iterdir())] == ["", "", ""]
