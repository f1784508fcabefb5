"""kubekit.yaml, the environment and the flags, made into Settings."""
