"""What it takes to run this program: private servers for `make run` and the tests, and production files."""
