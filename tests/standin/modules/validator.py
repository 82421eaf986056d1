"""``--validate``: is the config sound, without drawing? ``Result: PASSED`` or ``FAILED`` in the log says so."""

from __future__ import annotations

from pathlib import Path

from modules import util
from modules.util import Failed

logger = util.logger

LEVELS = ("syntax", "structure", "full")


class ConfigValidator:
    """syntax: every file parses; structure: and exists; full: and everything can be connected to."""

    def __init__(self, requests, default_dir, attrs, secret_args, level="structure", validate_schema=False, schema_path=None) -> None:
        self.requests = requests
        self.default_dir = default_dir
        self.attrs = attrs
        self.level = level
        self.path = Path(attrs.get("config_file") or Path(default_dir) / "config.yml").absolute()
        self.errors: list[str] = []
        self.warnings: list[str] = []
        if validate_schema:
            self.warnings.append(f"Schema directory not found, skipping schema validation: {schema_path}")

    def validate(self) -> tuple[bool, list[str], list[str]]:
        if self.level == "full":
            from modules.config import ConfigFile

            try:
                ConfigFile(self.requests, self.default_dir, self.attrs, {})
            except Exception as error:  # noqa: BLE001  # as Kometa: whatever stops the config is an error of the config
                self.errors.append(f"Full validation error: {error}")
        else:
            self._check_files()
        self._report()
        return not self.errors, self.errors, self.warnings

    def _check_files(self) -> None:
        data = self._load(self.path, "config.yml")
        if data is None:
            return
        if not data.get("libraries"):
            self.warnings.append("config.yml: 'libraries' key is missing or empty")
        if "tmdb" not in data:
            self.warnings.append("config.yml: 'tmdb' key not found")
        for name, library in (data.get("libraries") or {}).items():
            for entry in util.get_list((library or {}).get("overlay_files"), split=False):
                file = entry.get("file") if isinstance(entry, dict) else entry
                if file and not Path(file).exists():
                    if self.level == "structure":
                        self.errors.append(f"library '{name}' overlay_files: path not found: {Path(file).absolute()}")
                elif file:
                    self._load(file, f"library '{name}' overlay_files: {Path(file).name}")

    def _load(self, path, label: str):
        try:
            return self.requests.file_yaml(path).data
        except Failed as error:
            self.errors.append(f"{label}: {str(error).splitlines()[0]}")
            return None

    def _report(self) -> None:
        logger.info("")
        logger.separator("Validation Report", space=False, border=False)
        for title, texts, write in (("Errors", self.errors, logger.error), ("Warnings", self.warnings, logger.warning)):
            if texts:
                logger.info(f" {title} ({len(texts)}):")
                for text in texts:
                    write(f"   {text}")
        logger.info(f" Result: {'FAILED' if self.errors else 'PASSED'}")
