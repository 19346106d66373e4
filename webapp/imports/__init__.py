"""Files that operators bring in: received, read, compared with what is stored, applied as a whole, undone.

receiving.py takes the file, mapping.py says which column is what, comparing.py reads it (reading.py, staging.py) and
compares, looking.py shows what would change, applying.py does it and takes it back. Each step is one transaction;
working.py is how the long ones go on after the request, keeping.py what is kept and for how long, kinds.py what is
particular to each kind of thing.
"""
