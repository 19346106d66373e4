DROP FUNCTION IF EXISTS public.route_call, public.is_blocked, public.refusal_by_limits, public.written_caller_id;
-- As they were called before; what they do comes with the program of that time, and earlier migrations drop them.
CREATE FUNCTION public.legs(number text) RETURNS text LANGUAGE sql AS $$ SELECT '' $$;
CREATE FUNCTION public.route_call(customer_id uuid, dialed text, caller text DEFAULT '', endpoint text DEFAULT '')
RETURNS public.call_answer LANGUAGE sql AS $$ SELECT public.refused('no_route', 3) $$;
DROP INDEX asterisk.ix_call_requests_requested_at;
ALTER TABLE asterisk.call_requests DROP COLUMN channels;
ALTER TABLE public.routes DROP COLUMN digits;
ALTER TABLE public.settings DROP COLUMN max_call_seconds;
ALTER TABLE public.gateways DROP COLUMN max_channels, DROP COLUMN caller_id_format;
ALTER TABLE public.customers
    DROP COLUMN max_channels,
    DROP COLUMN calls_per_second,
    DROP COLUMN max_price_per_minute,
    DROP COLUMN refuse_below_cost,
    DROP COLUMN daily_limit,
    DROP COLUMN allowed_caller_ids,
    DROP COLUMN blocked_list_id,
    DROP COLUMN allowed_list_id;
DROP TABLE public.destination_lists;
