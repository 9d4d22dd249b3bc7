"""``python -m lift``: the command line."""

from lift.cli import main

if __name__ == "__main__":
    main()
