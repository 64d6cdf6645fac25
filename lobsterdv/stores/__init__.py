"""Places that keep bytes under keys. They know no digest, no dataset and no pointer."""
