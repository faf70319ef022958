"""`python -m jupyter_durable.cli`: the commands where the script is not on the path."""

from jupyter_durable.cli import main

if __name__ == "__main__":
    main()
