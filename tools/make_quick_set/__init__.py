"""Makes the embedded quick test set: ``python -m tools.make_quick_set --out DIR``.

Everything in the set is synthetic: text-to-speech voices, music rendered from the scores in
`pieces`, and sound scenes synthesised in `environment`. Two runs give the same samples.

The renderers come from Debian (bookworm or later)::

    apt-get install --no-install-recommends flite festival festvox-us-slt-hts espeak-ng \
        fluidsynth fluid-soundfont-gm

and the Python packages from ``pip install -e '.[test]'``.
"""
