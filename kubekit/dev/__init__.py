"""`kubekit dev`: watch the files, and bring what was saved into the running app."""
