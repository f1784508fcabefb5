module kubekit.dev/lab/runc-wrapper

go 1.26.0
