-- Where a customer's call may go. The dialplan asks through asterisk.call_requests, the simulator asks directly: both
-- get the answer of this one function.

DO $$ BEGIN
    CREATE TYPE public.call_answer AS (
        verdict text,        -- internal: a phone of the customer; did: one of our numbers; route: the legs; refused
        reason text,         -- why it was refused; '' otherwise
        cause integer,       -- Q.850 cause to hang up with when refused; 0 otherwise
        number text,         -- the number as it was understood; for internal the key of the phone
        caller_id text,      -- the number to present; '' for none
        -- In the order to try, joined with &: endpoint:gateway id:provider id:number to send:caller id as the gateway
        -- wants it:the calls at once that it takes (0: any number).
        legs text,
        max_seconds integer, -- the call is cut off after this; 0 for no limit
        reserved numeric     -- what is put by for the call of a prepaid customer; 0 for nothing
    );
EXCEPTION WHEN duplicate_object THEN
    -- It may be from before there were prepaid customers.
    IF NOT EXISTS (SELECT FROM pg_attribute WHERE attrelid = 'public.call_answer'::regclass AND attname = 'reserved') THEN
        ALTER TYPE public.call_answer ADD ATTRIBUTE reserved numeric;
    END IF;
END $$;

CREATE OR REPLACE FUNCTION public.refused(reason text, cause integer) RETURNS public.call_answer
LANGUAGE sql IMMUTABLE AS $$ SELECT 'refused', reason, cause, '', '', '', 0, 0 $$;

CREATE OR REPLACE FUNCTION public.is_emergency(number text) RETURNS boolean
LANGUAGE sql STABLE AS $$
-- The public emergency services, as the settings list them. They are reached by whoever can dial, a customer who does
-- not pay included, and neither an extension nor a number rule stands in their way.
SELECT EXISTS (SELECT FROM public.settings WHERE number = ANY (emergency_numbers)) $$;

CREATE OR REPLACE FUNCTION public.presented_number(customer public.customers, caller text, caller_extension text)
RETURNS text
LANGUAGE plpgsql STABLE AS $$
-- The number a customer's call presents: the one it sent if that is the customer's own or one it may show besides, else
-- the one that rings the calling phone, else the customer's default.
BEGIN
    RETURN coalesce(
        (SELECT caller WHERE caller = ANY (customer.allowed_caller_ids)),
        (SELECT d.number FROM public.dids d JOIN public.customer_dids a ON a.did_id = d.id
         WHERE d.number = caller AND a.customer_id = customer.id AND a.released_at IS NULL),
        (SELECT min(d.number) FROM public.customer_dids a
         JOIN public.dids d ON d.id = a.did_id
         JOIN public.extensions e ON e.id = a.extension_id
         WHERE a.customer_id = customer.id AND a.released_at IS NULL AND e.extension = caller_extension),
        customer.caller_id);
END $$;

CREATE OR REPLACE FUNCTION public.written_caller_id(number text, format text, country_code text) RETURNS text
LANGUAGE sql IMMUTABLE AS $$
-- A caller's number as a gateway wants it. One of another country keeps its country code.
SELECT CASE
    WHEN number = '' OR format = 'e164' THEN number
    WHEN format = 'plus' THEN '+' || number
    WHEN NOT starts_with(number, country_code) THEN number
    WHEN format = 'national' THEN substr(number, length(country_code) + 1)
    ELSE '0' || substr(number, length(country_code) + 1)
END $$;

CREATE OR REPLACE FUNCTION public.is_blocked(customer public.customers, number text) RETURNS boolean
LANGUAGE plpgsql STABLE AS $$
-- Whether the customer's destination lists stand in the way: the longer prefix counts, and of equal ones the blocked.
DECLARE
    blocked integer;
    allowed integer;
BEGIN
    IF customer.blocked_list_id IS NULL AND customer.allowed_list_id IS NULL THEN
        RETURN false;
    END IF;
    SELECT max(length(prefix)) FILTER (WHERE l.id = customer.blocked_list_id),
           max(length(prefix)) FILTER (WHERE l.id = customer.allowed_list_id)
    INTO blocked, allowed
    FROM public.destination_lists l, unnest(l.prefixes) AS prefix
    WHERE l.id IN (customer.blocked_list_id, customer.allowed_list_id) AND starts_with(number, prefix);
    RETURN CASE WHEN allowed IS NULL THEN customer.allowed_list_id IS NOT NULL OR blocked IS NOT NULL
                ELSE coalesce(blocked >= allowed, false) END;
END $$;

