"""What the page asks of this kernel, and what it is answered: on the control channel, so also while a cell runs.

A question may be added; names and fields of those there are belong to the page (`labextension/src`) of any version.
"""
