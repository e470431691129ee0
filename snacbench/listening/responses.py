"""Where responses are kept: one SQLite file per test, ``answers.sqlite``, and what may be in it.

Every function here is one transaction: what it has returned is on the disk, and what it refused
(`Refused`) has left no trace. All that is kept of a listener is one row: who is deleted is gone.
"""

import hashlib
import itertools
import json
import re
import secrets
import sqlite3
import threading
import unicodedata
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, Json, StrictBool, StrictInt

from snacbench.errors import StoreError, UserError
from snacbench.forms import FORMS, REFERENCE
from snacbench.listening.design import pages_of
from snacbench.listening.study import CAME_WITH, OBSERVED, Choice, Listener, Rating, Study
from snacbench.listening.test import ANSWERS_FILE, LEAST_HEARD_S, ListeningTest

VERSION = 3
_BUSY_S = 30.0  # longer than any deletion of another process takes
_PLAN = "plan_sha256"
_WORDS = {"title", "language", "welcome", "consent", "questionnaire", "contact", "made_by", "run"}
_WORDS |= {"address_parameters", "record_device", "completion_code", "completion_url"}
_WORDS |= {"shared_computer"}
_DEVICE = {"browser", "system", "time_zone"}
# Marks that turn the direction of writing: in a table they make a cell look like another.
_TURNING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")

MAX_UNFINISHED = 500
MAX_COMMENT, MAX_ANSWER = 2_000, 500  # characters
_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d{1,2})?")
_LETTERS = "23456789abcdefghjkmnpqrstuvwxyz"  # none that is taken for another when read aloud


class Refused(UserError):
    """A request that the test cannot grant.

    `status` and `headers` are those of the HTTP answer; `code` is a word by which the page knows
    what happened, such as ``order``.
    """

    def __init__(self, status: int, code: str, sentence: str, **headers: str) -> None:
        super().__init__(sentence)
        self.status, self.code, self.headers = status, code, headers


class Responses:
    """The open file. One connection, one transaction at a time: requests take their turn."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path, self._connection, self._turn = path, connection, threading.Lock()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All that happens inside is on the disk when this ends, or nothing of it."""
        with self._turn, self._connection as sql:
            sql.execute("BEGIN IMMEDIATE")
            yield sql

    def wipe(self) -> None:
        """Make sure that what was deleted is nowhere in the file or its log any more."""
        with self._turn:
            self._connection.execute("VACUUM")
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def fact(self, name: str) -> str | None:
        """A fact about the whole test, such as the digest of the admin's token."""
        with self.transaction() as sql:
            row = sql.execute("SELECT value FROM facts WHERE name = ?", (name,)).fetchone()
        return None if row is None else str(row["value"])

    def set_fact(self, name: str, value: str) -> None:
        """Keep a fact in place of what was there."""
        with self.transaction() as sql:
            sql.execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", (name, value))

    def close(self) -> None:
        """Close the file; the log beside it is merged into it and removed."""
        with self._turn:
            self._connection.close()


def open_responses(folder: Path, test: ListeningTest, *, create: bool = True) -> Responses:
    """Open the responses to the test in a folder, or begin them.

    `StoreError` if the file is no store of responses, of another version or design, cannot be
    opened, or is not there and `create` is False.
    """
    path = folder / ANSWERS_FILE
    with _readable(path, there=not create):
        sql = sqlite3.connect(path, timeout=_BUSY_S, isolation_level=None, check_same_thread=False)
        sql.row_factory = sqlite3.Row
        # FULL: a commit has reached the disk, not only the log's buffer, when it returns.
        sql.executescript(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;"
            "PRAGMA secure_delete = ON; PRAGMA trusted_schema = OFF;"
        )
        if not sql.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]:
            schema = Path(__file__).with_name("answers.sql").read_text("utf-8")
            sql.executescript(f"BEGIN IMMEDIATE;{schema}PRAGMA user_version = {VERSION};COMMIT;")
        _check_version(sql, path)
        # All that responses depend on: everything but the words around it.
        told = json.dumps(test.model_dump(mode="json", exclude=_WORDS), sort_keys=True)
        responses, plan = Responses(path, sql), hashlib.sha256(told.encode()).hexdigest()
        if responses.fact(_PLAN) != plan:
            if sql.execute("SELECT 1 FROM listeners LIMIT 1").fetchone():
                responses.close()
                raise StoreError(
                    f"{path} holds answers to another design than test.yaml now has; restore "
                    "test.yaml, or move the answers away and begin anew"
                )
            responses.set_fact(_PLAN, plan)  # nobody has begun: it may still change
    return responses


