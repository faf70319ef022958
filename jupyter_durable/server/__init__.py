"""The remote backend: one ASGI app that keeps requests for others, and a command that serves it.

Rules of this package
- It keeps opaque bytes. No value of a user is loaded here: neither pickle's loader nor the serializer is imported.
- Every route but health and readiness asks for a token (`auth`); a token sees its own namespace only.
- fastapi and uvicorn are in the extra `server`; nothing outside of this package imports them.
"""
