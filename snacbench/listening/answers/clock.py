"""Time as the answers keep it: UTC to the second, in an order that is also alphabetical."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta


def utc_text(moment: datetime | None = None) -> str:
    """A moment, now by default: ``2026-03-01T12:00:00Z``."""
    return (moment or datetime.now(UTC)).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def ago(seconds: float) -> str:
    """The moment that many seconds before now."""
    return utc_text(datetime.now(UTC) - timedelta(seconds=seconds))
