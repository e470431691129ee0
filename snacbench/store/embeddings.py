"""Embeddings that a run keeps, in files that are named after their content."""

import hashlib
import io
from pathlib import Path

import numpy as np

from snacbench.errors import StoreError
from snacbench.files import write_bytes, writing
from snacbench.store.run_folder import EMBEDDINGS_FOLDER
from snacbench.types import Embeddings

_AGAIN = "remove embedded.jsonl from the run and score it again by its set-level metrics"


def embeddings_name(digest: str) -> str:
    """Where in a run folder embeddings lie: a numpy file."""
    return f"{EMBEDDINGS_FOLDER}/{digest[:2]}/{digest}.npy"


def keep(folder: Path, embeddings: Embeddings) -> str:
    """Write embeddings, shape (frames, dimensions), into a run folder; returns their digest.

    A damaged file is written anew. Raises StoreError if they cannot be written.
    """
    content = io.BytesIO()
    np.save(content, np.ascontiguousarray(embeddings), allow_pickle=False)
    digest = hashlib.sha256(content.getvalue()).hexdigest()
    path = folder / embeddings_name(digest)
    with writing(str(path)):
        if not path.exists() or path.read_bytes() != content.getvalue():
            write_bytes(path, content.getvalue())
    return digest


def kept(folder: Path, digest: str) -> Embeddings:
    """Embeddings that `keep` wrote; StoreError if they are not there, or no longer the same."""
    path = folder / embeddings_name(digest)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise StoreError(f"cannot read {path} ({error.strerror}); {_AGAIN}") from error
    if hashlib.sha256(content).hexdigest() != digest:
        text = f"{path} is not the file that the run wrote: its sha256 has changed; {_AGAIN}"
        raise StoreError(text)
    found: Embeddings = np.load(io.BytesIO(content), allow_pickle=False)
    return found
