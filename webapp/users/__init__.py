"""Users: who may use the program, and as what. Their model is in accounts."""
