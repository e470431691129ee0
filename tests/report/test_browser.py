"""The page in a real browser: players in step, tables that sort, and nothing from outside."""

import numpy as np
import pytest

from snacbench.report.build import build_report
from tests.conftest import BROWSER_STEP_S
from tests.support.listening_page import drag, script
from tests.support.reports import EVIL, open_clip, run_with_audio


@pytest.fixture
def opened(chromium, page):
    """The page; afterwards it has complained of nothing, and asked for nothing from outside."""
    errors: list[str] = []
    opened = chromium.new_page()
    opened.set_default_timeout(BROWSER_STEP_S * 1000)
    opened.asked = []
    opened.on("request", lambda request: opened.asked.append(request.url))
    opened.on("pageerror", lambda error: errors.append(str(error)))
    opened.on("dialog", lambda dialog: errors.append(f"dialog {dialog.message}"))
    opened.on("console", lambda m: m.type in ("error", "warning") and errors.append(m.text))
    opened.goto(page.as_uri())
    opened.wait_for_selector("[data-ready]")
    yield opened
    opened.close()
    assert not errors
    assert not [url for url in opened.asked if not url.startswith((page.parent.as_uri(), "data:"))]


def column(opened, index):
    cells = opened.locator(f"#score-table tbody tr > :nth-child({index})")
    return list(cells.all_inner_texts())


def playing(opened, what):
    return opened.evaluate(f"snacbench.players.player.{what}")


def test_a_name_that_is_a_script_is_shown_and_the_page_never_scrolls_sideways(opened):
    def scripts():
        return len([url for url in opened.asked if "/media/" in url and url.endswith(".js")])

    assert EVIL in opened.locator(".clip-name").all_inner_texts()
    assert scripts() == 0
    open_clip(opened, EVIL)
    assert opened.locator(".transcript").inner_text() == "a <b>tone</b>"
    assert scripts() == 1
    for width in (360, 1366):
        opened.set_viewport_size({"width": width, "height": 800})
        assert opened.evaluate("document.documentElement.scrollWidth") <= width


def test_signals_are_in_step_and_switching_cannot_be_heard(opened):
    open_clip(opened, "set/b")
    assert playing(opened, "buffers.map((b) => b.length)") == [96_000] * 4
    x, y = playing(opened, "buffers.slice(0, 2).map((b) => [...b.getChannelData(0)])")
    assert np.abs(np.subtract(x, y)).max() < 1e-6
    switches = [[0.2, 1], [0.4, 0], [0.404, 1], [0.6, 0]]  # the third within a crossfade
    heard = np.array(opened.evaluate(script("render_player"), [0, switches]))[2000:]
    # A sine obeys x[n+1] = 2 cos(w) x[n] - x[n-1]: a gap, a click or a jump in time does not.
    error = heard[2:] - 2 * np.cos(2 * np.pi * 440 / 48_000) * heard[1:-1] + heard[:-2]
    assert np.abs(error).max() < 1e-5
    assert np.abs(heard[-480:]).max() == pytest.approx(0.4, rel=1e-3)
    # After a switch, another signal sounds at the same place.
    heard = np.array(opened.evaluate(script("render_player"), [0, [[0.3, 2], [0.6, 3]]]))
    start = int(np.flatnonzero(heard)[0]) - 1  # a sine begins at zero
    time_s = (np.arange(48_000) - start) / 48_000
    for part, hertz in ((0.1, 440), (0.4, 880), (0.7, 1760)):
        inside = slice(round(part * 48_000), round((part + 0.15) * 48_000))
        expected = 0.4 * np.sin(2 * np.pi * hertz * time_s[inside])
        assert np.abs(heard[inside] - expected).max() < 1e-3


