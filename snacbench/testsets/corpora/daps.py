"""DAPS: twenty speakers in a studio, F10 and M10 being DAC's test speakers (docs/corpora.md)."""

from functools import partial
from pathlib import Path

from snacbench.testsets.corpora.corpus import Corpus, CorpusFile, Download, Layout
from snacbench.testsets.spoken import gender_of

_TEST_SPEAKERS = ("F10", "M10")  # scripts/organize_daps.py of DAC
_SNAC_SPEAKERS = ("F7", "F10", "M2", "M4")  # samples page of SNAC's authors


def _corpus(
    name: str, version: str | None, what: str, speakers: tuple[str, ...] = _TEST_SPEAKERS
) -> Corpus:
    shown, folder = version or "clean", version or "<version>"
    layout = Layout(
        "DAPS" + (f" ({version})" if version else ""),
        ("daps",),
        f"{folder}/<speaker>_script<n>_{folder}.wav of {', '.join(speakers)}",
        f"daps/{shown}/f10_script1_{shown}.wav",
        levels=(f"({version or '.+'})", r"([fm]\d+)_script(\d+)_(\w+)\.wav"),
    )

    def make(_: Path, folder: str, speaker: str, script: str, kind: str) -> CorpusFile | None:
        if folder.lower() != kind.lower() or speaker.upper() not in speakers:
            return None
        prefix, who = "" if version else f"{folder.lower()}/", speaker.upper()
        name, gender = f"{prefix}{who}/script{script}", gender_of(who[0])
        return CorpusFile(name, cluster=who, speaker=who, gender=gender)

    return Corpus(
        name=name, summary=f"speech, 44.1 kHz, {len(speakers)} speakers, {what}",
        find=partial(layout.find, make=make, domain="speech", lossy_source=False, language="en"),
        licence="CC-BY-NC-4.0",  # Zenodo record 4660670
        where="Zenodo record 4660670 (https://zenodo.org/records/4660670), one archive of 16 GB.",
        # Speakers times five scripts, in each of 3 professional and 12 device versions
        # (description of the dataset).
        expected_files=len(speakers) * 5 * (1 if version else 15), expected_clusters=len(speakers),
        downloads=(
            # Size and md5 as Zenodo states them for daps.tar.gz.
            Download(
                "https://zenodo.org/records/4660670/files/daps.tar.gz", 16_055_782_487,
                md5="303c130b7ce2e02b59c7ca5cd595a89c",
            ),
        ),
    )  # fmt: skip


CORPORA = (
    _corpus("daps", "clean", "edited studio recordings"),
    _corpus("daps-cleanraw", "cleanraw", "studio recordings as recorded"),
    _corpus("daps-snac", "cleanraw", "those that SNAC's authors let hear", _SNAC_SPEAKERS),
    _corpus("daps-all", None, "all 15 versions, studio and devices"),
)
