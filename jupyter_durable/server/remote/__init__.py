"""The remote store: its verbs over HTTP, for `store/http` on the other side."""
