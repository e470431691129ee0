"""The rules of a rating page: each test is one listener who goes through several of them."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.support.listening_page import SYSTEMS, Begin, next_page, rate_all, scores, until


def numbers(tab: Any) -> list[str]:
    return [text.split()[0] for text in tab.locator(".condition").all_inner_texts()]


def hear(tab: Any, number: int) -> None:
    tab.locator(".condition").nth(number - 1).click()
    tab.locator(".column[data-playing]").nth(0).wait_for()


def test_practice_help_and_sliders(visit: Begin) -> None:
    begun = visit(pages=1, training=1)
    tab = begun.to_first_page()
    sliders, missing = tab.locator(".slider"), tab.locator("#missing")
    assert tab.locator("h1").inner_text() == "Practice 1 of 1"
    assert "for practice" in tab.locator(".practice").inner_text()

    # No value until a slider is touched.
    assert tab.locator(".thumb:visible").count() == 0
    assert sliders.first.get_attribute("aria-valuetext") == "not rated"
    assert sliders.first.get_attribute("aria-valuenow") is None
    assert scores(tab) == ["–"] * 4
    assert missing.inner_text() == "Still to hear: all. Still to rate: all."

    # The help lists the keys, which rest meanwhile.
    tab.keyboard.press("?")
    dialog = tab.locator("dialog")
    assert "Hear the reference" in dialog.inner_text()
    tab.keyboard.press("1")
    assert tab.locator("[data-playing]").count() == 0
    tab.keyboard.press("Escape")
    dialog.wait_for(state="detached")

    # Only the slider of what plays moves.
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

    # Keys move what is heard even if another slider was clicked.
    hear(tab, 1)
    sliders.first.click()
    tab.keyboard.press("3")
    tab.keyboard.press("ArrowUp")
    tab.keyboard.press("End")
    assert scores(tab) == ["50", "–", "100", "–"]
    rate_all(tab)
    next_page(tab)
    assert tab.locator("h1").inner_text() == "Page 1 of 1"
    assert tab.locator(".practice").count() == 0


def test_the_way_on_comments_and_sorting(visit: Begin) -> None:
    begun = visit()
    tab = begun.to_first_page()
    missing, next_button = tab.locator("#missing"), tab.get_by_role("button", name="Next")

    # Next waits until all was heard and rated, and says what is missing.
    assert next_button.get_attribute("aria-disabled") == "true"
    hear(tab, 1)
    tab.locator(".slider").first.click()
    hear(tab, 3)
    assert missing.inner_text() == "Still to hear: 2 and 4. Still to rate: 2, 3, and 4."
    next_button.click(force=True)
    assert not begun.stage.done
    rate_all(tab)
    assert missing.inner_text() == "All done: you may go on."

    # Shortcuts rest while a comment is written.
    tab.keyboard.press("Space")
    tab.locator("#comment").click()
    tab.keyboard.type("n 1 r?")
    assert tab.locator("[data-playing]").count() == 0
    assert tab.locator("dialog").count() == 0
    next_page(tab)
    (body,) = until(lambda: begun.stage.done)
    assert body.comment == "n 1 r?"
    assert [rating.score for rating in body.ratings] == [30, 40, 50, 60]
    assert all(rating.plays >= 1 for rating in body.ratings)

    # Sorting puts the best first, leaves numbers with their signals, and outlives a reload.
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

    # Nothing about conditions is in the page, and nothing came from elsewhere.
    markup = tab.content()
    assert not re.search(r"anchor|codec|kbps|hidden reference", markup, re.IGNORECASE)
    assert not any(rating.stimulus in markup for rating in body.ratings)
    assert not begun.complaints
    origins = (begun.stage.origin, "data:")
    assert not [url for url in begun.requests if not url.startswith(origins)]


def test_twelve_versions_fit_and_everything_is_done_by_the_keyboard(visit: Begin) -> None:
    tab = visit(form="mushra", systems=SYSTEMS).to_first_page()
    for width, height in ((1024, 768), (820, 1180), (1280, 800)):
        tab.set_viewport_size({"width": width, "height": height})
        root = "document.documentElement"
        assert tab.evaluate(f"[{root}.scrollWidth, {root}.scrollHeight]") == [width, height]
        targets = tab.locator("main :is(button, .slider, textarea, .handle)")
        boxes = targets.evaluate_all(
            "all => all.map((one) => one.getBoundingClientRect().toJSON())"
        )
        assert min(box["width"] for box in boxes) >= 44
        assert min(box["height"] for box in boxes) >= 43.5

    for place, key in enumerate("1234567890ab"):
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


def test_loops_are_set(visit: Begin) -> None:
    tab = visit().to_first_page()
    box = tab.locator(".track").bounding_box()
    middle = box["y"] + box["height"] / 2
    start, end = (tab.locator(f".handle.{which}") for which in ("start", "end"))

    def region() -> list[float]:
        return [float(handle.get_attribute("aria-valuenow")) for handle in (start, end)]

    tab.mouse.move(box["x"] + 0.25 * box["width"], middle)
    tab.mouse.down()
    tab.mouse.move(box["x"] + 0.5 * box["width"], middle)
    tab.mouse.move(box["x"] + 0.75 * box["width"], middle)
    tab.mouse.up()
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

    # Without a loop the excerpt ends, and its slider rests.
    tab.keyboard.press("l")
    tab.locator(".column[data-playing]").wait_for(state="detached")
    assert tab.locator(".slider[aria-disabled=false]").count() == 0


@pytest.mark.parametrize("form", ["ab", "abx"])
def test_pairs_are_answered_after_all_was_heard(visit: Begin, form: str) -> None:
    begun = visit(pages=1, form=form, systems=SYSTEMS[:2] if form == "ab" else SYSTEMS[:1])
    tab = begun.to_first_page()
    assert tab.locator("input[type=radio]:disabled").count() == (3 if form == "ab" else 2)
    missing = "A and B." if form == "ab" else "A, B, and X."
    assert tab.locator("#missing").inner_text() == f"Still to hear: {missing}"
    tab.keyboard.press("a")
    tab.locator(".signal.a[data-playing]").wait_for()
    tab.keyboard.press("ArrowLeft")
    assert tab.locator("input[type=radio]:checked").count() == 0
    if form == "ab":
        tab.get_by_role("button", name="Play B").click()
        tab.locator(".choice", has_text="No preference").click()
    else:
        for key in "bx":
            tab.keyboard.press(key)
        tab.keyboard.press("ArrowRight")
    tab.keyboard.press("n")
    tab.locator(".listener").wait_for()
    (body,) = begun.stage.done
    assert body.answer == ("tie" if form == "ab" else "b")
    assert body.playback["plays_b"] == 1
    assert not begun.complaints
