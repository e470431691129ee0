"""Where model weights come from: official hosts and caches, a local folder, or this package.

- `policy`: what ``--weights`` asks for, and the one decision that ``auto`` takes before a run.
- `locate`: from a model and a policy to files on this disk, with their digests.
- `published`: from a published model to checked files, found in `caches` or fetched from `hosts`.
- `digests`, `lock`, `integrity`: what a file must be: pinned, recorded at first use, or whole.
- `absent`: what a request needs and cannot have here and now.
- `inventory`: what is on this disk, and whether it still is what it was.
- `embedded`: the demonstration models inside this package.
"""

from snacbench.download import Progress

__all__ = ["Progress"]
