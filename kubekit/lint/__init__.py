"""`kubekit lint`: what is wrong with a Dockerfile and manifests, and what would be better."""
