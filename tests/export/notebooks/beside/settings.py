import os

MOST = int(os.environ.get("STEMS_MOST", "5"))
