"""The words that travel between the stages: one frozen dataclass per hop.

    watch -> Revision -> RenderJob -> engine -> Capture -> Run -> publish -> notify

Nothing here does I/O. Times are aware ``datetime`` in UTC, durations are seconds (float), sizes are bytes,
picture sizes are pixels, hashes are lower-case sha256 hex.
"""

from sidecar.model.engine import EngineEvent, EngineInfo, LogLine, Outcome, OutcomeKind, OverlayReport, Phase, QuickPicture, ShardEnd
from sidecar.model.gateway import Blob, BlockedWrite, Capture
from sidecar.model.plan import Grant, RenderJob, Scope, Shard, Target
from sidecar.model.revision import FrozenFile, LibraryPlan, Placeholder, PlexServer, PreviewConfig, Revision
from sidecar.model.run import EditBrief, Health, Picture, PictureState, Run, RunBrief, RunState
from sidecar.model.words import DEFAULT_SERVER, Change, Level, Problem, Severity

__all__ = [
    "DEFAULT_SERVER",
    "Blob",
    "BlockedWrite",
    "Capture",
    "Change",
    "EditBrief",
    "EngineEvent",
    "EngineInfo",
    "FrozenFile",
    "Grant",
    "Health",
    "Level",
    "LibraryPlan",
    "LogLine",
    "Outcome",
    "OutcomeKind",
    "OverlayReport",
    "Phase",
    "Picture",
    "PictureState",
    "Placeholder",
    "PlexServer",
    "PreviewConfig",
    "Problem",
    "QuickPicture",
    "RenderJob",
    "Revision",
    "Run",
    "RunBrief",
    "RunState",
    "Scope",
    "Severity",
    "Shard",
    "ShardEnd",
    "Target",
]
