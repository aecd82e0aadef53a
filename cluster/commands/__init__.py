"""The commands of `ratchet`, by subject. Heavy libraries are imported inside them, so that `--help` is quick."""
