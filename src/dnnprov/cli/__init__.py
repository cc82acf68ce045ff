"""The command line: asks a store and prints; the answer goes to stdout, everything else to stderr."""
