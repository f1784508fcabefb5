"""kubekit: the daily loop of a Python backend on Kubernetes with Minikube."""

__version__ = "0.1.0"
