"""What a builder tells, made into steps, output, and the sentence when it fails."""
