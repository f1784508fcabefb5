"""Streams between this machine and pods: ports, programs and logs."""
