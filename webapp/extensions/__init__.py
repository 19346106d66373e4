"""Extensions: the phones of our customers."""
