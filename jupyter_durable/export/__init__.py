"""From a notebook to a deployable application: which of its code goes in, and the project that is written of it."""
