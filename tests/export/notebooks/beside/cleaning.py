"""Cleaning."""

from __future__ import annotations


def strip_all(words: list[str]) -> list[str]:
    return [word.strip() for word in words]
