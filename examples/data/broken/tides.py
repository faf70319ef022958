r"""Tide tables for the harbour of Königsberg, by J. Müller, 1998.

Saved by an editor that knew no other encoding than Latin-1.
"""

HIGH_WATER = {"Mo": "06:12", "Di": "06:58"}


def high_water(day):
    """When the water is highest."""
    return HIGH_WATER[day]
