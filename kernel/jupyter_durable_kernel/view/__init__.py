"""A request as something to look at: its state as JSON, HTML and text, live below its cell and as it is saved.

What is shown may change, and how much of it; nothing here runs a request or decides about one. JSON is a protocol with
the page (`labextension/src/model/protocol.ts`) and stands in notebooks that were saved: fields are only ever added. The
Jupyter server reads here as well (`from_store`, `as_json`, `call_details`), so neither IPython nor a kernel is needed.
"""
