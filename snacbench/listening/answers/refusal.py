"""What a listener or a stranger is refused, in a sentence for them and a word for programs."""

from __future__ import annotations

from snacbench.errors import UserError


class Refused(UserError):
    """A request that the test cannot grant.

    Attributes
    ----------
    status : int
        Of the HTTP answer.
    code : str
        A word by which the page knows what happened, such as ``order``.
    retry_after_s : int or None
        When asking again may help.
    """

    def __init__(
        self, status: int, code: str, sentence: str, *, retry_after_s: int | None = None
    ) -> None:
        super().__init__(sentence)
        self.status = status
        self.code = code
        self.retry_after_s = retry_after_s
