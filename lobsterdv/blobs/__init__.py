"""Content: the cache on this machine and the objects of a remote. Everything that comes out is verified."""
