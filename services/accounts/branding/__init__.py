"""Branding by settings: accent colour, logo, links to terms and privacy policy, and templates that replace ours."""

from dataclasses import dataclass
from pathlib import Path

from accounts.branding.colours import DEFAULT, Palette, palette_of
from accounts.settings import Settings


@dataclass(frozen=True, slots=True)
class Branding:
    """What templates show of the settings. ``accent`` is empty, and ``palette`` ours, without ACCENT_COLOR."""

    accent: str = ""
    palette: Palette = DEFAULT
    has_logo: bool = False
    terms_url: str = ""
    privacy_url: str = ""
    templates: Path | None = None

    @classmethod
    def of(cls, settings: Settings) -> "Branding":
        """Return the branding that the settings ask for."""
        return cls(
            accent=settings.accent_color,
            palette=palette_of(settings.accent_color),
            has_logo=settings.logo_file is not None,
            terms_url=settings.terms_url,
            privacy_url=settings.privacy_url,
            templates=settings.templates_dir,
        )
