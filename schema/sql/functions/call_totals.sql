-- The totals of calls, kept up with whatever happens to them: a CDR comes in, a call is rated anew.

CREATE OR REPLACE FUNCTION public.totals_of(call public.calls) RETURNS SETOF public.call_totals
LANGUAGE sql STABLE AS $$
-- What one call adds to the totals: to those of everybody, of its customer and so on, for its hour and its day.
SELECT dimension, period, starts_at, thing, call.direction,
       1::bigint, (call.answered_at IS NOT NULL)::integer::bigint,
       (call.answered_at IS NOT NULL AND call.billsec <= 6)::integer::bigint,
       call.billsec::bigint, call.billed_seconds::bigint,
       (call.pdd IS NOT NULL)::integer::bigint, coalesce(call.pdd, 0)::bigint, call.cost, call.price
FROM (VALUES
    ('all', true, ''),
    ('customer', true, call.customer_id::text),
    ('provider', true, call.provider_id::text),
    ('gateway', true, call.gateway_id::text),
    ('destination', true, nullif(call.destination, '')),
    ('did', false, nullif(call.did, '')),
    ('node', false, call.node),
    ('cause', false, coalesce(call.sip_status::text, call.disposition))
) AS things (dimension, hourly, thing)
CROSS JOIN LATERAL (VALUES
    ('hour', date_trunc('hour', call.started_at, 'UTC')),
    ('day', call.day)
) AS periods (period, starts_at)
WHERE thing IS NOT NULL AND (hourly OR period = 'day') $$;

CREATE OR REPLACE FUNCTION public.add_to_totals(calls public.calls[], sign integer) RETURNS void
LANGUAGE plpgsql AS $$
-- Add calls to the totals, or with sign -1 take them out. In the order of the key, so that no two wait for each other.
BEGIN
    INSERT INTO public.call_totals AS total
    SELECT t.dimension, t.period, t.starts_at, t.thing, t.direction, sign * sum(t.calls), sign * sum(t.answered),
           sign * sum(t.short), sign * sum(t.seconds), sign * sum(t.billed_seconds), sign * sum(t.pdd_calls),
           sign * sum(t.pdd), sign * sum(t.cost), sign * sum(t.price)
    FROM unnest(calls) AS call CROSS JOIN LATERAL public.totals_of(call) AS t
    GROUP BY 1, 2, 3, 4, 5
    ORDER BY 1, 2, 3, 4, 5
    ON CONFLICT (dimension, period, starts_at, thing, direction) DO UPDATE SET
        calls = total.calls + excluded.calls,
        answered = total.answered + excluded.answered,
        short = total.short + excluded.short,
        seconds = total.seconds + excluded.seconds,
        billed_seconds = total.billed_seconds + excluded.billed_seconds,
        pdd_calls = total.pdd_calls + excluded.pdd_calls,
        pdd = total.pdd + excluded.pdd,
        cost = total.cost + excluded.cost,
        price = total.price + excluded.price;
END $$;

CREATE OR REPLACE FUNCTION public.count_anew() RETURNS void
LANGUAGE plpgsql AS $$
-- Make the totals again of all the calls, after they were brought in without being counted. Calls that end meanwhile
-- wait, so on a live system it is for the night.
BEGIN
    LOCK TABLE public.calls IN SHARE MODE;
    DELETE FROM public.call_totals;
    INSERT INTO public.call_totals
    SELECT t.dimension, t.period, t.starts_at, t.thing, t.direction, sum(t.calls), sum(t.answered), sum(t.short),
           sum(t.seconds), sum(t.billed_seconds), sum(t.pdd_calls), sum(t.pdd), sum(t.cost), sum(t.price)
    FROM public.calls AS call, LATERAL public.totals_of(call) AS t
    GROUP BY 1, 2, 3, 4, 5;
END $$;

CREATE OR REPLACE FUNCTION public.count_calls() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
    IF TG_OP <> 'INSERT' THEN
        PERFORM public.add_to_totals(array_agg(c::public.calls), -1) FROM before_calls c;
    END IF;
    IF TG_OP <> 'DELETE' THEN
        PERFORM public.add_to_totals(array_agg(c::public.calls), 1) FROM after_calls c;
    END IF;
    RETURN NULL;
END $$;

CREATE OR REPLACE TRIGGER count_new_calls AFTER INSERT ON public.calls
    REFERENCING NEW TABLE AS after_calls FOR EACH STATEMENT EXECUTE FUNCTION public.count_calls();
CREATE OR REPLACE TRIGGER count_changed_calls AFTER UPDATE ON public.calls
    REFERENCING OLD TABLE AS before_calls NEW TABLE AS after_calls
    FOR EACH STATEMENT EXECUTE FUNCTION public.count_calls();
CREATE OR REPLACE TRIGGER count_deleted_calls AFTER DELETE ON public.calls
    REFERENCING OLD TABLE AS before_calls FOR EACH STATEMENT EXECUTE FUNCTION public.count_calls();
