"""The server's own page: requests of a namespace in a browser, for who has no Jupyter open.

From above; a file knows what stands below it:

    routes                   what the page asks over HTTP
    acting | viewer          what becomes of it | what shows a request, in a process of its own
    doors | files            who may | the page itself, built from the labextension's source
    sessions                 who is logged in

Rules of this room
- A browser logs in with a token once, and holds a cookie that is not the token. The cookie is good for `/page/` only:
  the other routes of the server know nothing of it.
- Nothing is loaded in this process: pictures of requests, and plain values, are made by `viewer`'s process.
"""
