module kubekit.dev/lab/pause

go 1.26.0
