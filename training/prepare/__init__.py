"""From the ledger to a snapshot of clean examples: filter → scrub → dedup → balance → split → decontaminate."""
