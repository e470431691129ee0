"""Tables of cases that stand in a file beside the test that goes through them."""

from pathlib import Path
from typing import Any

import yaml


def cases(test: str) -> Any:
    """``cases(__file__)["mistakes"]``: a table of the YAML file that is named as the test is."""
    return yaml.safe_load(Path(test).with_suffix(".yaml").read_text("utf-8"))
