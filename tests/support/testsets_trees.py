"""Corpora in miniature: each layout as its archive unpacks, with what lies beside it.

``make_tree(name, root, files=n)`` writes a copy with `n` files of the evaluation part, and with
other parts, stems, microphones and archivers' litter around them. Audio files are empty."""

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd

GENRES = ("blues", "classical", "country", "disco", "hiphop", "jazz", "metal", "pop", "reggae",
          "rock")  # fmt: skip
DAPS_VERSIONS = ("clean", "cleanraw", "produced", "ipad_office1")


def make_tree(name: str, root: Path, *, files: int = 6) -> Path:
    """Write a miniature of a corpus and return the folder that its archive unpacks to.

    The evaluation part has so many `files` (of DAPS: each version); `root` is the folder above."""
    folder, fill = _MAKERS[name]
    top = root / folder
    for relative, content in fill(files):
        path = top / relative
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content or "", "utf-8")
    _litter(top)
    return top


# What a maker yields: a path below the folder, and a text, or None for an audio file.
Files = Iterator[tuple[str, str | None]]


def _litter(top: Path) -> None:
    """What macOS leaves in archives: hidden files beside every folder's own."""
    (top / ".DS_Store").write_bytes(b"\0")
    (top / "__MACOSX").mkdir()
    for folder in [path for path in top.rglob("*") if path.is_dir()][:20]:
        files = (path.name for path in sorted(folder.iterdir()) if path.is_file())
        beside = next(files, folder.name)
        (folder / f"._{beside}").write_bytes(b"\0")


def _daps(files: int) -> Files:
    recordings = itertools.product(range(1, files), ("f10", "m10"))
    evaluation = [f"{who}_script{n}" for n, who in itertools.islice(recordings, files)]
    for version in DAPS_VERSIONS:
        for recording in (*evaluation, "f1_script1", "m2_script3"):
            yield f"{version}/{recording}_{version}.wav", None
    yield "clean/f10_script1_clean.txt", "not a recording"


def _daps_of_snac(files: int) -> Files:
    shared = ("f10_script1", "f10_script2", "f10_script3", "m2_script3")  # with `_daps`
    others = (f"{who}_script{n}" for n in range(1, 6) for who in ("f7", "m4"))
    for recording in itertools.islice(itertools.chain(shared, others), files):
        yield f"cleanraw/{recording}_cleanraw.wav", None


def _musdb18_hq(files: int) -> Files:
    for i in range(files):
        for stem in ("mixture", "vocals", "drums", "bass", "other"):
            yield f"test/Band {i:04} - Song/{stem}.wav", None
    yield "train/Other Band - Song/mixture.wav", None


def video_id(i: int) -> str:
    """An AudioSet id of eleven characters; some begin with a hyphen, as in the true list."""
    return f"{'-_aZ'[i % 4]}x{i:09}"


def _audioset(files: int) -> Files:
    for i in range(files):
        yield f"eval_segments/{video_id(i)}.wav", None
    yield "eval_segments.csv", "# Segments csv\n"
    yield "balanced_train_segments/zzzzzzzzzzz.wav", None


def _chapters(files: int) -> Iterator[tuple[int, int, list[int]]]:
    """Speakers with two chapters of ten utterances each."""
    for first in range(0, files, 10):
        n = first // 10
        yield 61 + n // 2, 70_968 + n, list(range(min(10, files - first)))


_READERS = """; reader_id | gender
;ID  |SEX| SUBSET           |MINUTES| NAME
61   | M | test-clean       | 8.08  | Paul | Wiener
84   | F | dev-clean        | 8.02  | Christie Nowak
"""


def _librispeech(part: str) -> Callable[[int], Files]:
    def fill(files: int) -> Files:
        for speaker, chapter, numbers in _chapters(files):
            folder = f"{part}/{speaker}/{chapter}"
            names = [f"{speaker}-{chapter}-{n:04}" for n in numbers]
            yield from ((f"{folder}/{name}.flac", None) for name in names)
            text = "".join(f"{name} HE SAID WORD {name[-1]}\n" for name in names)
            yield f"{folder}/{speaker}-{chapter}.trans.txt", text
        yield "dev-clean/84/121123/84-121123-0000.flac", None
        yield "SPEAKERS.TXT", _READERS

    return fill


def _libritts(files: int) -> Files:
    for speaker, chapter, numbers in _chapters(files):
        folder = f"test-clean/{speaker}/{chapter}"
        for n in numbers:
            name = f"{folder}/{speaker}_{chapter}_{n:06}_000001"
            yield f"{name}.wav", None
            yield f"{name}.original.txt", f"He said Nr. {n}."
            yield f"{name}.normalized.txt", f"He said number {n}.\n"
        yield f"{folder}/{speaker}_{chapter}.trans.tsv", "a table\n"
    yield "dev-clean/84/121123/84_121123_000007_000001.wav", None
    yield "SPEAKERS.txt", _READERS


