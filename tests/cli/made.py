"""A script whose request fails until the file named by MENDED is there. It runs in a process of its own."""

import os
from dataclasses import dataclass

import jupyter_durable as jd
from jupyter_durable import application, function


@dataclass
class Page:
    title: str
    size: int


def ran(what):
    with open(os.environ["RAN"], "a") as log:
        log.write(f"{what}\n")


@function()
def load(n):
    ran(f"load {n}")
    return Page(f"page {n}", n)


@function()
def total(pages):
    ran("total")
    if not os.path.exists(os.environ["MENDED"]):
        raise ValueError("the [red]disk[/red] is \x1b[31mfull\u202e")
    return sum(page.size for page in pages)


@application()
def report(count: int) -> int:
    print("reporting")
    return total([load(n) for n in range(count)])


if __name__ == "__main__":
    jd.run_local_application(report, 4)
