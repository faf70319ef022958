"""What durability costs, each figure beside its floor in the same run. `python -m benchmarks --help`."""
