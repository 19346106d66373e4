-- The last calls of a customer.
CREATE INDEX ix_calls_customer ON public.calls (customer_id, started_at);
