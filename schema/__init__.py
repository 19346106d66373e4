"""The database: numbered migrations for tables, and SQL files that are applied anew after each of them."""
