"""How values become bytes, and what vouches for them."""