@contextmanager
def _readable(path: Path, *, there: bool) -> Iterator[None]:
    """What SQLite cannot do with a file is a `StoreError`; so is one that is to be there."""
    if there and not path.is_file():
        begin = f"they begin with: snacbench mushra serve {path.parent}"
        raise StoreError(f"no answers at {path}; {begin}")
    try:
        yield
    except sqlite3.Error as error:
        raise StoreError(f"cannot read the answers {path} ({error})") from error


def _check_version(sql: sqlite3.Connection, path: Path) -> None:
    version = sql.execute("PRAGMA user_version").fetchone()[0]
    if version != VERSION:
        sql.close()
        raise StoreError(
            f"{path} has version {version}, and this snacbench reads version {VERSION}; use the "
            "snacbench that began it, or move it away"
        )


def token_digest(token: str) -> str:
    """What is kept of a token; no salt and no slow hash, which 256 random bits do not need."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def utc_text(seconds_ago: float = 0.0) -> str:
    """A moment in an order that is also alphabetical: ``2026-03-01T12:00:00Z``."""
    return (datetime.now(UTC) - timedelta(seconds=seconds_ago)).strftime("%Y-%m-%dT%H:%M:%SZ")


def one_line(text: str, limit: int) -> str:
    """What somebody typed, on one line, without control characters, cut to `limit` characters."""
    spaced = "".join(" " if character.isspace() else character for character in text)
    kept = (c for c in spaced if c not in _TURNING and unicodedata.category(c) not in ("Cc", "Cs"))
    return " ".join("".join(kept).split())[:limit].rstrip()


# ------------------------------------------------------------------------------ sessions
Key = Annotated[str, Field(min_length=1, max_length=64)]
Comment = Annotated[str, AfterValidator(partial(one_line, limit=MAX_COMMENT))]
Answer = Annotated[str, AfterValidator(partial(one_line, limit=MAX_ANSWER))]
_Count = Annotated[StrictInt, Field(ge=0, le=1_000_000)]
_Told = StrictBool | StrictInt | float | Annotated[str, Field(max_length=200)] | None


class Body(BaseModel):
    """What a page sends: these fields and no others."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Rated(Body):
    """One rating, on the scale of the test's form."""

    stimulus: Key
    score: Annotated[StrictInt, Field(ge=-3, le=100)]


class Heard(Body):
    """How often a sound was played or switched to, and for how long it was heard in all.

    `heard_s`: seconds that the browser's audio clock went through while this sound was the active
    one and the clock ran.
    """

    plays: _Count
    heard_s: Annotated[float, Field(ge=0, le=7 * 24 * 3_600.0)]


class Submission(Body):
    """A page's responses: `answer` in AB and ABX, else `ratings`; time in seconds.

    `heard` is of every sound that was played, by its key, an open reference included.
    `headphones` is how their check ended on this machine, with `headphones_right` such as 5 of 6.
    """

    ratings: tuple[Rated, ...] = ()
    answer: Literal["a", "b", "tie"] | None = None
    heard: Annotated[dict[Key, Heard], Field(max_length=64)] = Field(default_factory=dict)
    comment: Comment = ""
    time_s: Annotated[float, Field(ge=0, le=7 * 24 * 3_600.0)] = 0.0
    playback: Annotated[dict[Key, _Told], Field(max_length=64)] = Field(default_factory=dict)
    headphones: Literal["passed", "failed", "skipped"] | None = None
    headphones_right: Annotated[str, Field(pattern=r"^\d{1,3} of \d{1,3}$")] | None = None

    @property
    def scores(self) -> dict[str, int]:
        """Scores by the keys of their stimuli."""
        return {rated.stimulus: rated.score for rated in self.ratings}


