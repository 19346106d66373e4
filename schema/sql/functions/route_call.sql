-- Where a customer's call may go. The dialplan asks through asterisk.call_requests, the simulator asks directly: both
-- get the answer of this one function.

DO $$ BEGIN
    CREATE TYPE public.call_answer AS (
        verdict text,        -- internal: a phone of the customer; did: one of our numbers; route: the legs; refused
        reason text,         -- why it was refused; '' otherwise
        cause integer,       -- Q.850 cause to hang up with when refused; 0 otherwise
        number text,         -- the number as it was understood; for internal the key of the phone
        caller_id text,      -- the number to present; '' for none
        legs text,           -- endpoint:gateway id:provider id:number to send, joined with &, in the order to try
        max_seconds integer  -- the call is cut off after this; 0 for no limit
    );
EXCEPTION WHEN duplicate_object THEN NULL;
END $$;

CREATE OR REPLACE FUNCTION public.refused(reason text, cause integer) RETURNS public.call_answer
LANGUAGE sql IMMUTABLE AS $$ SELECT 'refused', reason, cause, '', '', '', 0 $$;

CREATE OR REPLACE FUNCTION public.is_emergency(number text) RETURNS boolean
LANGUAGE sql STABLE AS $$
-- The public emergency services, as the settings list them. They are reached by whoever can dial, a customer who does
-- not pay included, and neither an extension nor a number rule stands in their way.
SELECT EXISTS (SELECT FROM public.settings WHERE number = ANY (emergency_numbers)) $$;

CREATE OR REPLACE FUNCTION public.presented_number(customer public.customers, caller text, caller_extension text)
RETURNS text
LANGUAGE sql STABLE AS $$
-- The number a customer's call presents: the one it sent if it is the customer's own, else the one that rings the
-- calling phone, else the customer's default.
SELECT coalesce(
    (SELECT d.number FROM public.dids d JOIN public.customer_dids a ON a.did_id = d.id
     WHERE d.number = caller AND a.customer_id = customer.id AND a.released_at IS NULL),
    (SELECT min(d.number) FROM public.customer_dids a
     JOIN public.dids d ON d.id = a.did_id
     JOIN public.extensions e ON e.id = a.extension_id
     WHERE a.customer_id = customer.id AND a.released_at IS NULL AND e.extension = caller_extension),
    customer.caller_id
) $$;

CREATE OR REPLACE FUNCTION public.legs(number text) RETURNS text
LANGUAGE sql STABLE AS $$
-- The ways out for a number, the best first: by priority, then by what the provider charges.
SELECT coalesce((
    SELECT string_agg(
        concat_ws(':', 'gateway-' || g.name, g.id, g.provider_id,
                  g.tech_prefix || r.prepend || substr(number, r.strip + 1)),
        '&' ORDER BY r.priority, p.cost_per_minute, r.name)
    FROM public.routes r
    JOIN public.gateways g ON g.id = r.gateway_id
    JOIN public.providers p ON p.id = g.provider_id
    WHERE r.enabled AND g.enabled AND length(number) > r.strip
      -- The digits a pattern begins with rule out most of them, before their expressions are compiled for each call.
      AND CASE WHEN starts_with(number, substring(r.pattern FROM '^[0-9*#]*')) THEN number ~ r.regex END
), '') $$;

CREATE OR REPLACE FUNCTION public.route_call(
    customer_id uuid, dialed text, caller text DEFAULT '', endpoint text DEFAULT ''
) RETURNS public.call_answer
LANGUAGE plpgsql STABLE AS $$
DECLARE
    customer public.customers;
    dialled_number text := regexp_replace(dialed, '^\+', '');
    is_emergency boolean := public.is_emergency(dialled_number);
    own_phone text;
    presented text;
    ways text;
BEGIN
    SELECT * INTO customer FROM public.customers c WHERE c.id = route_call.customer_id;
    IF NOT FOUND THEN
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
        RETURN ROW('internal', '', 0, own_phone, '', '', 0)::public.call_answer;
    END IF;

    -- From here on the number is the one that was meant, as the customer's rules have it, whatever was dialled.
    IF NOT is_emergency THEN
        dialled_number := (public.normalise_number(customer, dialed)).number;
        IF dialled_number !~ '^[0-9*#]{1,32}$' THEN
            RETURN public.refused('invalid_number', 1);
        END IF;
    END IF;
    -- A customer writes its own number as it writes those it dials.
    presented := public.presented_number(customer, (public.normalise_number(customer, caller)).number,
                                         substr(endpoint, length(customer.code) + 2));
    PERFORM FROM public.dids d WHERE d.number = dialled_number AND d.status = 'allocated';
    IF FOUND THEN
        RETURN ROW('did', '', 0, dialled_number, presented, '', 0)::public.call_answer;
    END IF;

    ways := public.legs(dialled_number);
    IF ways = '' THEN
        RETURN public.refused('no_route', 3);
    END IF;
    RETURN ROW('route', '', 0, dialled_number, presented, ways, 0)::public.call_answer;
END $$;
