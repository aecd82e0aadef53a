"""The statistics behind every figure: intervals, paired comparisons, and intervals that are safe to watch."""