class AssignedPage(BaseModel):
    """A page that a listener is to rate, and what they said.

    `stimuli` are conditions by their keys, in the order of the page; the open reference of a MUSHRA
    page has a key of its own. Where one condition is judged at a time, the last of them is rated,
    and that alone; in ``ccr`` its score is against the first. What is said counts for nothing in
    practice (`training`), and in a check of attention, which says what is `asked`.
    """

    key: str
    item: str
    training: bool
    stimuli: dict[str, str]
    reference: str | None = None
    asked: str | None = None
    submitted_utc: str | None = None
    response: Submission | None = None

    @property
    def failed(self) -> bool:
        """Whether another answer was given than asked for; one of many sliders may be 5 away."""
        told, near = self.response or Submission(), 5 * (len(self.stimuli) > 2)
        away = max((abs(s - int(self.asked or 0)) for s in told.scores.values()), default=0)
        return told.answer != self.asked if told.answer else away > near


class Session(BaseModel):
    """A row of the table: all that is kept of a listener but their token's digest."""

    id: int
    name: str
    number: int
    started_utc: str
    last_utc: str
    consented_utc: str | None
    answered_utc: str | None
    finished_utc: str | None
    planned: int
    rated: int
    questionnaire: Json[dict[str, str]]
    came_with: Json[dict[str, str]]
    pages: Json[list[AssignedPage]]

    @property
    def observed(self) -> dict[str, str]:
        """What was observed of them; of headphone checks on several machines the worst one."""
        told = [page.response for page in self.pages if page.response]
        order = (None, "passed", "skipped", "failed")
        worst = max(told, key=lambda one: order.index(one.headphones), default=Submission())
        start, end, at = self.started_utc, self.finished_utc, datetime.fromisoformat
        took_s = int((at(end) - at(start)).total_seconds()) if end else None
        checks = [page.failed for page in self.pages if page.asked and page.response]
        failed = sum(checks) if checks else None
        values = [start, end, took_s, worst.headphones, worst.headphones_right]
        found = dict(zip(OBSERVED, [*values, len(checks) or None, failed], strict=True))
        found |= {CAME_WITH + name: text for name, text in self.came_with.items()}
        return {name: str(value) for name, value in found.items() if value is not None}

    def check_consent(self) -> None:
        """Refuse what may only come after consent."""
        if self.consented_utc is None:
            raise Refused(403, "consent", "Please agree to take part first")


new_key = partial(secrets.token_urlsafe, 16)
"""A name for a page or stimulus that tells nothing about it: 128 random bits."""


class Start(Body):
    """What somebody comes with: an invitation, parameters of the address, what they listen on."""

    invite: Annotated[str, Field(max_length=100)] | None = None
    came_with: Annotated[dict[Key, Answer], Field(max_length=100)] = Field(default_factory=dict)


