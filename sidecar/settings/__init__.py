"""sidecar.yml and its overrides: see :mod:`.models` for what there is, :mod:`.load` for where values come from."""

from __future__ import annotations

from sidecar.settings.load import PREFIX, default_data_directory, load_settings
from sidecar.settings.models import (
    EngineSettings,
    GatewaySettings,
    LimitSettings,
    LogSettings,
    RetentionSettings,
    ReviewSettings,
    ScheduleSettings,
    Settings,
    TargetSettings,
    TargetSpec,
    WatchSettings,
    Web,
    is_loopback,
)
from sidecar.settings.notifications import Destination, HookSettings
from sidecar.settings.secrets import kometa_environment

__all__ = [
    "PREFIX",
    "Destination",
    "EngineSettings",
    "GatewaySettings",
    "HookSettings",
    "LimitSettings",
    "LogSettings",
    "RetentionSettings",
    "ReviewSettings",
    "ScheduleSettings",
    "Settings",
    "TargetSettings",
    "TargetSpec",
    "WatchSettings",
    "Web",
    "default_data_directory",
    "is_loopback",
    "kometa_environment",
    "load_settings",
]
