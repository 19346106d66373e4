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
    rated public.rating;
    plan public.price_plans;
    tariff public.tariffs;
    deck public.provider_tariffs;
    flat numeric;
    places integer;
BEGIN
    rated := ('', NULL, '', '', 0, 0, 0, 1, 0, 0, '', '', 0, 0, 0, 1, 0, 0);
    IF direction = 'internal' OR direction = 'outbound' AND public.is_emergency(number) THEN
        RETURN rated;
    END IF;
    SELECT p.* INTO plan FROM public.customers c JOIN public.price_plans p ON p.id = c.price_plan_id
    WHERE c.id = rate_call.customer_id;
    rated.price_plan_id := CASE WHEN direction = 'inbound' THEN plan.inbound_plan_id
                                WHEN direction = 'outbound' OR plan.onnet_charged THEN plan.id END;
    IF rated.price_plan_id IS NOT NULL THEN
        SELECT * INTO tariff FROM public.tariff_for(rated.price_plan_id, number, at);
    END IF;
    IF direction = 'outbound' AND rate_call.provider_id IS NOT NULL THEN
        SELECT * INTO deck FROM public.provider_tariff_for(rate_call.provider_id, number, at);
        IF deck.id IS NULL AND coalesce(tariff.cost_per_minute, 0) = 0 THEN
            SELECT p.cost_per_minute INTO flat FROM public.providers p WHERE p.id = rate_call.provider_id;
        END IF;
    END IF;

    IF tariff.id IS NOT NULL THEN
        rated.prefix := tariff.prefix;
        rated.destination := coalesce(nullif(tariff.description, ''), tariff.prefix);
        rated.price_per_minute := tariff.price_per_minute;
        rated.connect_fee := tariff.connect_fee;
        rated.minimum_seconds := tariff.minimum_seconds;
        rated.increment_seconds := tariff.increment_seconds;
    ELSIF direction <> 'inbound' AND seconds IS NOT NULL AND (direction = 'outbound' OR plan.onnet_charged) THEN
        rated.unrated := CASE WHEN plan.id IS NULL THEN 'no_price_plan' ELSE 'no_tariff' END;
    END IF;

    IF deck.id IS NOT NULL THEN
        rated.cost_source := 'deck';
        rated.cost_prefix := deck.prefix;
        rated.cost_per_minute := deck.cost_per_minute;
        rated.cost_connect_fee := deck.connect_fee;
        rated.cost_minimum_seconds := deck.minimum_seconds;
        rated.cost_increment_seconds := deck.increment_seconds;
        rated.destination := coalesce(nullif(rated.destination, ''), nullif(deck.description, ''), deck.prefix);
    ELSIF tariff.cost_per_minute > 0 THEN
        rated.cost_source := 'tariff';
        rated.cost_prefix := tariff.prefix;
        rated.cost_per_minute := tariff.cost_per_minute;
        rated.cost_minimum_seconds := tariff.minimum_seconds;
        rated.cost_increment_seconds := tariff.increment_seconds;
    ELSIF flat > 0 THEN
        rated.cost_source := 'provider';
        rated.cost_per_minute := flat;
    END IF;

    IF seconds IS NOT NULL THEN
        SELECT s.price_places INTO places FROM public.settings s;
        IF tariff.id IS NOT NULL THEN
            rated.billed_seconds := public.billed_seconds(seconds, rated.minimum_seconds, rated.increment_seconds);
            rated.price := public.amount(rated.billed_seconds, rated.price_per_minute, rated.connect_fee, places);
        END IF;
        IF rated.cost_source <> '' THEN
            rated.cost_billed_seconds :=
                public.billed_seconds(seconds, rated.cost_minimum_seconds, rated.cost_increment_seconds);
            rated.cost := public.amount(rated.cost_billed_seconds, rated.cost_per_minute, rated.cost_connect_fee, places);
        END IF;
    END IF;
    RETURN rated;
END $$;
