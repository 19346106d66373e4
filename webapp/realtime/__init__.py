"""What Asterisk reads of each thing, for those who know Asterisk."""
