from __future__ import annotations

import pytest

from snacbench.errors import UserError
from snacbench.listening.design import write_test
from tests.support.command_line import call
from tests.support.studies import numbered_test as a_test

FAST = ("--studies", 500)


def test_a_table_of_differences(tmp_path) -> None:
    done = call("mushra", "power", "--items", 10, "--systems", 4, *FAST, "--excluded", 0.5)
    rows = [line.split() for line in done.stdout.splitlines() if " points " in line][:3]
    assert [row[0] for row in rows] == ["5", "10", "15"]
    needed = [int(row[2]) for row in rows]
    assert needed == sorted(needed, reverse=True)
    assert [int(row[3]) for row in rows] == [2 * n for n in needed]
    assert "Holm over 6 pairs" in done.stdout
    assert "Stahl" in done.stdout


def test_the_size_is_that_of_the_test(tmp_path) -> None:
    folder = write_test(tmp_path, a_test(6, systems=5, pages_per_listener=4)).parent
    done = call("mushra", "power", folder, *FAST, "--difference", 12)
    assert "6 items, 5 systems, 4 pages per listener" in done.stdout
    other = call("mushra", "power", folder, *FAST, "--systems", 3, "--pages-per-listener", 6)
    assert "6 items, 3 systems, 6 pages per listener" in other.stdout


def test_a_test_without_a_scale_and_one_without_a_size_are_refused(tmp_path) -> None:
    folder = write_test(tmp_path, a_test(4, "abx")).parent
    with pytest.raises(UserError, match="a test of form abx has none"):
        call("mushra", "power", folder)
    with pytest.raises(UserError, match="Name a TEST, or give --items and --systems"):
        call("mushra", "power", "--items", 8)
