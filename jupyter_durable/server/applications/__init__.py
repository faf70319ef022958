"""Deployed applications: their code versions, their requests, and the worker processes that run them.

From above; a file knows what stands below it:

    routes                what is asked over HTTP
    service | worker      what becomes of it | one request in a process of its own, by the ordinary engine
    supervisor            which requests run now, each in a worker
    progress | form       what is to be seen of a request
    ledger | arguments    what was deployed and accepted | an input, checked by the schema of its application
    records | refusals    what is said of them to workers and in the ledger | errors that become answers

Rules of this room
- All but `worker` runs in the server's process, which keeps bytes and reads JSON: it restores no code and no value.
- A request is in the ledger, durably, before it is answered; the queue is what the ledger says is open. Nothing of it
  is in memory only, so a server that comes back goes on.
"""
