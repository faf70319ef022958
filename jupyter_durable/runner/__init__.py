"""One run of one request: where core, store and executors meet."""
