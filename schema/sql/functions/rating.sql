-- What a leg of a call costs and is sold for. The trigger that takes in CDRs, re-rating and the simulator ask here.

DO $$ BEGIN
    CREATE TYPE public.rating AS (
        unrated text,                  -- why there is no price: no_price_plan, no_tariff; '' if there is one
        price_plan_id uuid,            -- the plan whose tariff counts
        prefix text,                   -- of that tariff
        destination text,              -- what the tariff calls the numbers of the prefix; else the prefix
        price_per_minute numeric,
        connect_fee numeric,
        minimum_seconds integer,
        increment_seconds integer,
        billed_seconds integer,
        price numeric,
        cost_source text,              -- deck, tariff or provider; '' if it costs nothing
        cost_prefix text,
        cost_per_minute numeric,
        cost_connect_fee numeric,
        cost_minimum_seconds integer,
        cost_increment_seconds integer,
        cost_billed_seconds integer,
        cost numeric
    );
EXCEPTION WHEN duplicate_object THEN NULL;
END $$;

CREATE OR REPLACE FUNCTION public.billed_seconds(seconds integer, minimum integer, increment integer) RETURNS integer
LANGUAGE sql IMMUTABLE AS $$
-- The seconds that are charged for a call of so many seconds (NULL: it was not answered): the minimum, and whole
-- increments that cover what is beyond it. 31 seconds at 30/60 are 90.
SELECT CASE
    WHEN seconds IS NULL THEN 0
    WHEN seconds <= minimum THEN minimum
    ELSE minimum + (seconds - minimum + increment - 1) / increment * increment
END $$;

CREATE OR REPLACE FUNCTION public.amount(billed_seconds integer, per_minute numeric, connect_fee numeric, places integer)
RETURNS numeric
LANGUAGE sql IMMUTABLE AS $$
-- What an answered call comes to. The only place where amounts are rounded: half up, to the places of the settings.
SELECT round((connect_fee * 60 + billed_seconds * per_minute) / 60, places) $$;

CREATE OR REPLACE FUNCTION public.rate_call(
    direction text, customer_id uuid, number text, at timestamptz, seconds integer, provider_id uuid
) RETURNS public.rating
LANGUAGE plpgsql STABLE AS $$
-- `number` is the called number in E.164 digits, `seconds` how long it was talked, NULL if it was not answered, and the
-- provider the one whose gateway carried it.
--   outbound: by the customer's plan. Emergency calls are free.
--   inbound:  by the plan's plan for inbound calls, free without one and for numbers that it does not hold.
--   onnet:    as outbound if the customer's plan says so, else free.
--   internal: free.
-- A leg costs what the provider's deck says, else what the tariff says, else the provider's cost per minute, by the
-- second.
DECLARE
    -- What is charged for (goes_out: a provider carries it), by what, and what is known of its cost.
    charged record;
    source text := '';
    unrated text := '';
    billed integer := 0;
    price numeric := 0;
    cost_billed integer := 0;
    cost numeric := 0;
BEGIN
    -- One question instead of five, for this is asked at the end of each call.
    SELECT s.price_places AS places, leg.goes_out, plan.id AS own_plan_id, plan.onnet_charged, leg.plan_id, t.id AS tariff_id,
           t.prefix, t.description, t.price_per_minute, t.connect_fee, t.minimum_seconds, t.increment_seconds,
           t.cost_per_minute AS own_cost, d.id AS deck_id, d.prefix AS cost_prefix, d.description AS deck_description,
           d.cost_per_minute, d.connect_fee AS cost_fee, d.minimum_seconds AS cost_minimum,
           d.increment_seconds AS cost_increment, p.cost_per_minute AS flat
    INTO charged
    FROM public.settings s
    LEFT JOIN public.customers c ON c.id = rate_call.customer_id
    LEFT JOIN public.price_plans plan ON plan.id = c.price_plan_id
    CROSS JOIN LATERAL (
        SELECT goes_out, CASE WHEN goes_out OR direction = 'onnet' AND plan.onnet_charged THEN plan.id
                              WHEN direction = 'inbound' THEN plan.inbound_plan_id END AS plan_id
        FROM (VALUES (direction = 'outbound' AND number <> ALL (s.emergency_numbers))) AS o (goes_out)
    ) AS leg
    LEFT JOIN LATERAL public.tariff_for(leg.plan_id, number, at) AS t ON true
    LEFT JOIN public.providers p ON leg.goes_out AND p.id = rate_call.provider_id
    LEFT JOIN LATERAL public.provider_tariff_for(p.id, number, at) AS d ON true;

    IF charged.deck_id IS NOT NULL THEN
        source := 'deck';
    ELSIF charged.own_cost > 0 THEN
        source := 'tariff';
        charged.cost_prefix := charged.prefix;
        charged.cost_per_minute := charged.own_cost;
        charged.cost_fee := 0;
        charged.cost_minimum := charged.minimum_seconds;
        charged.cost_increment := charged.increment_seconds;
    ELSIF charged.flat > 0 THEN
        source := 'provider';
        charged.cost_prefix := '';
        charged.cost_per_minute := charged.flat;
        charged.cost_fee := 0;
        charged.cost_minimum := 0;
        charged.cost_increment := 1;
    END IF;
    IF seconds IS NOT NULL THEN
        IF charged.tariff_id IS NOT NULL THEN
            billed := public.billed_seconds(seconds, charged.minimum_seconds, charged.increment_seconds);
            price := public.amount(billed, charged.price_per_minute, charged.connect_fee, charged.places);
        ELSIF charged.goes_out AND charged.own_plan_id IS NULL THEN
            unrated := 'no_price_plan';
        ELSIF charged.goes_out OR direction = 'onnet' AND charged.onnet_charged THEN
            unrated := 'no_tariff';
        END IF;
        IF source <> '' THEN
            cost_billed := public.billed_seconds(seconds, charged.cost_minimum, charged.cost_increment);
            cost := public.amount(cost_billed, charged.cost_per_minute, charged.cost_fee, charged.places);
        END IF;
    END IF;
    RETURN (
        unrated, charged.plan_id, coalesce(charged.prefix, ''),
        coalesce(nullif(charged.description, ''), charged.prefix, nullif(charged.deck_description, ''), charged.cost_prefix, ''),
        coalesce(charged.price_per_minute, 0), coalesce(charged.connect_fee, 0), coalesce(charged.minimum_seconds, 0),
        coalesce(charged.increment_seconds, 1), billed, price, source, coalesce(charged.cost_prefix, ''),
        coalesce(charged.cost_per_minute, 0), coalesce(charged.cost_fee, 0), coalesce(charged.cost_minimum, 0),
        coalesce(charged.cost_increment, 1), cost_billed, cost)::public.rating;
END $$;
