"""`jupyter durable run` below its command: the notebook's file, the kernel's side, who else holds it, what is told.

Only `in_kernel` runs in the kernel that executes; all else is in the process of the command, and asks the store.
"""