CREATE OR REPLACE FUNCTION public.refusal_by_limits(
    customer public.customers, settings public.settings, tariff public.tariffs, channels integer
) RETURNS public.call_answer
LANGUAGE plpgsql STABLE AS $$
-- Why a customer's limits do not let a call out; NULL if they do. `tariff` is the one it is charged by, all NULL if it
-- is free.
--
-- The causes are what Asterisk makes SIP's statuses of (hangup_cause2sip() in chan_pjsip.c). What the customer may not
-- do is 21, "call rejected", 403: 402 is reserved in SIP, and no cause becomes it. Where the customer's own room is
-- taken, 34 ("no circuit available") and 42 ("switching equipment congestion") are what the words say; both become 503,
-- which lets a PBX with a second carrier try there (RFC 3261, 21.5.4), as 486 would not: nobody is busy.
DECLARE
    -- The planner sees what variables hold, and so which day's partition is meant.
    a_second_ago timestamptz := now() - interval '1 second';
    soon timestamptz := now() + interval '1 minute';
BEGIN
    IF tariff.price_per_minute > customer.max_price_per_minute THEN
        RETURN public.refused('too_dear', 21);
    ELSIF customer.max_channels > 0 AND channels > customer.max_channels THEN
        RETURN public.refused('channels', 34);
    ELSIF customer.calls_per_second > 0 AND customer.calls_per_second <= (
        -- Those that were refused do not count, else who never stops asking would never be let through again.
        SELECT count(*) FROM asterisk.call_requests r
        WHERE r.requested_at BETWEEN a_second_ago AND soon AND r.customer_id = customer.id::text
          AND r.verdict IN ('route', 'did')
    ) THEN
        RETURN public.refused('calls_per_second', 42);
    ELSIF customer.daily_limit IS NOT NULL AND tariff.price_per_minute + tariff.connect_fee > 0 AND customer.daily_limit <= (
        SELECT coalesce(sum(t.price), 0) FROM public.call_totals t
        WHERE t.dimension = 'customer' AND t.period = 'day' AND t.thing = customer.id::text
          AND t.starts_at = date_trunc('day', now(), settings.time_zone) AND t.direction IN ('outbound', 'onnet')
    ) + (
        SELECT coalesce(sum(r.amount), 0) FROM public.reservations r WHERE r.customer_id = customer.id AND r.until > now()
    ) THEN
        RETURN public.refused('daily_limit', 21);
    END IF;
    RETURN NULL;
END $$;

DROP FUNCTION IF EXISTS
    public.route_call(uuid, text, text, text), public.route_call(uuid, text, text, text, integer), public.legs;

CREATE OR REPLACE FUNCTION public.route_call(
    customer_id uuid, dialed text, caller text DEFAULT '', endpoint text DEFAULT '', channels integer DEFAULT 0,
    at timestamptz DEFAULT now()
) RETURNS public.call_answer
LANGUAGE plpgsql STABLE AS $$
-- `channels` is how many calls the customer has on the node that asks, this one included. `at` says by the tariffs of
-- which moment; everything else is as it is now.
DECLARE
    customer public.customers;
    settings public.settings;
    plan public.price_plans;
    tariff public.tariffs;
    refusal public.call_answer;
    dialled_number text := regexp_replace(dialed, '^\+', '');
    is_emergency boolean;
    is_ours boolean;
    own_phone text;
    presented text;
    ways text;
    too_dear boolean;
    longest integer := 0;
    reserved numeric := 0;
