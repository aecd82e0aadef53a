"""The tools of the built-in suite, and what executes them."""
