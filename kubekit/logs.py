"""The logs of a project or a workload."""
