-- Which line of a price plan, and which of a provider's deck, counts for a number at a time: the one with the longest
-- prefix, and of those the newest that is valid by then. No row if there is none. Rating, the pages and the API all ask
-- here. Each is one lookup in the unique index for each digit of the number from the longest prefix on, until one is
-- found, however long the list is. (What refers to the digits beside it can only be looked up digit by digit, so the
-- first that is found is the longest; to sort them would be to look up all.)

CREATE OR REPLACE FUNCTION public.tariff_for(price_plan_id uuid, number text, at timestamptz DEFAULT now())
RETURNS SETOF public.tariffs
LANGUAGE sql STABLE ROWS 1 AS $$
SELECT line.*
FROM generate_series(15, 1, -1) AS digits
CROSS JOIN LATERAL (
    SELECT t.* FROM public.tariffs t
    WHERE t.price_plan_id = tariff_for.price_plan_id
      AND t.prefix = left(tariff_for.number, digits)
      AND t.valid_from <= tariff_for.at
    ORDER BY t.valid_from DESC
    LIMIT 1
) AS line
WHERE digits <= length(tariff_for.number)
LIMIT 1 $$;

CREATE OR REPLACE FUNCTION public.provider_tariff_for(provider_id uuid, number text, at timestamptz DEFAULT now())
RETURNS SETOF public.provider_tariffs
LANGUAGE sql STABLE ROWS 1 AS $$
SELECT line.*
FROM generate_series(15, 1, -1) AS digits
CROSS JOIN LATERAL (
    SELECT t.* FROM public.provider_tariffs t
    WHERE t.provider_id = provider_tariff_for.provider_id
      AND t.prefix = left(provider_tariff_for.number, digits)
      AND t.valid_from <= provider_tariff_for.at
    ORDER BY t.valid_from DESC
    LIMIT 1
) AS line
WHERE digits <= length(provider_tariff_for.number)
LIMIT 1 $$;
