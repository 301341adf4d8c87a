"""The instances in Django's own admin, from a database, as a comparison for the portal's list."""
