"""What metrics need before a run: a recogniser that is chosen, files that are fetched."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import TypeVar

from snacbench.errors import StoreError, UserError
from snacbench.rows import Run
from snacbench.settings import ASR_VARIABLE
from snacbench.types import Metric

ASR_FACT = "asr"

Answer = TypeVar("Answer")


def choose_recogniser(selector: str | None, *, offline: bool = False) -> None:
    """Let this process and its workers use a recogniser; None: whichever the user has set."""
    if selector:
        os.environ[ASR_VARIABLE] = selector
    if offline:
        os.environ["HF_HUB_OFFLINE"] = "1"  # which recognisers of the hub are asked by


def make_ready(metrics: Iterable[Metric]) -> None:
    """Let every metric look for what it needs, and fetch it.

    Raises
    ------
    UserError
        If a metric could not work.
    """
    for metric in metrics:
        asked(metric.ready, metric.spec.name)


def asked(question: Callable[[], Answer], name: str) -> Answer:
    """What a codec or metric answers before a run; its code may be from anywhere.

    Raises
    ------
    UserError
        If it fails.
    """
    try:
        return question()
    except UserError:
        raise
    except Exception as error:
        raise UserError(
            f"{name} fails before the run ({type(error).__name__}: {error}); leave it out, or ask "
            "who made it"
        ) from error


def facts_of(metrics: Iterable[Metric]) -> Mapping[str, str]:
    """What computes the metrics, for the record of a run."""
    return {
        key: text
        for metric in metrics
        for key, text in asked(metric.versions, metric.spec.name).items()
    }


def scored_too(run: Run, metrics: Iterable[Metric], *, place: str) -> Run:
    """The provenance of a run whose decodes get more scores: their metrics and facts beside it.

    Raises
    ------
    StoreError
        If words in the run were heard by another recogniser than is to hear them now.
    """
    added = tuple(metrics)
    facts = facts_of(added)
    before, now = run.facts.get(ASR_FACT), facts.get(ASR_FACT)
    if before and now and before != now:
        raise StoreError(
            f"{place} was scored by the recogniser {before}, and this would be {now}; one run "
            "holds one recogniser's error rates: name that one with --asr, or score a copy of "
            "the run made before"
        )
    names = {metric.spec.name for metric in added}
    kept = tuple(spec for spec in run.metrics if spec.name not in names)
    return replace(
        run,
        metrics=(*kept, *(metric.spec for metric in added)),
        facts={**run.facts, **facts},
    )
