"""Bodies of requests, and reading them: JSON of a bounded size, nothing else."""

from __future__ import annotations

import asyncio
from typing import Annotated, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictInt, ValidationError
from starlette.requests import ClientDisconnect, Request

from snacbench.listening.answers.pages import Submission
from snacbench.listening.answers.refusal import Refused

MAX_BODY_BYTES = 64 * 1024
PATIENCE_S = 20.0
MAX_SIGNALS = 12  # ITU-R BS.1534-3: of one page
_MAX_TYPED = 20_000  # characters; what is kept of them is cut to less
_LONGEST_PAGE_S = 7 * 24 * 3_600.0

Key = Annotated[str, Field(min_length=1, max_length=64)]
Typed = Annotated[str, Field(max_length=_MAX_TYPED)]
Count = Annotated[StrictInt, Field(ge=0, le=1_000_000)]
Seconds = Annotated[float, Field(ge=0, le=_LONGEST_PAGE_S)]
Told = StrictBool | StrictInt | float | Annotated[str, Field(max_length=200)] | None
Playback = Annotated[dict[Key, Told], Field(max_length=64)]

Body = TypeVar("Body", bound="_Body")


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Empty(_Body):
    """``{}``."""


class Start(_Body):
    """``{invite?}``."""

    invite: Annotated[str, Field(max_length=100)] | None = None


class Consent(_Body):
    """``{agreed: true}``."""

    agreed: Literal[True]


class Questionnaire(_Body):
    """``{answers: {id: text}}``."""

    answers: Annotated[dict[Key, Typed], Field(max_length=100)]


class Rated(_Body):
    """One slider of a MUSHRA page."""

    stimulus: Key
    score: Annotated[StrictInt, Field(ge=0, le=100)]
    plays: Count


class Page(_Body):
    """A page's answers: `ratings` in MUSHRA, `answer` in AB and ABX."""

    ratings: Annotated[tuple[Rated, ...], Field(max_length=MAX_SIGNALS)] = ()
    answer: Literal["a", "b", "tie"] | None = None
    comment: Typed = ""
    time_s: Seconds = 0.0
    playback: Playback = Field(default_factory=dict)

    def submission(self) -> Submission:
        """The same in the store's terms.

        Raises
        ------
        Refused
            If a stimulus is rated twice.
        """
        if len({rated.stimulus for rated in self.ratings}) != len(self.ratings):
            raise Refused(422, "twice", "A sound is rated twice on this page")
        return Submission(
            scores={rated.stimulus: rated.score for rated in self.ratings},
            plays={rated.stimulus: rated.plays for rated in self.ratings},
            answer=self.answer,
            comment=self.comment,
            time_s=self.time_s,
            playback=self.playback,
        )


async def read_body(request: Request, kind: type[Body]) -> Body:
    """The JSON body of a request.

    Raises
    ------
    Refused
        If it is of another type, comes too slowly, or is not what is expected here.
    """
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise Refused(415, "content-type", "Expected a body of type application/json")
    try:
        async with asyncio.timeout(PATIENCE_S):
            content = await request.body()
        return kind.model_validate_json(content)
    except TimeoutError as error:
        raise Refused(408, "slow", "The request took too long to arrive") from error
    except ClientDisconnect as error:
        raise Refused(400, "incomplete", "The request ended early") from error
    except ValidationError as error:
        # Names the field only: what was sent is not sent back.
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        where = ".".join(str(part) for part in first["loc"] if isinstance(part, int | str))
        raise Refused(422, "body", f"The request cannot be understood: {where:.60}") from error
