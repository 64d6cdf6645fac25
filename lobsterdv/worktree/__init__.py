"""The user's own files: looking at them, and putting versions in their place. Never reads through or writes
through a symbolic link."""
