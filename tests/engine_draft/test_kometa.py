"""The draft's pictures against real Kometa's, byte for byte, within the subset."""

from __future__ import annotations

import json
import pickle
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sidecar.engine.draft.decide import decide
from tests.cold import KometaInstall
from tests.engine_draft import cases as given
from tests.engine_draft.drawing import compiled, facts, pictures

ROOT = Path(__file__).parents[2]


def order_of(case: dict[str, Any], root: Path) -> Any:
    """The draft's order for a case, by its whole way from a YAML file on."""
    level = case["level"]
    overlays = {
        f"o{index}": {
            "plex_all": True,
            "builder_level": level,
            "overlay": overlay,
            **({"suppress_overlays": [f"o{other}" for other in case["suppress"][str(index)]]} if str(index) in case["suppress"] else {}),
        }
        for index, overlay in enumerate(case["overlays"])
    }
    settings = {"overlay_artwork_filetype": case.get("filetype", "png"), "overlay_artwork_quality": case.get("quality", 90)}
    library = compiled(root, overlays, "movie" if level == "movie" else "show", settings, queues=case["queues"])
    ours = [problem.what for problem in library.problems if "the draft cannot" in problem.what or problem.severity == "error"]
    assert not ours, (case["name"], ours)
    return decide(library, facts(case["xml"], level)).order


@pytest.mark.kometa
def test_every_case_is_drawn_as_kometa_draws_it(real_kometa: KometaInstall, tmp_path: Path) -> None:
    pictures(tmp_path)
    orders = []
    for case in given.cases():
        case["xml"] = given.ITEMS[case["level"]]
        orders.append((case, order_of(case, tmp_path)))
    case, order = orders[-1]
    wider = replace(order.layers[0].spec.place, horizontal_offset=31)
    shifted = replace(order.layers[0], spec=replace(order.layers[0].spec, place=wider))
    orders.append(({**case, "name": "off by a pixel"}, replace(order, layers=(shifted,))))
    (tmp_path / "orders.pickle").write_bytes(pickle.dumps(orders, protocol=4))
    command = [str(real_kometa.python), str(Path(__file__).with_name("both.py")), str(real_kometa.home), str(ROOT), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=110, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    report = json.loads(done.stdout.splitlines()[-1])
    assert "pixels differ" in str(report.pop("off by a pixel")), "the comparison sees nothing"
    assert len(report) == len(orders) - 1 > 120
    assert {name: what for name, what in report.items() if what} == {}
