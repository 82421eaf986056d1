"""What a media file holds, as a Plex server knows it after analysis: video, audio and subtitle streams.

The profiles are shared and frozen: a library of 20,000 movies holds a dozen of them. Attribute names follow Plex's
``Media``, ``Part`` and ``Stream`` elements.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

LANGUAGES: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "en": ("English", "eng"),
        "fr": ("Français", "fra"),
        "de": ("Deutsch", "deu"),
        "es": ("Español", "spa"),
        "it": ("Italiano", "ita"),
        "ja": ("日本語", "jpn"),
        "ko": ("한국어", "kor"),
        "da": ("Dansk", "dan"),
        "pt": ("Português", "por"),
    }
)
"""Language tag (as in ``languageTag`` and filter keys) -> Plex's ``language`` and ``languageCode``."""

_CHANNELS = MappingProxyType({1: "mono", 2: "stereo", 6: "5.1", 7: "6.1", 8: "7.1"})
_RESOLUTIONS = MappingProxyType({"4k": "4K", "1080": "1080p", "720": "720p", "576": "576p", "480": "480p", "sd": "SD"})
_COLOUR = MappingProxyType(
    {
        "": {"colorPrimaries": "bt709", "colorRange": "tv", "colorSpace": "bt709", "colorTrc": "bt709"},
        "hlg": {"colorPrimaries": "bt2020", "colorRange": "tv", "colorSpace": "bt2020nc", "colorTrc": "arib-std-b67"},
        "hdr": {"colorPrimaries": "bt2020", "colorRange": "tv", "colorSpace": "bt2020nc", "colorTrc": "smpte2084"},
    }
)


@dataclass(frozen=True, slots=True)
class Video:
    """A video stream. ``hdr``: empty, ``hdr10``, ``hdr10+``, ``hlg``, ``dv`` (with an HDR10 base) or ``dv5`` (without one)."""

    resolution: str
    """Plex's ``videoResolution``: 4k, 1080, 720, 576, 480, sd."""
    width: int
    height: int
    codec: str = "h264"
    hdr: str = ""
    aspect: str = "1.78"
    bitrate: int = 8000
    frame_rate: str = "24p"
    profile: str = "high"

    @property
    def dolby_vision(self) -> bool:
        return self.hdr in ("dv", "dv5")

    def attributes(self) -> dict[str, object]:
        """Of the ``Stream`` element, without id and index."""
        out: dict[str, object] = {"streamType": 1, "default": 1, "codec": self.codec, "bitrate": self.bitrate}
        out["bitDepth"] = 10 if self.hdr else 8
        out["chromaLocation"] = "topleft" if self.hdr else "left"
        out["chromaSubsampling"] = "4:2:0"
        out["codedHeight"], out["codedWidth"] = self.height, self.width
        out |= _COLOUR["hlg" if self.hdr == "hlg" else "hdr" if self.hdr and self.hdr != "dv5" else ""]
        if self.dolby_vision:
            out |= {"DOVIBLCompatID": 0 if self.hdr == "dv5" else 1, "DOVIBLPresent": 1, "DOVIELPresent": 0, "DOVILevel": 6}
            out |= {"DOVIPresent": 1, "DOVIProfile": 5 if self.hdr == "dv5" else 8, "DOVIRPUPresent": 1, "DOVIVersion": "1.0"}
        out["frameRate"] = "25.000" if self.frame_rate == "PAL" else "23.976"
        out |= {"height": self.height, "width": self.width, "profile": self.profile, "refFrames": 1, "scanType": "progressive"}
        codec = {"h264": "H.264", "hevc": "HEVC Main 10", "av1": "AV1", "mpeg2video": "MPEG2"}.get(self.codec, self.codec.upper())
        tone = {"": "", "hdr10": " HDR10", "hdr10+": " HDR10+", "hlg": " HLG", "dv": " DoVi/HDR10", "dv5": " DoVi"}[self.hdr]
        out["displayTitle"] = f"{_RESOLUTIONS[self.resolution]}{tone} ({codec})"
        out["extendedDisplayTitle"] = out["displayTitle"]
        return out


