"""What surrounds a remote's objects: the bucket's own settings, the policies for it, and probes of what its server can
do. It deletes nothing but its own probes."""
