"""A report of a run under conditions: folded away, in tables and in players."""

from snacbench.report.build import build_report
from tests.support.reports import open_clip, run_with_audio


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
