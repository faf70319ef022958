"""Requests as traces of OpenTelemetry, where the setting `otel` asks for them.

Rules of this package
- It knows the API of OpenTelemetry only: where spans go to is the business of whoever sets up a provider.
- Nothing imports it but the client, and that only when it is asked for: without the setting a call pays nothing.
- What it adds to a run are a listener, and a wrapper round each function; no call of the engine knows of it.
"""
