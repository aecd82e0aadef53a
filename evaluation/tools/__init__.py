"""The tools of the built-in suites, and what executes them."""
