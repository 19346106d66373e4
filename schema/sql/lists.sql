-- A hundred thousand numbers in other orders than by number, a page at a time.
CREATE INDEX ix_dids_status_number ON public.dids (status, number);
CREATE INDEX ix_dids_description_number ON public.dids (description, number);

-- Calls, the latest first.
CREATE INDEX ix_calls_started ON public.calls (started_at, id);

-- The tariffs of a plan that are sold below their own cost: few of many, it is hoped.
CREATE INDEX ix_tariffs_loss ON public.tariffs (price_plan_id, prefix, valid_from)
    WHERE price_per_minute < cost_per_minute;