def begin(
    responses: Responses, test: ListeningTest, given: Start | None = None, most: int | None = None
) -> tuple[str, str]:
    """Take in a new listener and write down all their pages; their random name, and their token.

    Listeners are numbered from 0, and the plan is balanced over consecutive numbers. The smallest
    number that nobody has is given out: those of deleted listeners, of whoever did not consent
    within an hour, and of whoever rated nothing and stayed away for a day come back this way. At
    `most` so many finish, or were seen within that time.
    """
    given = given or Start()
    known = {*test.address_parameters, *(_DEVICE if test.record_device else ())}
    if unknown := given.came_with.keys() - known:
        raise Refused(422, "parameter", f"This test keeps no parameter {min(unknown)!r:.40}")
    token, now = secrets.token_urlsafe(32), utc_text()  # 256 random bits
    with responses.transaction() as sql:
        sql.execute("DELETE FROM listeners WHERE id IN (SELECT id FROM present WHERE forgotten)")
        code = _invitation(sql, given.invite)
        others = sql.execute("SELECT * FROM present").fetchall()
        if sum(row["recent"] and not row["finished_utc"] for row in others) >= MAX_UNFINISHED:
            sentence = "Too many listeners are under way; please try later"
            raise Refused(503, "full", sentence, **{"Retry-After": "3600"})
        if most and sum(row["here"] for row in others) >= most:
            raise Refused(403, "enough", "This test has all the listeners it needs; thank you")
        numbers = {row["number"] for row in others if row["recent"] or row["rated"]}
        number = next(n for n in itertools.count() if n not in numbers)
        names, name = {row["name"] for row in others}, ""
        while not name or name in names:
            name = "-".join("".join(secrets.choice(_LETTERS) for _ in range(4)) for _ in range(2))
        pages = [
            AssignedPage(
                key=new_key(),
                stimuli={new_key(): condition for condition in page.conditions},
                reference=new_key() if FORMS[test.form].by_bs1534 else None,
                **vars(page),
            )
            for page in pages_of(test, number)
        ]
        kept = json.dumps([page.model_dump(exclude_defaults=True) for page in pages])
        planned, came = sum(not page.training for page in pages), json.dumps(given.came_with)
        listener = sql.execute(
            "INSERT INTO listeners (name, token_sha256, number, started_utc, last_utc, planned,"
            " pages, came_with) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (name, token_digest(token), number, now, now, planned, kept, came),
        ).lastrowid
        sql.execute(
            "UPDATE invitations SET used = 1, listener = ? WHERE code_sha256 = ?", (listener, code)
        )
    return name, token


def _invitation(sql: sqlite3.Connection, invite: str | None) -> str | None:
    """Digest of the invitation to use up; None where the test is open to all."""
    # Whoever did not consent yet may use theirs again: the first answer may have been lost.
    if not sql.execute("SELECT 1 FROM invitations LIMIT 1").fetchone():
        return None
    if not invite:
        raise Refused(403, "invite", "This test is by invitation: open the link that you were sent")
    code = token_digest(invite)
    found = sql.execute(
        "SELECT used, listener FROM invitations WHERE code_sha256 = ?", (code,)
    ).fetchone()
    if found is None:
        raise Refused(403, "invite", "This invitation is not known; ask for a new link")
    again = "DELETE FROM listeners WHERE id = ? AND consented_utc IS NULL"
    if found["used"] and not sql.execute(again, (found["listener"],)).rowcount:
        raise Refused(403, "invite-used", "This invitation has been used already")
    return code


@contextmanager
def session(responses: Responses, token: str, *, keep: bool = False) -> Iterator[Session]:
    """The listener that a token belongs to, or `Refused` with status 401.

    To `keep` what is changed of them within; they then count as seen.
    """
    with responses.transaction() as sql:
        row = sql.execute(
            "SELECT * FROM listeners WHERE token_sha256 = ?", (token_digest(token),)
        ).fetchone()
        if row is None:
            raise Refused(401, "token", "This session is not known; open the test anew")
        yield (listener := Session.model_validate(dict(row)))
        if keep:
            told = listener.model_dump(round_trip=True) | {"last_utc": utc_text()}
            columns = ", ".join(f"{name} = :{name}" for name in told)
            sql.execute(f"UPDATE listeners SET {columns} WHERE id = :id", told)


def seen(responses: Responses, token: str) -> Session:
    """The listener that a token belongs to, who counts as seen now."""
    with session(responses, token, keep=True) as listener:
        return listener


def consent(responses: Responses, token: str) -> None:
    """Note that the listener agreed; the first time counts."""
    with session(responses, token, keep=True) as listener:
        listener.consented_utc = listener.consented_utc or utc_text()


