"""One look at what is there, for `kubekit why`: the same judge, without having watched."""
