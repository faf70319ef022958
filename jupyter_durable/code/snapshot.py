"""How the code of a request is kept and brought back: the names others call.

Snapshots hold pickles. Whoever stores them signs them, and verifies the signature before `restore`.
"""

from jupyter_durable.code.capture import capture, names_absent
from jupyter_durable.code.form import Missing, Version
from jupyter_durable.code.restore import ClassRegistry, find_class, restore

__all__ = ["ClassRegistry", "Missing", "Version", "capture", "find_class", "names_absent", "restore"]
