"""Reports: what the calls of a period come to, by customer, gateway, day and so on; how our numbers are used."""
