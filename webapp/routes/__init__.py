"""Routes: where an outbound call may leave."""
