"""The ByCloud API in small, over real HTTP, for the first run, for demos and for tests.

Imports nothing of the product and is imported by nothing of it: a misreading of the API must show as a failing test,
not as a matching pair of mistakes. What it decides where the docs are silent stands in docs/sandbox.md.
"""
