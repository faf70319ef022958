"""How a selection becomes text, and how text becomes a folder. From above:

    folder                        files into a directory: all or none, and nothing that was edited by hand
    manifest | differences        what an export wrote | what was edited since
    canary                        no credential, no path of a home
    project_of                    what a target is given: package, modules, distributions, exact versions
    module_text | local_modules   the notebook's module | modules that stood beside it
    tidy                          formatted by ruff, where it is
    distributions | locking       whose imports these are | exact versions
    naming | records              names of the package and its modules | what is handed on

Rules of this room
- All but `folder` is in memory: what comes out is text and bytes by relative path.
- The text of a function or a class is that of the notebook, but for where it imports from: then its code hash is the
  same, and what the notebook recorded of it is served.
"""