def answer_questionnaire(
    responses: Responses, test: ListeningTest, token: str, given: Mapping[str, str]
) -> None:
    """Keep answers to the questionnaire, in place of earlier ones, if they fit the questions."""
    with session(responses, token, keep=True) as listener:
        listener.check_consent()
        if unknown := given.keys() - {question.id for question in test.questionnaire}:
            raise Refused(422, "answer", f"There is no question {min(unknown)!r:.40}")
        kept = {id_: answer for id_, answer in given.items() if answer}
        for question in test.questionnaire:
            answer = kept.get(question.id)
            if answer is None and question.required:
                raise Refused(422, "answer", f"Please answer: {question.text}")
            if answer and question.kind == "choice" and answer not in question.choices:
                sentence = f"Please choose one of the answers to: {question.text}"
                raise Refused(422, "answer", sentence)
            if answer and question.kind == "number" and not _NUMBER.fullmatch(answer):
                raise Refused(422, "answer", f"Please enter a number: {question.text}")
        listener.questionnaire, listener.answered_utc = kept, utc_text()


def stimulus_under(responses: Responses, token: str, key: str) -> tuple[str, str]:
    """Item and condition that a key of this listener stands for; `Refused` if it is not theirs."""
    with session(responses, token) as listener:
        for page in listener.pages:
            if key in page.stimuli:
                return page.item, page.stimuli[key]
            if key == page.reference:
                return page.item, REFERENCE
    raise Refused(404, "stimulus", "There is no such stimulus in this session")


def submit(
    responses: Responses, test: ListeningTest, token: str, key: str, given: Submission
) -> tuple[str | None, bool]:
    """Keep the responses of a page, once; the key of the next one, and whether it was kept before.

    Scores, answer and comment make a submission what it is: sent again with the same ones it is
    taken for a retry whose first answer got lost, whatever its times and counts.
    """
    with session(responses, token, keep=True) as listener:
        listener.check_consent()
        waiting = [page.key for page in listener.pages if page.response is None]
        page = next((page for page in listener.pages if page.key == key), None)
        if page is None:
            raise Refused(404, "page", "There is no such page in this session")
        form = FORMS[test.form]
        judged = list(page.stimuli)[-1:] if form.kind == "single" else list(page.stimuli)
        if allowed := [a for a in form.answers if a != "tie" or test.allow_tie]:
            if given.ratings or given.answer not in allowed:
                raise Refused(422, "answer", f"Expected one answer of {', '.join(allowed)}")
        elif given.answer or sorted(r.stimulus for r in given.ratings) != sorted(judged):
            sentence = "Every sound that is asked about must be rated, each once"
            raise Refused(422, "unrated", sentence)
        elif not all(form.scale[0] <= rated.score <= form.scale[1] for rated in given.ratings):
            raise Refused(422, "score", "Scores on this page are from {} to {}".format(*form.scale))
        length_s = {item.id: item.duration_s for item in (*test.items, *test.training)}[page.item]
        least_s = length_s if form.kind == "single" else min(LEAST_HEARD_S, length_s)
        # 10 ms are forgiven.
        enough = (k for k, h in given.heard.items() if h.plays and h.heard_s >= least_s - 0.01)
        if not page.stimuli.keys() <= set(enough):
            sentence = f"Every sound of the page must be heard for {least_s:g} s or longer"
            raise Refused(422, "unheard", sentence)
        if kept := page.response:
            said = [(one.scores, one.answer, one.comment) for one in (kept, given)]
            if said[0] != said[1]:
                raise Refused(409, "submitted", "This page has been submitted with other answers")
            return next(iter(waiting), None), True
        if waiting[0] != key:
            raise Refused(409, "order", "An earlier page is to be rated first")
        page.submitted_utc, page.response = utc_text(), given
        listener.rated += not page.training
        return next(iter(waiting[1:]), None), False


