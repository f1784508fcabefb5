"""Images in the nodes of a Minikube profile that leads to no Docker."""
