-- Calls rated again, after tariffs were set right.

CREATE OR REPLACE FUNCTION public.rerated(call public.calls) RETURNS public.calls
LANGUAGE sql STABLE AS $$
-- The call as it would be rated now, by what counted when it was made.
SELECT jsonb_populate_record(call, to_jsonb(public.rate_call(
    call.direction, call.customer_id,
    CASE WHEN call.direction = 'inbound' THEN coalesce(nullif(call.did, ''), call.dst) ELSE call.dst END,
    call.started_at, CASE WHEN call.answered_at IS NOT NULL THEN call.billsec END, call.provider_id))) $$;

CREATE OR REPLACE FUNCTION public.rating_of(call public.calls) RETURNS jsonb
LANGUAGE sql IMMUTABLE AS $$
-- What of a call is shown beside what it would be. Amounts are texts, so that nobody rounds them.
SELECT jsonb_build_object(
    'price_plan_id', call.price_plan_id, 'prefix', call.prefix, 'destination', call.destination,
    'price_per_minute', call.price_per_minute::text, 'billed_seconds', call.billed_seconds, 'price', call.price::text,
    'cost_source', call.cost_source, 'cost_per_minute', call.cost_per_minute::text, 'cost', call.cost::text,
    'unrated', call.unrated) $$;

CREATE OR REPLACE FUNCTION public.rerate_on(rerating_id uuid, most integer DEFAULT 1000) RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog AS $$
-- Go on with a rerating by some calls: compare them, and if it is being applied write what is different. True if there
-- are more, false if these were the last, NULL if nothing is going on.
DECLARE
    job public.reratings;
    upto_at timestamptz;
    upto_id bigint;
    looked_at bigint;
    last_at timestamptz;
    last_id bigint;
    examples jsonb;
    is_over boolean;
BEGIN
    SELECT * INTO job FROM public.reratings r
    WHERE r.id = rerate_on.rerating_id AND r.state IN ('comparing', 'applying') FOR UPDATE;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    IF job.state = 'applying' THEN
        -- One at a time, so that what is counted is what was changed.
        PERFORM pg_advisory_xact_lock(hashtext('asterisk-admin rerate'));
    END IF;

    -- However few of them are meant, no more than so many are passed at a time.
    SELECT c.started_at, c.id INTO upto_at, upto_id FROM public.calls c
    WHERE c.started_at >= job.reached_at AND c.started_at < job.until
      AND (c.started_at, c.id) > (job.reached_at, job.reached_id)
    ORDER BY c.started_at, c.id OFFSET 20 * most LIMIT 1;

    WITH chunk AS MATERIALIZED (
        SELECT c AS before FROM public.calls c
        WHERE c.started_at >= job.reached_at AND c.started_at < job.until
          AND (c.started_at, c.id) > (job.reached_at, job.reached_id)
          AND (upto_id IS NULL OR (c.started_at, c.id) <= (upto_at, upto_id))
          AND (job.customer_id IS NULL OR c.customer_id = job.customer_id)
          AND (job.price_plan_id IS NULL OR c.price_plan_id = job.price_plan_id)
          AND (job.direction = '' OR c.direction = job.direction)
          AND (NOT job.only_unrated OR c.unrated <> '')
        ORDER BY c.started_at, c.id LIMIT most
    ), rated AS MATERIALIZED (
        SELECT before, public.rerated(before) AS after FROM chunk
    ), different AS (
        SELECT before, after FROM rated WHERE before IS DISTINCT FROM after
    ), written AS (
        UPDATE public.calls c SET
            price_plan_id = (after).price_plan_id,
            prefix = (after).prefix,
            destination = (after).destination,
            price_per_minute = (after).price_per_minute,
            connect_fee = (after).connect_fee,
            minimum_seconds = (after).minimum_seconds,
            increment_seconds = (after).increment_seconds,
            billed_seconds = (after).billed_seconds,
            price = (after).price,
            cost_source = (after).cost_source,
            cost_prefix = (after).cost_prefix,
            cost_per_minute = (after).cost_per_minute,
            cost_connect_fee = (after).cost_connect_fee,
            cost_minimum_seconds = (after).cost_minimum_seconds,
            cost_increment_seconds = (after).cost_increment_seconds,
            cost_billed_seconds = (after).cost_billed_seconds,
            cost = (after).cost,
            unrated = (after).unrated
        FROM different
        WHERE job.state = 'applying' AND c.id = (before).id AND c.started_at = (before).started_at
    ), summed AS (
        INSERT INTO public.rerating_customers AS known
        SELECT job.id, coalesce((before).customer_id, '00000000-0000-0000-0000-000000000000'), count(*),
               sum((before).price), sum((after).price), sum((before).cost), sum((after).cost)
        FROM different GROUP BY 2
        ON CONFLICT ON CONSTRAINT pk_rerating_customers DO UPDATE SET
            calls = known.calls + excluded.calls,
            price_before = known.price_before + excluded.price_before,
            price_after = known.price_after + excluded.price_after,
            cost_before = known.cost_before + excluded.cost_before,
            cost_after = known.cost_after + excluded.cost_after
    )
    SELECT
        (SELECT count(*) FROM chunk),
        (SELECT (before).started_at FROM chunk ORDER BY 1 DESC LIMIT 1),
        (SELECT (before).id FROM chunk ORDER BY (before).started_at DESC, 1 DESC LIMIT 1),
        (SELECT coalesce(jsonb_agg(example), '[]') FROM (
            SELECT jsonb_build_object(
                'id', (before).id, 'started_at', (before).started_at, 'customer_id', (before).customer_id,
                'direction', (before).direction, 'src', (before).src, 'dst', (before).dst,
                'billsec', (before).billsec, 'before', public.rating_of(before), 'after', public.rating_of(after)
            ) AS example
            FROM different ORDER BY (before).started_at, (before).id
            LIMIT greatest(20 - jsonb_array_length(job.sample), 0)) AS examples)
    INTO looked_at, last_at, last_id, examples;

    is_over := looked_at < most AND upto_id IS NULL;
    UPDATE public.reratings r SET
        calls = r.calls + looked_at,
        sample = r.sample || examples,
        reached_at = CASE WHEN looked_at = most THEN last_at ELSE coalesce(upto_at, r.until) END,
        reached_id = CASE WHEN looked_at = most THEN last_id ELSE coalesce(upto_id, 0) END,
        heartbeat = clock_timestamp(),
        error = '',
        state = CASE WHEN NOT is_over THEN r.state WHEN r.state = 'comparing' THEN 'compared' ELSE 'applied' END,
        applied_at = CASE WHEN is_over AND r.state = 'applying' THEN clock_timestamp() END
    WHERE r.id = job.id;
    RETURN NOT is_over;
END $$;