def finish(responses: Responses, test: ListeningTest, token: str) -> None:
    """Note that the listener is through; `Refused` if a page or a required answer is missing."""
    with session(responses, token, keep=True) as listener:
        if left := sum(page.response is None for page in listener.pages):
            raise Refused(409, "unfinished", f"{left} pages are still to be rated")
        if any(q.required and q.id not in listener.questionnaire for q in test.questionnaire):
            raise Refused(409, "questionnaire", "The questionnaire is still to be answered")
        listener.finished_utc = listener.finished_utc or utc_text()


def delete_listener(responses: Responses, name: str) -> None:
    """Delete a listener and all they said, beyond recovery from the file; `Refused` if unknown."""
    with responses.transaction() as sql:
        gone = sql.execute("DELETE FROM listeners WHERE name = ?", (name,)).rowcount
    if not gone:
        raise Refused(404, "listener", f"There is no listener {name!r:.40} in this test")
    responses.wipe()


def make_invitations(responses: Responses, count: int) -> list[str]:
    """Codes, each for one listener; from the first on, nobody comes without one."""
    codes = [new_key() for _ in range(count)]
    digests = [(token_digest(code),) for code in codes]
    with responses.transaction() as sql:
        sql.executemany("INSERT INTO invitations (code_sha256) VALUES (?)", digests)
    return codes


def entrance(responses: Responses, most: int | None = None) -> dict[str, bool]:
    """Whether listeners need an invitation (``invite_required``), and whether it is ``full``."""
    with responses.transaction() as sql:
        invited = sql.execute("SELECT 1 FROM invitations LIMIT 1").fetchone() is not None
        here = sql.execute("SELECT count(*) FROM present WHERE here").fetchone()[0]
        return {"invite_required": invited, "full": most is not None and here >= most}


# ------------------------------------------------------------------------------ the answers so far
def read_study(test: ListeningTest, folder: Path) -> Study:
    """All responses to a test so far, also while it is served; `StoreError` if there are none.

    Training pages are left out; so are listeners who never consented. `folder` is the test's, or
    the file ``answers.sqlite`` itself, wherever it is.
    """
    people: list[Listener] = []
    answers: list[Rating | Choice] = []
    path = folder / ANSWERS_FILE if folder.is_dir() else folder
    uri = f"{path.resolve().as_uri()}?mode=ro"
    with _readable(path, there=True), closing(sqlite3.connect(uri, uri=True)) as sql:
        sql.row_factory = sqlite3.Row
        sql.execute("BEGIN")  # one unchanging view, also while a server writes on
        _check_version(sql, path)
        rows = sql.execute("SELECT * FROM listeners WHERE consented_utc IS NOT NULL ORDER BY id")
        for listener in (Session.model_validate(dict(row)) for row in rows):
            name, seen = listener.name, listener.observed
            people.append(Listener(name, listener.questionnaire, listener.planned, seen))
            rated = (page for page in listener.pages if not page.training)
            for number, page in enumerate(rated):
                if (said := page.response) is None:
                    continue
                if said.answer is not None:
                    a, b, *x = page.stimuli.values()
                    least = min(map(said.heard.__getitem__, page.stimuli), key=lambda h: h.heard_s)
                    told = said.answer, x[0] if x else None, number, said.time_s, said.comment
                    answers.append(Choice(name, page.item, a, b, *told, least.plays, least.heard_s))
                    continue
                scores, keys, names = said.scores, [*page.stimuli], [*page.stimuli.values()]
                if keys[0] not in scores and names[0] != REFERENCE == names[-1]:
                    scores = {keys[0]: -scores[keys[-1]]}  # which was rated against the first
                for place, (key, condition) in enumerate(page.stimuli.items()):
                    if key in scores:
                        at, heard = (number, place, said.time_s, said.comment), said.heard[key]
                        own = float(scores[key]), *at, heard.plays, heard.heard_s
                        answers.append(Rating(name, page.item, condition, *own))
    return Study.of(test, tuple(people), tuple(answers))