def test_keys_ladders_and_loops(opened):
    open_clip(opened, "set/b")
    for key, expected in (("1", 1), ("0", 0), ("r", 1), ("ArrowDown", 3), ("ArrowUp", 1)):
        opened.keyboard.press(key)
        assert playing(opened, "active") == expected, key
    opened.keyboard.press("ArrowRight")
    assert playing(opened, "position") == pytest.approx(1.0)
    opened.keyboard.press("ArrowLeft")
    assert playing(opened, "position") == 0
    chosen = opened.locator('.signal[aria-pressed="true"]')
    assert chosen.get_attribute("aria-label").startswith("same")
    ladder = opened.locator('.model[aria-label="ladder (demo)"] .signal b')
    assert ladder.all_inner_texts() == ["1kbps", "2kbps"]
    ladder.first.click()
    assert opened.locator(".hearing").inner_text() == "Hearing: ladder@1kbps (demo)"
    # A part is looped by dragging.
    plate = opened.locator(".plate").first
    plate.scroll_into_view_if_needed()
    drag(opened, plate.bounding_box(), 0.25, 0.5)
    assert playing(opened, "bounds") == pytest.approx([0.5, 1.0], abs=0.03)
    opened.locator(".play").click()
    opened.wait_for_timeout(900)
    assert 0.45 < playing(opened, "position") < 1.05


def test_scores_sort_both_ways_and_filter(opened):
    assert opened.locator("#score-table tbody tr").count() == 9
    opened.locator('.sort[data-column="0"]').click()
    values = [float(text) for text in column(opened, 5) if text != "failed"]
    assert values == sorted(values, reverse=True)
    assert column(opened, 5)[-1] == "failed"
    opened.locator('.sort[data-column="0"]').click()
    assert [float(text) for text in column(opened, 5)[:-1]] == sorted(values)
    assert opened.locator("th[aria-sort=ascending]").count() == 1
    opened.locator("#score-domain").select_option("speech")
    assert opened.locator("#score-table tbody tr").count() == 6
    opened.locator("#score-codec").select_option(label="same")
    opened.locator("#score-clip").fill("SCRIPT")
    assert column(opened, 1) == [EVIL]
    opened.locator("#score-metrics input").first.uncheck()
    assert opened.locator("#score-table thead th").count() == 5


def test_clips_are_found_as_best_and_worst_by_name_and_by_domain(opened):
    row = opened.locator("#extremes-body tr", has_text="ladder@1kbps")
    assert row.locator("td").first.locator("b").all_inner_texts() == ["20.00", "21.00", "22.00"]
    opened.locator("#extremes-metric").select_option("1")
    assert row.locator("td").first.locator("b").all_inner_texts() == ["4.00", "3.00", "2.00"]
    row.locator(".jump", has_text="set/b").first.click()
    opened.wait_for_selector(".clip.open .signal")
    assert playing(opened, "active") == 3
    opened.locator("#clip-domain").select_option("music")
    assert opened.locator(".clip:visible").count() == 1
    open_clip(opened, "set/c")
    assert opened.locator(".signal:disabled").count() == 1  # what failed has no player
    opened.locator("#clip-search").fill("nothing like it")
    assert opened.locator("#no-clip").is_visible()


def test_points_under_conditions_are_folded_away(tmp_path, chromium):
    page = build_report(run_with_audio(tmp_path, "loss@5%"), tmp_path / "report", clips=3)
    assert (page.parent / "figures/robustness-up.svg").is_file()
    opened = chromium.new_page()
    opened.goto(page.as_uri())
    opened.wait_for_selector("[data-ready]")
    assert opened.title().startswith("tiny: 3 codecs on 3 clips")
    folded = opened.locator("#summary details").first
    assert folded.locator("summary").inner_text().startswith("2 operating points under conditions")
    assert "+loss" not in opened.locator("#summary table").first.inner_text()
    assert opened.locator("#extremes-body tr").count() == 3
    open_clip(opened, "set/b")
    steps = opened.locator(".under .signal b")
    assert steps.all_text_contents() == ["loss@5%", "loss@5%"]
    assert not steps.first.is_visible()
    for _ in range(4):  # past the reference and the codecs' points
        opened.keyboard.press("ArrowDown")
    heard = opened.locator(".hearing").inner_text()
    assert heard == "Hearing: ladder@2kbps+loss@5% (demo)"
    assert steps.first.is_visible()
    opened.close()
