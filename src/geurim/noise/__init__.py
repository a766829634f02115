"""Noise that makes clean text real: typos, spacing, 초성체, slang, registers, each with a rate."""

from __future__ import annotations

from geurim.noise.kinds import Kind
from geurim.noise.noise import KINDS, Count, Noise
from geurim.noise.presets import PRESETS
from geurim.noise.register import REGISTERS, shift

__all__ = ["KINDS", "PRESETS", "REGISTERS", "Count", "Kind", "Noise", "shift"]
