"""What code a function is, and how it is kept."""
