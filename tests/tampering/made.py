"""A script with two requests of plain values: one fails until the file named by MENDED is there, one succeeds."""

import os
from pathlib import Path

import jupyter_durable as jd
from jupyter_durable import RequestContext, application, function


def ran(what):
    with Path(os.environ["RAN"]).open("a") as log:
        log.write(f"{what}\n")


@function()
def load(n):
    ran(f"load {n}")
    return {"page": n}


@function()
def total(pages):
    ran("total")
    if not Path(os.environ["MENDED"]).exists():
        raise ValueError("not yet")
    return sum(page["page"] for page in pages)


@application()
def report(count: int) -> int:
    print("reporting")
    context = RequestContext.get()
    context.progress.update(1, 2, "loading")
    context.state.set("count", count)
    return total([load(n) for n in range(count)])


@application()
def double(n: int) -> int:
    return 2 * load(n)["page"]


if __name__ == "__main__":
    jd.run_local_application(report, 4)
    jd.run_local_application(double, 7)
