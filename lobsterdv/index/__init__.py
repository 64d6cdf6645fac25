"""index.db: what was seen, verified and pushed. Derived and disposable: deleting it loses time, never data."""
