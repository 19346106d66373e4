-- The way of a CDR: asterisk.cdr keeps it as it came; public.calls is what it says, priced. Whatever is wrong with one,
-- the CDR stays, is listed with the reason, and everything else goes on.

CREATE OR REPLACE FUNCTION public.uuid_or_null(text) RETURNS uuid
LANGUAGE sql IMMUTABLE AS $$
SELECT CASE WHEN $1 ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' THEN $1::uuid END $$;

CREATE OR REPLACE FUNCTION public.status_of_cause(cause text) RETURNS integer
LANGUAGE sql IMMUTABLE AS $$
-- What Asterisk answers where the dialplan refuses with this cause: hangup_cause2sip() in chan_pjsip.c.
SELECT CASE WHEN cause IN ('1', '3') THEN 404 WHEN cause = '17' THEN 486 WHEN cause = '20' THEN 480
            WHEN cause = '21' THEN 403 WHEN cause IN ('34', '42') THEN 503 END $$;

CREATE OR REPLACE FUNCTION public.land(cdr asterisk.cdr) RETURNS text
LANGUAGE plpgsql AS $$
-- Make a call of a CDR; why it has no price, '' if it has one. An error says what makes no sense in it, and
-- unique_violation that the call is there already. (To ask before would take a tenth of the whole time.)
DECLARE
    rated public.rating;
    started timestamptz := cdr.start::timestamptz;
    answered timestamptz := nullif(cdr.answer, '')::timestamptz;
    -- A second that has begun counts.
    seconds integer := CASE WHEN cdr.answer <> '' THEN ceil(cdr.billsec::numeric) END;
    customer uuid := public.uuid_or_null(cdr.customer_id);
    provider uuid := public.uuid_or_null(cdr.provider_id);
    number text := coalesce(nullif(cdr.number, ''), cdr.dst, '');
BEGIN
    -- How the leg before this one ended is known to the dialplan only now.
    IF cdr.previous_cause <> '' THEN
        UPDATE public.calls c
        SET cause = cdr.previous_cause::integer, sip_status = substring(cdr.previous_status FROM '[1-6][0-9]{2}')::integer
        WHERE c.node = cdr.node AND c.uniqueid = cdr.uniqueid
          AND c.started_at BETWEEN started - interval '1 day' AND started + interval '1 second'
          AND c.sequence = (
              SELECT max(l.sequence) FROM public.calls l
              WHERE l.node = cdr.node AND l.uniqueid = cdr.uniqueid AND l.sequence < cdr.sequence::integer
                AND l.started_at BETWEEN started - interval '1 day' AND started + interval '1 second');
    END IF;
    IF cdr.dcontext = 'hang-up' THEN
        RETURN '';  -- It only says how the last leg ended.
    ELSIF cdr.dcontext = 'conference-call' THEN
        RETURN '';  -- The end of a Local channel that leads into a room; the call is that of the other end.
    END IF;
    rated := public.rate_call(
        cdr.direction, customer, CASE WHEN cdr.direction = 'inbound' THEN coalesce(nullif(cdr.did, ''), number) ELSE number END,
        started, seconds, provider);
    INSERT INTO public.calls (
        id, started_at, day, answered_at, ended_at, node, uniqueid, sequence, linkedid, request, direction, customer_id,
        provider_id, gateway_id, did, src, dst, disposition, reason, cause, sip_status, pdd, duration, billsec, price_plan_id,
        prefix, destination, price_per_minute, connect_fee, minimum_seconds, increment_seconds, billed_seconds, price,
        cost_source, cost_prefix, cost_per_minute, cost_connect_fee, cost_minimum_seconds, cost_increment_seconds,
        cost_billed_seconds, cost, unrated)
    VALUES (
        cdr.id, started, date_trunc('day', started, (SELECT s.time_zone FROM public.settings s)), answered,
        nullif(cdr."end", '')::timestamptz, coalesce(cdr.node, ''), cdr.uniqueid,
        cdr.sequence::integer, coalesce(cdr.linkedid, ''), coalesce(cdr.request, ''), coalesce(cdr.direction, ''),
        customer, provider, public.uuid_or_null(cdr.gateway_id), coalesce(cdr.did, ''), coalesce(cdr.src, ''), number,
        coalesce(cdr.disposition, ''), coalesce(cdr.userfield, ''),
        CASE WHEN answered IS NOT NULL OR cdr.userfield = 'cancelled' THEN 16 ELSE nullif(cdr.cause, '')::integer END,
        -- The caller gave up, or was refused.
        CASE WHEN cdr.userfield = 'cancelled' THEN 487 WHEN answered IS NULL THEN public.status_of_cause(cdr.cause) END,
        round(nullif(cdr.pdd, '')::numeric), ceil(cdr.duration::numeric), coalesce(seconds, 0), rated.price_plan_id,
        rated.prefix, rated.destination, rated.price_per_minute, rated.connect_fee, rated.minimum_seconds,
        rated.increment_seconds, rated.billed_seconds, rated.price, rated.cost_source, rated.cost_prefix,
        rated.cost_per_minute, rated.cost_connect_fee, rated.cost_minimum_seconds, rated.cost_increment_seconds,
        rated.cost_billed_seconds, rated.cost, rated.unrated);
    IF cdr.request <> '' THEN
        PERFORM public.give_back(cdr.request, answered IS NOT NULL);
    END IF;
    RETURN rated.unrated;
END $$;

CREATE OR REPLACE FUNCTION public.take_in_cdr() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' AS $$
BEGIN
    PERFORM public.land(NEW);
    RETURN NULL;
EXCEPTION
    WHEN unique_violation THEN
        RETURN NULL;  -- It came before.
    WHEN OTHERS OR query_canceled THEN
        -- Whatever it is, the call record is worth more than the order of things.
        INSERT INTO public.unrated_cdrs (cdr_id, reason, code) VALUES (NEW.id, SQLERRM, SQLSTATE);
        RETURN NULL;
END $$;

CREATE OR REPLACE TRIGGER take_in_cdr
    AFTER INSERT ON asterisk.cdr
    FOR EACH ROW EXECUTE FUNCTION public.take_in_cdr();
