-- The last calls of a customer.
CREATE INDEX ix_calls_customer ON public.calls (customer_id, started_at);

-- A number is searched for by its beginning, or by its end: without the country, or the area either.
CREATE INDEX ix_search_dids_number ON public.dids (number text_pattern_ops);
CREATE INDEX ix_search_dids_reversed ON public.dids (reverse(number) text_pattern_ops);

-- A phone by its number, which is unique within its customer only, and by any part of its name.
CREATE EXTENSION IF NOT EXISTS pg_trgm;
CREATE INDEX ix_search_extensions_extension ON public.extensions (extension);
CREATE INDEX ix_search_extensions_name ON public.extensions USING gin (name gin_trgm_ops);
