"""Where a function runs."""
