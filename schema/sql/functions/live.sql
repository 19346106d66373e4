-- What a call that goes on would be charged if it ended now, as rate_call() has it: 0 before it is answered, NULL where
-- there is no price for it.
CREATE OR REPLACE FUNCTION public.price_so_far(
    direction text, customer_id uuid, number text, started_at timestamptz, answered_at timestamptz
) RETURNS numeric
LANGUAGE sql STABLE AS $$
SELECT CASE WHEN r.unrated = '' THEN r.price END
FROM public.rate_call(
    direction, customer_id, number, started_at, ceil(extract(epoch FROM now() - answered_at))::integer, NULL
) AS r $$;
