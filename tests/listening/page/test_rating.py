"""The rules of a rating page."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from tests.listening.page.conftest import Visit, next_page, rate_all, until

Begin = Callable[..., Visit]


def scores(tab: Any) -> list[str]:
    return list(tab.locator(".value").all_inner_texts())


def numbers(tab: Any) -> list[str]:
    return [text.split()[0] for text in tab.locator(".condition").all_inner_texts()]


def hear(tab: Any, number: int) -> None:
    tab.locator(".condition").nth(number - 1).click()
    tab.locator(".column[data-playing]").nth(0).wait_for()


def test_sliders_have_no_value_until_they_are_touched(visit: Begin) -> None:
    tab = visit().to_first_page()
    assert tab.locator(".thumb:visible").count() == 0
    slider = tab.locator(".slider").first
    assert slider.get_attribute("aria-valuetext") == "not rated"
    assert slider.get_attribute("aria-valuenow") is None
    assert scores(tab) == ["–"] * 4


def test_only_the_slider_of_what_plays_moves(visit: Begin) -> None:
    tab = visit().to_first_page()
    sliders = tab.locator(".slider")
    sliders.nth(1).click(force=True)
    hear(tab, 1)
    sliders.nth(1).click(force=True)
    assert scores(tab) == ["–"] * 4
    assert tab.locator("#announcer").inner_text() == "Play Version 2 to rate it"
    assert tab.locator(".slider[aria-disabled=false]").count() == 1
    sliders.nth(0).click()
    assert scores(tab) == ["50", "–", "–", "–"]
    tab.get_by_role("button", name="Stop").click()
    tab.locator(".column[data-playing]").wait_for(state="detached")
    sliders.nth(0).click(position={"x": 20, "y": 5}, force=True)
    assert scores(tab)[0] == "50"


def test_next_waits_until_all_was_heard_and_rated_and_says_what_is_missing(visit: Begin) -> None:
    begun = visit()
    tab = begun.to_first_page()
    missing, next_button = tab.locator("#missing"), tab.get_by_role("button", name="Next")
    assert missing.inner_text() == "Still to hear: all. Still to rate: all."
    assert next_button.get_attribute("aria-disabled") == "true"
    hear(tab, 1)
    tab.locator(".slider").first.click()
    hear(tab, 3)
    assert missing.inner_text() == "Still to hear: 2 and 4. Still to rate: 2, 3, and 4."
    next_button.click(force=True)
    assert not begun.fake.only["done"]
    rate_all(tab)
    assert missing.inner_text() == "All done: you may go on."
    next_page(tab)
    ratings = until(lambda: begun.fake.only["done"].get("p0"))["ratings"]
    assert [rating["score"] for rating in ratings] == [30, 40, 50, 60]
    assert [rating["stimulus"] for rating in ratings] == ["s0x0", "s0x1", "s0x2", "s0x3"]
    assert all(rating["plays"] >= 1 for rating in ratings)


def test_everything_is_done_by_the_keyboard(visit: Begin) -> None:
    begun = visit(conditions=12)
    tab = begun.to_first_page()
    keys = [*"1234567890ab"]
    for place, key in enumerate(keys):
        tab.keyboard.press(key)
        tab.wait_for_function(
            "n => document.querySelectorAll('.column')[n].matches('[data-playing]')", arg=place
        )
        tab.keyboard.press("ArrowUp")
        for _ in range(place):
            tab.keyboard.press("ArrowDown")
    assert scores(tab) == [str(50 - place) for place in range(12)]
    tab.keyboard.press("PageUp")
    assert scores(tab)[11] == "49"
    tab.keyboard.press("ArrowLeft")
    tab.keyboard.press("PageDown")
    assert scores(tab)[10:] == ["30", "49"]
    tab.keyboard.press("r")
    assert tab.locator(".reference[data-playing]").count() == 1
    tab.keyboard.press("Space")
    assert tab.locator("[data-playing]").count() == 0
    tab.keyboard.press("l")
    assert tab.get_by_role("button", name="Loop").get_attribute("aria-pressed") == "false"
    tab.keyboard.press("n")
    tab.locator("h1", has_text="Page 2").wait_for()


def test_keys_move_what_is_heard_even_if_another_slider_was_clicked(visit: Begin) -> None:
    tab = visit().to_first_page()
    hear(tab, 1)
    tab.locator(".slider").first.click()
    tab.keyboard.press("3")
    tab.keyboard.press("ArrowUp")
    tab.keyboard.press("End")
    assert scores(tab) == ["50", "–", "100", "–"]


def test_shortcuts_rest_while_a_comment_is_written(visit: Begin) -> None:
    begun = visit()
    tab = begun.to_first_page()
    rate_all(tab)
    tab.keyboard.press("Space")
    tab.locator("#comment").click()
    tab.keyboard.type("n 1 r?")
    assert tab.locator("[data-playing]").count() == 0
    assert tab.locator("dialog").count() == 0
    next_page(tab)
    assert until(lambda: begun.fake.only["done"].get("p0"))["comment"] == "n 1 r?"


def test_the_help_lists_the_keys(visit: Begin) -> None:
    tab = visit().to_first_page()
    tab.keyboard.press("?")
    dialog = tab.locator("dialog")
    assert "Hear the reference" in dialog.inner_text()
    tab.keyboard.press("1")
    assert tab.locator("[data-playing]").count() == 0
    tab.keyboard.press("Escape")
    dialog.wait_for(state="detached")


def test_sorting_puts_the_best_first_and_leaves_numbers_with_their_signals(visit: Begin) -> None:
    tab = visit().to_first_page()
    rate_all(tab)
    tab.get_by_role("button", name="Sort by score").click()
    assert scores(tab) == ["60", "50", "40", "30"]
    assert numbers(tab) == ["4", "3", "2", "1"]
    tab.keyboard.press("2")
    playing = tab.locator(".column[data-playing] .condition")
    assert playing.inner_text().split()[0] == "2"
    tab.reload()
    tab.wait_for_selector("main.rating")
    assert numbers(tab) == ["4", "3", "2", "1"]


def test_all_sources_start_at_one_moment_and_run_through_switches(visit: Begin) -> None:
    tab = visit().to_first_page()
    tab.evaluate(
        """() => {
          window.starts = [];
          const { prototype } = AudioBufferSourceNode, start = prototype.start;
          prototype.start = function (...when) { starts.push(when); start.apply(this, when); };
        }"""
    )
    hear(tab, 1)
    for key in "23412r":
        tab.keyboard.press(key)
        tab.wait_for_timeout(40)
    starts = tab.evaluate("starts")
    assert len(starts) == 6  # reference, four versions, and the fades of the loop
    assert all(start == starts[0] for start in starts)


# The latest second that its clock shows, once that went back.
LAP = """
() => {
  const now = parseFloat(document.querySelector(".clock").innerText);
  const back = now < (window.last ?? 0);
  window.last = now;
  window.most = Math.max(window.most ?? 0, now);
  return back && [now, window.most];
}
"""


def test_a_part_is_looped_by_dragging_and_by_keys(visit: Begin) -> None:
    tab = visit().to_first_page()
    box = tab.locator(".track").bounding_box()
    middle = box["y"] + box["height"] / 2
    start, end = (tab.locator(f".handle.{which}") for which in ("start", "end"))

    def drag(source: float, target: float) -> None:
        tab.mouse.move(box["x"] + source * box["width"], middle)
        tab.mouse.down()
        tab.mouse.move(box["x"] + (source + target) / 2 * box["width"], middle)
        tab.mouse.move(box["x"] + target * box["width"], middle)
        tab.mouse.up()

    def region() -> list[float]:
        return [float(handle.get_attribute("aria-valuenow")) for handle in (start, end)]

    drag(0.25, 0.75)
    assert region() == pytest.approx([0.5, 1.5], abs=0.02)
    start.press("ArrowRight")
    end.press("Shift+ArrowLeft")
    assert region() == pytest.approx([0.6, 1.49], abs=0.02)
    end.press("Home")  # no loop is shorter than 0.5 s
    assert region()[1] - region()[0] == pytest.approx(0.5, abs=0.011)
    hear(tab, 1)
    first, most = tab.wait_for_function(LAP).json_value()
    assert 0.5 <= first < most <= 1.2
    tab.get_by_role("button", name="Whole").click()
    assert region() == [0, 2]


def test_without_a_loop_the_excerpt_ends_and_its_slider_rests(visit: Begin) -> None:
    tab = visit().to_first_page()
    tab.keyboard.press("l")
    hear(tab, 2)
    tab.locator(".column[data-playing]").wait_for(state="detached")
    assert tab.locator(".slider[aria-disabled=false]").count() == 0


def test_pairs_are_answered_after_all_was_heard(visit: Begin) -> None:
    begun = visit(kinds=("ab", "abx"))
    tab = begun.to_first_page()
    assert tab.locator("input[type=radio]:disabled").count() == 3
    assert tab.locator("#missing").inner_text() == "Still to hear: A and B."
    tab.keyboard.press("a")
    tab.locator(".signal.a[data-playing]").wait_for()
    tab.keyboard.press("ArrowLeft")
    assert tab.locator("input[type=radio]:checked").count() == 0
    tab.get_by_role("button", name="Play B").click()
    tab.locator(".choice", has_text="No preference").click()
    tab.keyboard.press("n")
    tab.locator("main.abx").wait_for()
    assert tab.locator("input[type=radio]").count() == 2
    for key in "abx":
        tab.keyboard.press(key)
    tab.keyboard.press("ArrowRight")
    tab.keyboard.press("n")
    tab.locator(".listener").wait_for()
    done = begun.fake.only["done"]
    assert [done[key]["answer"] for key in ("p0", "p1")] == ["tie", "b"]
    assert done["p1"]["playback"]["plays_x"] == 1
    assert not begun.complaints


def test_practice_is_told_apart(visit: Begin) -> None:
    tab = visit(kinds=("mushra!", "mushra")).to_first_page()
    assert tab.locator("h1").inner_text() == "Practice 1 of 1"
    assert "for practice" in tab.locator(".practice").inner_text()
    rate_all(tab)
    next_page(tab)
    assert tab.locator("h1").inner_text() == "Page 1 of 1"
    assert tab.locator(".practice").count() == 0


def test_nothing_about_conditions_is_in_the_page(visit: Begin) -> None:
    begun = visit()
    tab = begun.to_first_page()
    rate_all(tab)
    markup = tab.content()
    assert not re.search(r"anchor|codec|kbps|hidden reference", markup, re.IGNORECASE)
    assert not any(key in markup for key in begun.fake.sounds)
    assert not begun.complaints
    outside = [url for url in begun.requests if not url.startswith((begun.fake.origin, "data:"))]
    assert not outside


@pytest.mark.parametrize(("width", "height"), [(1280, 800), (1024, 768), (820, 1180)])
def test_twelve_versions_fit(visit: Begin, width: int, height: int) -> None:
    tab = visit(conditions=12).to_first_page()
    tab.set_viewport_size({"width": width, "height": height})
    size = tab.evaluate(
        "[document.documentElement.scrollWidth, document.documentElement.scrollHeight]"
    )
    assert size == [width, height]
    targets = tab.locator("main :is(button, .slider, textarea, .handle)")
    boxes = [target.bounding_box() for target in targets.all()]
    assert min(box["width"] for box in boxes) >= 44
    assert min(box["height"] for box in boxes) >= 43.5
