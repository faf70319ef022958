"""The pure core: it decides, others act. Standard library only; no clock, threads, files, SQL or pickle."""