@dataclass(frozen=True, slots=True)
class Audio:
    """An audio stream; ``title`` is the track title that the file's maker gave it."""

    codec: str
    channels: int
    language: str = "en"
    title: str = ""
    profile: str = ""
    bitrate: int = 640

    def attributes(self) -> dict[str, object]:
        """Of the ``Stream`` element, without id and index."""
        name, code = LANGUAGES[self.language]
        layout = _CHANNELS[self.channels]
        codec = {"dca": {"ma": "DTS-HD MA", "hra": "DTS-HD HRA", "x": "DTS:X"}.get(self.profile, "DTS")}.get(self.codec, self.codec.upper())
        display = f"{name} ({codec} {layout.title() if self.channels < 6 else layout})"
        out: dict[str, object] = {"streamType": 2, "codec": self.codec, "channels": self.channels, "bitrate": self.bitrate}
        out |= {"language": name, "languageTag": self.language, "languageCode": code}
        out |= {"audioChannelLayout": layout, "samplingRate": 48000}
        if self.profile:
            out["profile"] = self.profile
        if self.title:
            out["title"] = self.title
        out |= {"displayTitle": display, "extendedDisplayTitle": f"{self.title} ({display})" if self.title else display}
        return out


@dataclass(frozen=True, slots=True)
class Subtitle:
    """A subtitle stream."""

    language: str = "en"
    codec: str = "srt"
    forced: bool = False

    def attributes(self) -> dict[str, object]:
        """Of the ``Stream`` element, without id and index."""
        name, code = LANGUAGES[self.language]
        display = f"{name}{' Forced' if self.forced else ''} ({self.codec.upper()})"
        out: dict[str, object] = {
            "streamType": 3,
            "codec": self.codec,
            "language": name,
            "languageTag": self.language,
            "languageCode": code,
        }
        if self.forced:
            out["forced"] = 1
        return out | {"displayTitle": display, "extendedDisplayTitle": display}


@dataclass(frozen=True, slots=True)
class Profile:
    """A kind of file: streams, container and the words that name it in a file name."""

    video: Video | None
    audio: tuple[Audio, ...]
    subtitles: tuple[Subtitle, ...] = ()
    container: str = "mkv"
    tags: str = ""
    """As downloaders name files: ``[Bluray-2160p][DV HDR10][TrueHD Atmos 7.1][x265]``."""

    @property
    def bitrate(self) -> int:
        return (self.video.bitrate if self.video else 0) + sum(track.bitrate for track in self.audio)

    def attributes(self, duration: int) -> dict[str, object]:
        """Of the ``Media`` element, without id. ``duration`` in milliseconds."""
        first = self.audio[0]
        out: dict[str, object] = {"duration": duration, "bitrate": self.bitrate}
        if self.video:
            out |= {"width": self.video.width, "height": self.video.height, "aspectRatio": self.video.aspect}
        out |= {"audioChannels": first.channels, "audioCodec": first.codec}
        if self.video:
            out |= {"videoCodec": self.video.codec, "videoResolution": self.video.resolution}
        out["container"] = self.container
        if self.video:
            out["videoFrameRate"] = self.video.frame_rate
        if first.profile:
            out["audioProfile"] = first.profile
        if self.video:
            out["videoProfile"] = self.video.profile
        return out | {"hasVoiceActivity": 0}

    def streams(self) -> list[dict[str, object]]:
        """Attributes of each ``Stream`` element in the file's order, with ``index``."""
        parts = [stream.attributes() for stream in ((self.video,) if self.video else ()) + self.audio + self.subtitles]
        selected: set[object] = set()
        for index, part in enumerate(parts):
            part["index"] = index
            if part["streamType"] == 2 and 2 not in selected:
                part["default"] = part["selected"] = 1
                selected.add(2)
        return parts


@dataclass(slots=True)
class MediaFile:
    """One version of an item: a ``Media`` element with its only ``Part``."""

    id: int
    profile: Profile
    file: str
    size: int


