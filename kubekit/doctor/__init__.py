"""`kubekit doctor`: what of this machine, this project and this cluster is not as it should be."""
