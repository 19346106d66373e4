-- The totals of calls, kept up with whatever happens to them: a CDR comes in, a call is rated anew.

CREATE OR REPLACE FUNCTION public.totals_with(
    hour timestamptz, day timestamptz, direction text, customer text, gateway text, destination text, did text, node text,
    ending text, answered integer, short integer, seconds integer, billed_seconds integer, pdd_calls integer, pdd integer,
    cost numeric, price numeric
) RETURNS SETOF public.call_totals
LANGUAGE sql IMMUTABLE AS $$
-- What one call adds to the totals: to those of everybody, of its customer and so on. They come in the order of the key,
-- in which they must be written, so that no two who write wait for each other. A week is seven days, those that begin
-- between two Thursdays of UTC: whatever day is the first of a week, and wherever a day begins, it is whole days.
SELECT dimension, period, starts_at, thing, direction, 1::bigint, answered::bigint, short::bigint, seconds::bigint,
       billed_seconds::bigint, pdd_calls::bigint, pdd::bigint, cost, price
FROM (VALUES
    ('all', 'hour', hour, ''),
    ('cause', 'day', day, ending),
    ('customer', 'day', day, customer),
    ('customer', 'ever', '1970-01-01 00:00+00', customer),
    ('customer', 'hour', hour, customer),
    ('destination', 'day', day, nullif(destination, '')),
    ('destination', 'week', date_bin('7 days', day, '1970-01-01 00:00+00'), nullif(destination, '')),
    ('did', 'day', day, nullif(did, '')),
    ('gateway', 'hour', hour, gateway),
    ('node', 'day', day, node)
) AS totals (dimension, period, starts_at, thing)
WHERE thing IS NOT NULL $$;

CREATE OR REPLACE FUNCTION public.totals_of(call public.calls) RETURNS SETOF public.call_totals
LANGUAGE sql STABLE AS $$
SELECT * FROM public.totals_with(
    date_trunc('hour', call.started_at, 'UTC'), call.day, call.direction, call.customer_id::text,
    call.provider_id || ' ' || call.gateway_id, call.destination, call.did, call.node,
    coalesce(call.sip_status::text, call.disposition), (call.answered_at IS NOT NULL)::integer,
    (call.answered_at IS NOT NULL AND call.billsec <= 6)::integer, call.billsec, call.billed_seconds,
    (call.pdd IS NOT NULL)::integer, coalesce(call.pdd, 0), call.cost, call.price) $$;

CREATE OR REPLACE FUNCTION public.add_totals(changes public.call_totals[]) RETURNS void
LANGUAGE plpgsql AS $$
-- Each of them once, in the order of the key. (In SQL it would be planned anew for each call.)
BEGIN
INSERT INTO public.call_totals AS total
SELECT (change).* FROM unnest(changes) AS change
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

CREATE OR REPLACE FUNCTION public.count_new_call() RETURNS trigger
LANGUAGE plpgsql AS $$
-- What totals_of() and add_totals() do, in one statement and without making records of it: this is done at the end of
-- each call, and takes a third less so.
BEGIN
INSERT INTO public.call_totals AS total
SELECT * FROM public.totals_with(
    date_trunc('hour', NEW.started_at, 'UTC'), NEW.day, NEW.direction, NEW.customer_id::text,
    NEW.provider_id || ' ' || NEW.gateway_id, NEW.destination, NEW.did, NEW.node,
    coalesce(NEW.sip_status::text, NEW.disposition), (NEW.answered_at IS NOT NULL)::integer,
    (NEW.answered_at IS NOT NULL AND NEW.billsec <= 6)::integer, NEW.billsec, NEW.billed_seconds,
    (NEW.pdd IS NOT NULL)::integer, coalesce(NEW.pdd, 0), NEW.cost, NEW.price)
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
RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION public.sum_totals(calls public.calls[], sign integer) RETURNS public.call_totals[]
LANGUAGE sql STABLE AS $$
SELECT ARRAY(
    SELECT ROW(t.dimension, t.period, t.starts_at, t.thing, t.direction, sign * sum(t.calls), sign * sum(t.answered),
               sign * sum(t.short), sign * sum(t.seconds), sign * sum(t.billed_seconds), sign * sum(t.pdd_calls),
               sign * sum(t.pdd), sign * sum(t.cost), sign * sum(t.price))::public.call_totals
    FROM unnest(calls) AS call CROSS JOIN LATERAL public.totals_of(call) AS t
    GROUP BY t.dimension, t.period, t.starts_at, t.thing, t.direction
    ORDER BY t.dimension, t.period, t.starts_at, t.thing, t.direction) $$;

CREATE OR REPLACE FUNCTION public.count_changed_calls() RETURNS trigger
LANGUAGE plpgsql AS $$
-- Many at once, in one statement: some ten thousand at the most, for they are held in memory.
BEGIN
    PERFORM public.add_totals(public.sum_totals(array_agg(c::public.calls), -1)) FROM before_calls c;
    IF TG_OP = 'UPDATE' THEN
        PERFORM public.add_totals(public.sum_totals(array_agg(c::public.calls), 1)) FROM after_calls c;
    END IF;
    RETURN NULL;
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
    FROM public.calls AS call CROSS JOIN LATERAL public.totals_of(call) AS t
    GROUP BY 1, 2, 3, 4, 5
    ORDER BY 3, 1, 4;  -- As they would lie if they had come in one by one.
END $$;

CREATE OR REPLACE TRIGGER count_new_call AFTER INSERT ON public.calls
    FOR EACH ROW EXECUTE FUNCTION public.count_new_call();
CREATE OR REPLACE TRIGGER count_changed_calls AFTER UPDATE ON public.calls
    REFERENCING OLD TABLE AS before_calls NEW TABLE AS after_calls
    FOR EACH STATEMENT EXECUTE FUNCTION public.count_changed_calls();
CREATE OR REPLACE TRIGGER count_deleted_calls AFTER DELETE ON public.calls
    REFERENCING OLD TABLE AS before_calls FOR EACH STATEMENT EXECUTE FUNCTION public.count_changed_calls();
