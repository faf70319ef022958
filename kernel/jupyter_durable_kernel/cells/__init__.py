"""The cell that executes: which request is its, what `%%durable` makes of it, what it prints and is told.

A room may change how a cell is read, hooked and spoken to; it draws nothing itself (`view` does), knows no page and no
verb, and a cell that calls nothing durable must not notice it.
"""
