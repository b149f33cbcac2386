"""Which image and plane next: strategies, one a file."""
