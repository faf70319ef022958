"""Which statements of a notebook go into an export: the rooms of the slice.

Nothing of a notebook runs, and no object of it is seen: its text decides, so that a file is exported as an open
notebook is. `lines` reads what only notebooks have, `cells` splits cells into statements, `reading` says what a
statement needs and binds, `flow` which definition a name has at a place, `slicer` walks from the roots.
"""
