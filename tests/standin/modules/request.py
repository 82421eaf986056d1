"""HTTP to everything that is not Plex, and YAML files."""

from __future__ import annotations

from pathlib import Path

import requests
import ruamel.yaml
from requests.exceptions import ConnectionError as Unreachable

from modules import util
from modules.util import Failed, retry

logger = util.logger

VERSIONS = "https://raw.githubusercontent.com/Kometa-Team/Kometa/{branch}/VERSION"
IMAGE_SUFFIX = {"image/jpeg": ".jpg", "image/webp": ".webp", "image/png": ".png"}
BROWSER = {"Accept-Language": "en-US,en;q=0.5", "User-Agent": "Mozilla/5.0 (stand-in)"}


class Requests:
    """One session for all of a run."""

    def __init__(self, local, part, env_branch, git_branch, verify_ssl=True):
        self.local = f"{local}.{part}" if part else local
        self.branch = git_branch or env_branch
        self.global_ssl = verify_ssl
        self.session = requests.Session()
        self.session.verify = verify_ssl
        latest = self._latest()
        self.newest = latest if latest and latest != local else None

    def _latest(self) -> str:
        """The newest version there is. An unreachable host ends the run after the last try; any status will do."""
        try:
            return self.get(VERSIONS.format(branch=self.branch)).content.decode(errors="replace").strip()
        except Unreachable:
            return ""

    @retry()
    def get(self, url, headers=None, params=None):
        return self.session.get(url, headers=headers, params=params)

    def get_json(self, url, params=None):
        response = self.get(url, params=params)
        try:
            return response.json()
        except ValueError:
            logger.error(str(response.content[:500]))
            raise

    def download_image(self, url: str, path: Path) -> Path:
        """Save the picture at ``url`` as ``path`` plus its type's suffix; returns that name."""
        response = self.get(url, headers=BROWSER)
        if response.status_code >= 400:
            raise Failed(f"Image Error: {response.status_code} on Image URL: {url}")
        kind = response.headers.get("Content-Type", "")
        if kind not in IMAGE_SUFFIX:
            raise Failed("Image Not PNG, JPG, or WEBP")
        image = path.with_name(path.name + IMAGE_SUFFIX[kind])
        image.write_bytes(response.content)
        return image

    def file_yaml(self, path):
        return YAML(path)


class YAML:
    """A YAML file; ``data`` is {} where it holds no mapping. Failed where it does not parse."""

    def __init__(self, path):
        self.path = Path(path)
        self.yaml = ruamel.yaml.YAML()
        self.yaml.width = 100000
        self.yaml.indent(mapping=2, sequence=2)
        try:
            data = self.yaml.load(self.path.read_text(encoding="utf-8"))
        except (ruamel.yaml.error.YAMLError, OSError, UnicodeError) as error:
            told = str(error).replace("\n", "\n      ")
            raise Failed(f"YAML Error: {told}") from error
        self.data = data if isinstance(data, dict) else {}

    def save(self) -> None:
        self.yaml.dump(self.data, self.path)
