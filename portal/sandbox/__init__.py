"""A small implementation of the ByCloud API over real HTTP, for the first run, demos and tests.

It shares no code with the rest of the portal, in either direction, so that a misreading of the API shows as a failing
test and not as the same mistake on both sides. docs/sandbox.md lists its decisions where ByCloud's docs are silent.
"""
