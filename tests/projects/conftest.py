"""Each project's tests run with its own packages: see `tests/cluster/projects/`."""

collect_ignore_glob = ["*"]
