"""The instances as Django's own admin would show them, out of a database: what the portal's list is compared with."""
