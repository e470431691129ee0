"""The few shapes that everything in a ``.sncb`` file is made of, written and read.

Every value has exactly one form, so that a file says what it says in one way only: numbers are as
short as can be, runs as long as can be. Reading checks every length against the bytes that are
there before anything is allocated.
"""

from collections.abc import Iterable, Sequence
from itertools import chain, groupby, repeat

from snacbench.errors import BitstreamError

_GROUP_BITS = 7
_MORE = 1 << _GROUP_BITS
MOST = (1 << 64) - 1
MAX_TEXT_BYTES = 1024

Row = tuple[int, ...]


def number(value: int) -> bytes:
    """A number from 0 to 2**64 - 1, else BitstreamError: seven bits per byte, lowest first."""
    if not 0 <= value <= MOST:
        raise BitstreamError(f"a .sncb file holds numbers from 0 to 2**64 - 1, found {value}")
    encoded = bytearray()
    while value >= _MORE:
        encoded.append(value % _MORE | _MORE)
        value >>= _GROUP_BITS
    encoded.append(value)
    return bytes(encoded)


def numbers(values: Iterable[int]) -> bytes:
    """Numbers one after another."""
    return b"".join(map(number, values))


def text(value: str) -> bytes:
    """UTF-8 after its length in bytes."""
    encoded = value.encode()
    return number(len(encoded)) + encoded


def runs(rows: Sequence[Row]) -> bytes:
    """Rows of numbers, equal neighbours once: number of runs, then each one's length and row.

    Streams are mostly alike: the 46 of a codec take the room of one.
    """
    grouped = [(len(list(equal)), row) for row, equal in groupby(rows)]
    return number(len(grouped)) + b"".join(numbers((count, *row)) for count, row in grouped)


class Cursor:
    """A place in bytes that are being read; nothing is read beyond their end.

    Every method raises `BitstreamError` where the bytes end too early, or are none that a writer
    writes.
    """

    def __init__(self, data: memoryview) -> None:
        self._data = data
        self.place = 0

    @property
    def left(self) -> int:
        """Bytes that are not read yet."""
        return len(self._data) - self.place

    def number(self, what: str, *, least: int = 0, most: int = MOST) -> int:
        """A number within limits, in no more bytes than it takes."""
        value = shift = 0
        while True:
            byte = self.take(1, what)[0]
            value |= byte % _MORE << shift
            shift += _GROUP_BITS
            if byte < _MORE:
                break
            if value > most or shift > MOST.bit_length():
                raise impossible(f"{what} is more than {most}")
        if shift > _GROUP_BITS and byte == 0:
            raise impossible(f"{what} is written in more bytes than it takes")
        if not least <= value <= most:
            raise impossible(f"{what} is {value}, expected {least} to {most}")
        return value

    def length(self, what: str) -> int:
        """A number of things that take a byte each at least, and are there."""
        length = self.number(what)
        if length > self.left:
            raise impossible(f"{what} is {length} and {self.left} bytes are left")
        return length

    def text(self, what: str) -> str:
        """A text in UTF-8 of at most `MAX_TEXT_BYTES`."""
        encoded = self.take(self.number(f"the length of {what}", most=MAX_TEXT_BYTES), what)
        try:
            return bytes(encoded).decode()
        except UnicodeDecodeError as error:
            raise impossible(f"{what} is no text") from error

    def runs(self, what: str, *, least: Row, most: Row, rows: int) -> tuple[Row, ...]:
        """So many rows of numbers, each within its limits; no run goes on in the next one."""
        read: list[tuple[int, Row]] = []
        missing = rows
        for _ in range(self.number(f"the number of runs of {what}", most=rows)):
            count = self.number(f"a run of {what}", least=1, most=missing)
            missing -= count
            row = tuple(
                self.number(what, least=lowest, most=highest)
                for lowest, highest in zip(least, most, strict=True)
            )
            if read and read[-1][1] == row:
                raise impossible(f"{what} are written as more runs than they are")
            read.append((count, row))
        if missing:
            raise impossible(f"{what} are given for {rows - missing} of {rows}")
        return tuple(chain.from_iterable(repeat(row, count) for count, row in read))

    def take(self, size: int, what: str) -> memoryview:
        """The next bytes."""
        if size > self.left:
            raise impossible(f"{what} takes {size} bytes and {self.left} are left")
        self.place += size
        return self._data[self.place - size : self.place]

    def end(self, what: str) -> None:
        """Nothing may follow."""
        if self.left:
            raise impossible(f"{self.left} bytes follow {what}")


def impossible(reason: str) -> BitstreamError:
    """The error of content that no writer would write, although its checksum is right."""
    return BitstreamError(f"not a valid .sncb file: {reason}; have it written again")
