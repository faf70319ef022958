"""The language of `%%durable`: what the first line of a cell may say, and which of its definitions become durable.

Nothing of a cell runs here, and no request is known. The kernel reads a cell by it before it executes, and the client
once more where a recorded cell is replayed without a kernel, so both mean the same.
"""