BEGIN
    SELECT * INTO settings FROM public.settings;
    SELECT * INTO customer FROM public.customers c WHERE c.id = route_call.customer_id;
    is_emergency := coalesce(dialled_number = ANY (settings.emergency_numbers), false);
    IF customer.id IS NULL THEN
        RETURN public.refused('unknown_customer', 21);
    ELSIF NOT customer.enabled AND NOT is_emergency THEN
        RETURN public.refused('customer_disabled', 21);
    ELSIF dialled_number !~ '^[0-9*#]{1,32}$' THEN
        RETURN public.refused('invalid_number', 1);
    END IF;

    SELECT customer.code || '-' || e.extension INTO own_phone
    FROM public.extensions e
    WHERE e.customer_id = customer.id AND e.extension = dialled_number AND e.enabled AND NOT is_emergency;
    IF FOUND THEN
        RETURN ROW('internal', '', 0, own_phone, '', '', 0, 0)::public.call_answer;
    END IF;

    -- From here on the number is the one that was meant, as the customer's rules have it, whatever was dialled.
    IF NOT is_emergency THEN
        dialled_number := (public.normalise_number(customer, dialed)).number;
        IF dialled_number !~ '^[0-9*#]{1,32}$' THEN
            RETURN public.refused('invalid_number', 1);
        END IF;
    END IF;
    is_ours := EXISTS (SELECT FROM public.dids d WHERE d.number = dialled_number AND d.status = 'allocated');

    -- Nothing stands in the way of an emergency. Others are charged as rate_call() has it.
    IF NOT is_emergency THEN
        IF NOT is_ours AND public.is_stopped(customer.id, dialled_number, settings.country_code) THEN
            RETURN public.refused('fraud', 21);
        ELSIF public.is_blocked(customer, dialled_number) THEN
            RETURN public.refused('blocked', 21);
        END IF;
        SELECT * INTO plan FROM public.price_plans p WHERE p.id = customer.price_plan_id;
        IF NOT is_ours OR plan.onnet_charged THEN
            SELECT * INTO tariff FROM public.tariff_for(plan.id, dialled_number, route_call.at);
            IF plan.id IS NOT NULL AND tariff.id IS NULL THEN
                RETURN public.refused('no_tariff', 3);
            END IF;
        END IF;
        refusal := public.refusal_by_limits(customer, settings, tariff, channels);
        IF refusal.verdict IS NOT NULL THEN
            RETURN refusal;
        END IF;
        IF NOT is_ours THEN
            longest := settings.max_call_seconds;
        END IF;
        IF customer.prepaid AND tariff.price_per_minute + tariff.connect_fee > 0 THEN
            SELECT a.max_seconds, a.reserved INTO longest, reserved FROM public.allowance(customer, settings, tariff) AS a;
            IF longest = 0 THEN
                RETURN public.refused('no_balance', 21);
            END IF;
        END IF;
    END IF;

    -- A customer writes its own number as it writes those it dials.
    presented := public.presented_number(customer, (public.normalise_number(customer, caller)).number,
                                         substr(endpoint, length(customer.code) + 2));
    IF is_ours THEN
        RETURN ROW('did', '', 0, dialled_number, presented, '', longest, reserved)::public.call_answer;
    END IF;

    -- The ways out, the best first: by priority, then by what a minute costs then, as rate_call() has it. What a provider
    -- charges is looked up once, however many of the routes lead to it.
    WITH fitting AS MATERIALIZED (
        SELECT r.name, r.priority, g.id AS gateway_id, g.name AS gateway, g.provider_id,
               g.tech_prefix || r.prepend || substr(dialled_number, r.strip + 1) AS number,
               public.written_caller_id(presented, g.caller_id_format, settings.country_code) AS caller_id, g.max_channels
        FROM public.routes r
        JOIN public.gateways g ON g.id = r.gateway_id
        WHERE r.enabled AND g.enabled AND length(dialled_number) > r.strip
          -- The digits a pattern begins with are looked up in an index; and where the planner reads all routes instead,
          -- they are compared first. Either way few expressions are compiled for each call.
          AND r.digits = ANY (ARRAY(SELECT left(dialled_number, n) FROM generate_series(0, length(dialled_number)) AS n))
          AND CASE WHEN starts_with(dialled_number, r.digits) THEN dialled_number ~ r.regex END
    ), charging AS MATERIALIZED (
        SELECT p.id, per_minute,
               coalesce(customer.refuse_below_cost AND NOT is_emergency AND per_minute > tariff.price_per_minute, false) AS is_loss
        FROM (SELECT DISTINCT provider_id FROM fitting) AS f
        JOIN public.providers p ON p.id = f.provider_id
        LEFT JOIN LATERAL public.provider_tariff_for(p.id, dialled_number, route_call.at) AS deck ON true
        CROSS JOIN LATERAL (
            SELECT coalesce(deck.cost_per_minute, nullif(tariff.cost_per_minute, 0), p.cost_per_minute)
        ) AS cost (per_minute)
    )
    SELECT string_agg(
               concat_ws(':', 'gateway-' || f.gateway, f.gateway_id, f.provider_id, f.number, f.caller_id,
                         CASE WHEN is_emergency THEN 0 ELSE f.max_channels END),
               '&' ORDER BY f.priority, c.per_minute, f.name)
               FILTER (WHERE NOT c.is_loss),
           bool_or(c.is_loss)
    INTO ways, too_dear
    FROM fitting f
    JOIN charging c ON c.id = f.provider_id;
    IF ways IS NOT NULL THEN
        RETURN ROW('route', '', 0, dialled_number, presented, ways, longest, reserved)::public.call_answer;
    ELSIF too_dear THEN
        RETURN public.refused('below_cost', 34);  -- Another carrier may be cheaper.
    END IF;
    RETURN public.refused('no_route', 3);
END $$;
