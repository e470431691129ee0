from pathlib import Path

import pytest

from snacbench.errors import UnknownName, UserError
from snacbench.plugins import select_metrics
from snacbench.recipes import shipped_recipes
from snacbench.recipes.recipe import find_recipe
from snacbench.selectors import among, select
from snacbench.testsets.opening import set_names
from tests.support.cases import cases

CASES = cases(__file__)
GOOD = CASES["good"]


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "mine.yaml"
    path.write_text(text, "utf-8")
    return path


def test_a_recipe_of_ones_own(tmp_path: Path) -> None:
    found = find_recipe(str(written(tmp_path, GOOD)))
    assert (found.name, len(found.sha256)) == ("mine", 64)
    options = found.options()
    assert (options["codecs"], options["data"]) == ("opus@8,opus@14,24", "quick")
    assert (options["weights"], options["seed"]) == (("published",), 0)
    assert "segments" not in options
    assert options["conditions"] == ("loss@1%,5%",)
    path = written(tmp_path, GOOD.replace("data: quick", "data: clips/set.csv"))
    assert find_recipe(str(path)).options()["data"] == str(tmp_path / "clips/set.csv")
    with pytest.raises(UserError, match=r"cannot read the recipe .*gone\.yaml"):
        find_recipe(str(tmp_path / "gone.yaml"))


@pytest.mark.parametrize(("old", "new", "message"), CASES["mistakes"])
def test_mistakes_are_named_with_their_line(tmp_path, old, new, message):
    assert old in GOOD
    path = written(tmp_path, GOOD.replace(old, new))
    with pytest.raises(UserError, match=f"mine.yaml, {message}"):
        find_recipe(str(path))


def test_shipped_recipes_are_known_by_name() -> None:
    with pytest.raises(UnknownName, match=r"no recipe named 'quik' .*; did you mean quick"):
        find_recipe("quik")
    assert set(shipped_recipes()) == {
        "quick", "snac-paper-speech", "snac-paper-music", "dac-table3", "opus-ladder",
        "low-rate-speech", "ablation", "librispeech-codec", "lrac", "mlcodec-battery",
    }  # fmt: skip


@pytest.mark.parametrize("name", shipped_recipes())
def test_everything_that_a_shipped_recipe_names_exists(name: str) -> None:
    found = find_recipe(name)
    options = found.options()
    assert options["data"] in set_names()
    assert select_metrics(options["metrics"])
    if found.recipe.codecs is None:
        assert found.recipe.hint
    else:
        families = "embedded" if options["weights"] == ("embedded",) else "published"
        chosen = select(options["codecs"], families=families)
        assert len({spec.name for _, spec in chosen}) == len(chosen)
        assert not any(spec.truncated for _, spec in chosen if spec.family == "snac")
        expected = {one.codec for figures in found.recipe.expect for one in figures.each()}
        for selector in expected - {""}:
            assert len(among([spec for _, spec in chosen], selector)) == 1
    for one in (one for figures in found.recipe.expect for one in figures.each()):
        assert one.metric in options["metrics"]