PROFILES: Mapping[str, Profile] = MappingProxyType(
    {
        "uhd-dv-atmos": Profile(
            Video("4k", 3840, 1600, "hevc", "dv", "2.40", 61000, profile="main 10"),
            (
                Audio("truehd", 8, "en", "TrueHD Atmos 7.1", bitrate=4600),
                Audio("ac3", 6, "en", "Dolby Digital 5.1"),
                Audio("eac3", 6, "fr"),
            ),
            (Subtitle("en"), Subtitle("fr"), Subtitle("en", "pgs", forced=True)),
            tags="[Remux-2160p][DV HDR10][TrueHD Atmos 7.1][x265]",
        ),
        "uhd-hdr10plus-dtshd": Profile(
            Video("4k", 3840, 2076, "hevc", "hdr10+", "1.85", 48000, profile="main 10"),
            (Audio("dca", 8, "en", "DTS-HD MA 7.1", "ma", 4100), Audio("dca", 6, "de", "", "dts", 1509)),
            (Subtitle("en"), Subtitle("de")),
            tags="[Bluray-2160p][HDR10Plus][DTS-HD MA 7.1][x265]",
        ),
        "uhd-dtsx": Profile(
            Video("4k", 3840, 1608, "hevc", "hdr10", "2.39", 50000, profile="main 10"),
            (Audio("dca", 8, "de", "DTS-X 7.1", "x", 4300), Audio("dca", 8, "en", "DTS-X 7.1", "x", 4300)),
            (Subtitle("de"), Subtitle("en")),
            tags="[Bluray-2160p][HDR10][DTS-X 7.1][x265]",
        ),
        "uhd-hlg": Profile(
            Video("4k", 3840, 2160, "hevc", "hlg", "1.78", 24000, "PAL", "main 10"),
            (Audio("aac", 2, "en", "AAC 2.0", "lc", 256),),
            (Subtitle("en"),),
            container="mp4",
            tags="[HDTV-2160p][HLG][AAC 2.0][x265]",
        ),
        "uhd-web-dv5": Profile(
            Video("4k", 3840, 1920, "hevc", "dv5", "2.00", 17000, profile="main 10"),
            (
                Audio("eac3", 6, "en", "DD+ Atmos 5.1", bitrate=768),
                Audio("eac3", 6, "fr"),
                Audio("eac3", 6, "de"),
                Audio("aac", 2, "ja", bitrate=192),
            ),
            (Subtitle("en"), Subtitle("fr"), Subtitle("de"), Subtitle("ja"), Subtitle("es")),
            tags="[WEBDL-2160p][DV][EAC3 Atmos 5.1][h265]",
        ),
        "hd-dtshd": Profile(
            Video("1080", 1920, 800, aspect="2.40", bitrate=18000),
            (Audio("dca", 6, "en", "DTS-HD MA 5.1", "ma", 2600),),
            (Subtitle("en"),),
            tags="[Bluray-1080p][DTS-HD MA 5.1][x264]",
        ),
        "hd-web-atmos": Profile(
            Video("1080", 1920, 1080, aspect="1.78", bitrate=9000),
            (Audio("eac3", 6, "en", "DD+ Atmos 5.1", bitrate=768), Audio("aac", 2, "es", bitrate=160)),
            (Subtitle("en"), Subtitle("es")),
            tags="[WEBDL-1080p][EAC3 Atmos 5.1][h264]",
        ),
        "hd-dts": Profile(
            Video("1080", 1920, 816, aspect="2.35", bitrate=12000),
            (Audio("dca", 6, "en", "DTS 5.1", "dts", 1509),),
            (Subtitle("en"),),
            tags="[Bluray-1080p][DTS 5.1][x264]",
        ),
        "hd-flac": Profile(
            Video("1080", 1920, 1040, aspect="1.85", bitrate=15000),
            (Audio("flac", 2, "en", "FLAC 2.0", bitrate=900),),
            (Subtitle("en"),),
            tags="[Bluray-1080p][FLAC 2.0][x264]",
        ),
        "hd-pcm": Profile(
            Video("1080", 1800, 1080, aspect="1.66", bitrate=22000),
            (Audio("pcm", 2, "da", "LPCM 2.0", bitrate=1536), Audio("ac3", 2, "en", "Commentary", bitrate=192)),
            (Subtitle("en"), Subtitle("da")),
            tags="[Remux-1080p][PCM 2.0][AVC]",
        ),
        "hd720-ac3": Profile(
            Video("720", 1280, 720, bitrate=4500),
            (Audio("ac3", 6, "en", "Dolby Digital 5.1"),),
            (Subtitle("en"),),
            tags="[Bluray-720p][AC3 5.1][x264]",
        ),
        "hd720-hevc": Profile(
            Video("720", 1280, 720, "hevc", bitrate=2500, profile="main"),
            (Audio("aac", 2, "ja", "AAC 2.0", "lc", 192), Audio("aac", 2, "en", "AAC 2.0", "lc", 192)),
            (Subtitle("en", "ass"),),
            tags="[WEBDL-720p][AAC 2.0][x265]",
        ),
        "sd576": Profile(
            Video("576", 768, 576, "mpeg2video", "", "1.33", 5200, "PAL", "main"),
            (Audio("mp2", 2, "fr", bitrate=224),),
            (Subtitle("en"), Subtitle("fr", "vobsub")),
            tags="[DVD-576p][MP2 2.0][MPEG2]",
        ),
        "sd480": Profile(
            Video("480", 640, 480, "h264", "", "1.33", 1400, "24p", "main"),
            (Audio("aac", 1, "en", "AAC 1.0", "lc", 96),),
            (),
            container="mp4",
            tags="[DVD-480p][AAC 1.0][x264]",
        ),
        "track-flac": Profile(None, (Audio("flac", 2, "en", bitrate=900),), container="flac"),
        "track-mp3": Profile(None, (Audio("mp3", 2, "en", bitrate=320),), container="mp3"),
    }
)
