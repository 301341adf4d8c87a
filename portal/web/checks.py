"""System checks of a deployment."""
