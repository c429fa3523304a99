"""What the command line and the Python API call: one module a verb, from options to result."""
