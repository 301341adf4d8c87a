"""ByCloud Portal: a team's web console for its ByCloud instances."""

__version__ = "0.1.0"
