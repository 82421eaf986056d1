"""What docs/ says of metrics, settings and files is so."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from sidecar.metrics import Figures, Metrics
from sidecar.model import Health
from sidecar.settings import Settings, reference

ROOT = Path(__file__).parents[2]
PAGES = ("install", "operation", "security", "settings", "troubleshooting")


def samples(tmp_path: Path) -> set[str]:
    metrics = Metrics("1")
    metrics.heard("run.phase", {"phase": "draw", "shard": 0})
    metrics.heard("picture", {"state": "rendered"})
    metrics.heard("run.ended", {"state": "done", "seconds": 1.0})
    figures = Figures(
        gateway={},
        health=[Health(part="plex", ok=True)],
        queue={"change": 0},
        outbox={("a", "sent"): 1},
        worker_starts=1,
        listeners=0,
        chores={"drift": (datetime.now(UTC), True)},
        data=tmp_path,
    )
    return {sample.name for family in text_string_to_metric_families(metrics.text(figures).decode()) for sample in family.samples}


def test_the_dashboard_asks_for_metrics_that_there_are(tmp_path: Path) -> None:
    dashboard = json.loads((ROOT / "docs" / "grafana.json").read_text())
    asked = {
        name for panel in dashboard["panels"] for target in panel["targets"] for name in re.findall(r"kometa_sidecar_\w+", target["expr"])
    }
    assert len(asked) > 15
    assert asked <= samples(tmp_path)
    places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in dashboard["panels"]]
    assert len(set(places)) == len(places)


def test_every_metric_is_explained(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "operation.md").read_text()
    for name in samples(tmp_path):
        short = (
            name.removeprefix("kometa_sidecar_")
            .removesuffix("_bucket")
            .removesuffix("_sum")
            .removesuffix("_count")
            .removesuffix("_created")
        )
        assert short.startswith("process_") or f"`{short}`" in page or f"`{short}_total`" in page, name


def test_every_setting_is_in_the_reference() -> None:
    table = reference.table()
    for name, info in Settings.model_fields.items():
        assert f"`{info.alias or name}`" in table
    assert "| `token` |  | At least 12 characters" in table
    assert "Secret file: `web_token`; variable: `KOMETA_SIDECAR_WEB__TOKEN_FILE`." in table
    assert "| `file_size` | `64MiB` |" in table
    assert "SecretStr" not in table
    assert "PydanticUndefined" not in table


def test_links_and_files_that_the_pages_name_are_there() -> None:
    for page in PAGES:
        text = (ROOT / "docs" / f"{page}.md").read_text()
        for target in re.findall(r"\]\((?!https?:)([^)#]+)(?:#[^)]*)?\)", text):
            assert (ROOT / "docs" / target).exists(), f"{page}.md links to {target}"
        for target in re.findall(r"(?<![\w/])(?:tests|systemd|config)/[\w/.-]+\w(?![\w*-])", text):
            assert (ROOT / target).exists(), f"{page}.md names {target}"
        for anchor, target in re.findall(r"\]\(([\w.]+\.md)?#([\w-]+)\)", text):
            other = (ROOT / "docs" / anchor).read_text() if anchor else text
            heads = {
                re.sub(r"[^\w -]", "", line.lstrip("# ").lower()).replace(" ", "-") for line in other.splitlines() if line.startswith("#")
            }
            assert target in heads, f"{page}.md links to {anchor}#{target}"
