"""What a notebook sees of jupyter_durable: the magics, the views and the kernel "Python 3 (Durable)".

Rules of this package
- All that imports IPython or ipykernel lives here; `jupyter_durable` never imports it, and finds it by name.
- Importing this package imports neither of them.
"""
