"""What ``score-files`` does, without its processes; and files to do it with."""

from pathlib import Path

from snacbench.plugins import select_metrics
from snacbench.request import OutsideFiles, Request
from snacbench.rows import Score
from snacbench.runner.outside import import_decodes
from snacbench.runner.schedule import Schedule
from snacbench.store.ledger import Ledger
from snacbench.store.run_folder import RunFolder
from snacbench.types import Audio, Clip
from tests.support.command_line import write_raw


def write(path: Path, audio: Audio) -> Path:
    return write_raw(path, audio.samples.T, audio.rate_hz, subtype="PCM_24")


def score_files(
    reference: Path, degraded: Path, target: Path, *, metrics: str = "si_sdr,si_sdr_aligned",
    align: bool = False,
) -> RunFolder:  # fmt: skip
    """Decodes of a codec named ``evs``, imported and scored."""
    chosen = select_metrics(metrics.split(","))
    outside = OutsideFiles(degraded, "evs", align=align)
    request = Request(data=str(reference), domain="speech", outside=outside)
    folder = import_decodes(request, chosen, target)
    ledger = Ledger(folder, folder.run.codecs, [metric.spec for metric in chosen])
    schedule = Schedule(ledger, list(folder.read(Clip)), Request())
    while (job := schedule.next("cpu")) is not None:
        rows = job.run()
        schedule.done(job, rows)
    return folder


def values(folder: RunFolder, metric: str) -> list[float | None]:
    """A metric's values, clip by clip."""
    return [row.value for row in folder.read(Score) if row.metric == metric]
