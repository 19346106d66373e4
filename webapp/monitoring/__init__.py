"""What monitoring systems ask of the web: health, readiness and metrics."""
