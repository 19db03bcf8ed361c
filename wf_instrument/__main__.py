"""`python -m wf_instrument` is the command `wf-instrument`."""

from wf_instrument.cli import main

if __name__ == "__main__":
    main()
