"""Command line: ``python -m tools.make_quick_set --out DIR``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tools.make_quick_set.card import card
from tools.make_quick_set.environment import environment_clips
from tools.make_quick_set.music import music_clips
from tools.make_quick_set.programs import RenderError, check_installed
from tools.make_quick_set.speech import CHATTER, speak, speech_clips
from tools.make_quick_set.write import SetTooLargeError, check_size, write_clip, write_manifest


def make(folder: Path) -> int:
    """Make the whole set in `folder` and return its size in bytes."""
    check_installed()
    chatter = [(speak(voice, text), voice.rate_hz) for voice, text in CHATTER]
    written = []
    for clip in [*speech_clips(), *music_clips(), *environment_clips(chatter)]:
        written.append(write_clip(folder, clip))
        print(
            f"{written[-1].path:<36} {clip.rate_hz:>6} Hz {clip.samples.shape[0]} ch "
            f"{clip.duration_s:5.2f} s {written[-1].size_bytes:>8} bytes"
        )
    write_manifest(folder, written)
    (folder / "CARD.md").write_text(card(written), encoding="utf-8")
    return check_size(folder)


def main() -> int:
    """Make the set; the exit status is 1 if something is missing or failed."""
    parser = argparse.ArgumentParser(prog="python -m tools.make_quick_set", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder for the set")
    arguments = parser.parse_args()
    try:
        total_bytes = make(arguments.out)
    except (RenderError, SetTooLargeError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"{total_bytes} bytes in {arguments.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
