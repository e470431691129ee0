"""One codec for one file, outside of any run."""

from __future__ import annotations

from collections.abc import Sequence

from snacbench.bitstream.container import Header
from snacbench.errors import BitstreamError, UnknownName, UnknownPoint, UserError
from snacbench.plugins import codec_models
from snacbench.runner.bitstreams import check_weights
from snacbench.runner.loading import LoadedCodec, handle_of, load
from snacbench.runner.plan import (
    LOCAL,
    PlannedCodec,
    Request,
    check_packages,
    locate_all,
    plan_codecs,
)
from snacbench.selectors import select
from snacbench.types import CodecSpec
from snacbench.weights import Progress
from snacbench.weights.policy import WeightsPolicy


def codec_meant(
    selector: str,
    weights: Sequence[str],
    progress: Progress | None = None,
    *,
    offline: bool = False,
) -> LoadedCodec:
    """The codec of a selector that means one operating point, loaded.

    Raises
    ------
    UserError
        If it means several, or none, or what it needs is not here.
    """
    codecs, policy, _ = plan_codecs(selector, weights, offline=offline)
    if len(codecs) > 1:
        names = ", ".join(codec.spec.name for codec in codecs)
        raise UserError(
            f"{selector} means {len(codecs)} operating points, and a file is coded at one; write "
            f"one of {names}"
        )
    return _loaded(codecs[0], policy, progress)


def codec_of(
    header: Header,
    weights: Sequence[str],
    progress: Progress | None = None,
    *,
    selector: str = "",
    offline: bool = False,
) -> LoadedCodec:
    """The codec that made a file, loaded, its weights those of the file.

    A checkpoint of one's own has a path that no file tells: `selector` names it, its point follows
    from the file.

    Raises
    ------
    BitstreamError
        If the codec or its operating point is not known here, or its weights are others.
    UserError
        If what it needs is not here.
    """
    codecs, policy, _ = plan_codecs(selector or _selector_of(header), weights, offline=offline)
    wanted = point_of(header.codec)
    codec = next(
        (PlannedCodec(c.model, s) for c in codecs for s in c.model.points if _is(s, wanted)),
        next((c for c in codecs if _is(c.spec, wanted)), None),
    )
    if codec is None:
        raise BitstreamError(
            f"the file was made at {header.codec}, and {selector or codecs[0].model.name} has no "
            "such operating point"
        )
    return _loaded(codec, policy, progress, made=header)


def spec_of(header: Header) -> CodecSpec | None:
    """What is known here of the operating point that made a file; None if nothing is."""
    try:
        ((_, spec),) = select(_selector_of(header))
    except UserError:
        return None
    return spec


def point_of(name: str) -> str:
    """The operating point in a codec's name; empty where the name is the model's alone."""
    return name.partition("@")[2]


def _selector_of(header: Header) -> str:
    """The name in a file as a selector; what else a selector may be, a path, is no name.

    Raises
    ------
    BitstreamError
        If no codec here has this name.
    """
    model, at, point = header.codec.partition("@")
    model = model.removesuffix(LOCAL)
    selector = f"{model}{at}{point}"
    try:
        if model in codec_models() and [s.name for _, s in select(selector)] == [selector]:
            return selector
    except (UnknownName, UnknownPoint):
        pass  # a point of another version of the codec
    raise BitstreamError(
        f"the file was made by {header.codec}, a codec that is unknown here; a checkpoint or "
        "command file of your own is named by --codec, for example --codec dac:PATH"
    )


def _is(spec: CodecSpec, point: str) -> bool:
    return point_of(spec.name) == point


def _loaded(
    codec: PlannedCodec,
    policy: WeightsPolicy,
    progress: Progress | None,
    *,
    made: Header | None = None,
) -> LoadedCodec:
    """A codec with its weights, once they are those of a file, if one is given."""
    check_packages([codec])
    (located,) = locate_all([codec], policy, progress)
    if made is not None:
        check_weights(made, located.spec)
    return load(handle_of(located, Request(codecs=located.spec.name)))