def _vctk(files: int) -> Files:
    speakers = ("p225", "p280", "p315", "s5")
    for i in range(files):
        speaker, n = speakers[i % 4], i // 4 + 1
        yield f"wav48_silence_trimmed/{speaker}/{speaker}_{n:03}_mic1.flac", None
        if speaker not in ("p280", "p315"):
            yield f"wav48_silence_trimmed/{speaker}/{speaker}_{n:03}_mic2.flac", None
        if speaker != "p315":
            yield f"txt/{speaker}/{speaker}_{n:03}.txt", f"Please call {speaker} {n}.\n"
    yield "speaker-info.txt", "ID  AGE  GENDER  ACCENTS\np225  23  F    English\ns5\n"
    yield "wav48_silence_trimmed/log.txt", "trimmed\n"


def _esc50(files: int) -> Files:
    rows = ["filename,fold,target,category,esc10,src_file,take"]
    for i in range(files):
        # Two clips of each source, the second take from another place in it.
        fold, source, take, target = i // 2 % 5 + 1, 100_032 + i // 2, "AB"[i % 2], i // 2 % 50
        name = f"{fold}-{source}-{take}-{target}.wav"
        yield f"audio/{name}", None
        rows.append(f"{name},{fold},{target},dog,{target < 2},{source},{take}")
    yield "meta/esc50.csv", "\n".join(rows) + "\n"
    yield "tests/1-1-A-0.wav", None


def _fma(edition: str) -> Callable[[int], Files]:
    def fill(files: int) -> Files:
        above, below = "album artist set set track", "title bio split subset license"
        rows = [["", *above.split()], ["", *below.split()], ["track_id", *[""] * 5]]
        bio = "A band,\nof two." + 200_000 * "."
        for i in range(files):
            track = 140 + 11 * i
            rows.append([f"{track}", "An, album", bio if i == 0 else "", "test", "small", "CC BY"])
            yield f"{edition}/{track // 1000:03}/{track:06}.mp3", None
        rows += [["2", "", "", "training", "small", "CC BY"], ["999", "", "", "test", "large", ""]]
        yield f"{edition}/000/000002.mp3", None
        yield f"{edition}/checksums", "0  000/000002.mp3\n"
        yield "fma_metadata/tracks.csv", pd.DataFrame(rows).to_csv(header=False, index=False)

    return fill


def _gtzan(files: int) -> Files:
    for i in range(files):
        genre = GENRES[i % 10]
        yield f"genres_original/{genre}/{genre}.{i // 10:05}.wav", None
    yield "genres_original/jazz/jazz.00054.wav", None
    yield "images_original/blues/blues00000.png", "a picture"
    yield "features_30_sec.csv", "filename,length\n"


def _common_voice(files: int) -> Files:
    header = "client_id\tpath\tsentence\tup_votes"
    # A table of today, and one of the first release.
    tables = {"de": f"{header}\tgender\tlocale\n", "sv-SE": f"{header}\n"}
    for i in range(files):
        language = ("de", "sv-SE")[i % 2]
        name = f"common_voice_{language}_{17_298_952 + i}.mp3"
        more = "\tmale_masculine\tde" if language == "de" else ""
        tables[language] += f'{i // 4:0128x}\t{name}\tEr sagte "{i}.\t2{more}\n'
        yield f"{language}/clips/{name}", None
    tables["de"] += f"{'f' * 128}\tcommon_voice_de_1.mp3\tNicht entpackt\t2\t\tde\n"
    for language, table in tables.items():
        yield f"{language}/test.tsv", table
        yield f"{language}/train.tsv", header
        yield f"{language}/clips/common_voice_{language}_2.mp3", None


_PARTS, _SIZES = ("clean", "other"), ("small", "medium", "large", "full")
_MAKERS: dict[str, tuple[str, Callable[[int], Files]]] = {
    **dict.fromkeys(("daps", "daps-cleanraw", "daps-all"), ("daps", _daps)),
    "daps-snac": ("daps", _daps_of_snac),
    "musdb18-hq": ("musdb18hq", _musdb18_hq), "audioset": ("audioset", _audioset),
    **{f"librispeech-test-{of}": ("LibriSpeech", _librispeech(f"test-{of}")) for of in _PARTS},
    "libritts-test-clean": ("LibriTTS", _libritts), "vctk": ("VCTK-Corpus-0.92", _vctk),
    "esc50": ("ESC-50-master", _esc50), "gtzan": ("Data", _gtzan),
    **{f"fma-{size}": ("fma", _fma(f"fma_{size}")) for size in _SIZES},
    "common-voice": ("cv-corpus-17.0-2024-03-15", _common_voice),
}  # fmt: skip
