"""Geurim."""
