"""What kubekit needs beside a backend, written as an expert would; and a backend to begin with."""
