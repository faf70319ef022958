"""The verbs of `%durable`: their manual, the texts of their answers, and what of them only a kernel can do.

A verb is added in the manual and in `magics.py`; what it does is done by `jupyter_durable.client.verbs`, never here.
"""
