"""The program that runs beside each Asterisk: it does what the outbox asks and reports what is live."""
