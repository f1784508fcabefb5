"""What an image is made of: the Dockerfile and the files of the context. Knows no daemon."""
