"""kubekit's reference backend: a small tasks service that behaves well in a pod."""
