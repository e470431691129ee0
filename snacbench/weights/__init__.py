"""Where model weights come from: official hosts and caches, a local folder, or this package.

- `policy`: what ``--weights`` asks for, and the one decision that ``auto`` takes before a run.
- `locate`: from a model and a policy to checked files on this disk, fetched if need be.
- `lock`: what a file must be: pinned in this package, or recorded at first use.
- `inventory`: what is on this disk, and whether it still is what it was.
- `embedded`: the demonstration models inside this package.
"""
