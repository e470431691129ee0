"""Where model weights come from: official caches and hosts, a local folder, or this package.

- `policy`: what ``--weights`` asks for, and the one decision that ``auto`` takes before a run.
- `locate`: from a model and a policy to files on this disk, with their digests.
- `published`: the caches and hosts that the models' own packages use.
- `embedded`: the demonstration models inside this package.
"""
