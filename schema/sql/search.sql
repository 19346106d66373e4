-- Numbers by any digits of theirs, and by any part of what is noted of them.
CREATE INDEX ix_search_dids_number_part ON public.dids USING gin (number gin_trgm_ops);
CREATE INDEX ix_search_dids_description ON public.dids USING gin (description gin_trgm_ops);
