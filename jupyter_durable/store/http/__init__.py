"""A store behind a server: what is said between the two (`wire`), and the side that asks."""
