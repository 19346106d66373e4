-- What number is meant by what a customer dials: E.164 digits, by which routes, tariffs and our own numbers are found.
-- The first rule of the customer's whose pattern fits cuts digits off and puts others before; a number that no rule
-- knows stays as it is.

DO $$ BEGIN
    CREATE TYPE public.normalised_number AS (
        number text,
        steps jsonb  -- [{rule, pattern, before, after}]: how it came about; empty when nothing was done
    );
EXCEPTION WHEN duplicate_object THEN NULL;
END $$;

-- How people in Brazil dial. No two of these fit one number but the short national numbers, which therefore come before
-- the local ones: area codes, carrier codes and the first digit after 0 hold no 0, which tells 0800 and its like from
-- long distance, and a local number has 8 digits or, beginning with 9, 9 of them.
-- 55 is the country and an area: 55 + 10 or 11 digits is the country, 55 + 8 or 9 digits the area.
-- 00 is followed by a carrier code, as the law has it: 00 + country is indistinguishable from it, and + says the same.
-- A country 1 has 10 digits after it, so that at least 00 1 is not taken for 00 1x. No digit is ever added to a mobile
-- number of the old length.
CREATE OR REPLACE VIEW public.brazilian_rules AS
    SELECT row_number() OVER ()::integer AS position, pattern, public.pattern_regex(pattern) AS regex,
           strip, prepend, description
    FROM (VALUES
        ('55ZZNXXXXXXX',       0, '',         'With country code'),
        ('55ZZ9XXXXXXXX',      0, '',         'With country code, mobile'),
        ('0ZZNXXXXXXX',        1, '55',       'Long distance'),
        ('0ZZ9XXXXXXXX',       1, '55',       'Long distance, mobile'),
        ('0ZZZZNXXXXXXX',      3, '55',       'Long distance with carrier code'),
        ('0ZZZZ9XXXXXXXX',     3, '55',       'Long distance with carrier code, mobile'),
        ('00ZZ1NXXNXXXXXX',    4, '',         'International with carrier code, North America'),
        ('00ZZ[2-9]XXXXXXX!',  4, '',         'International with carrier code'),
        ('0[3589]00XXXXXX!',   0, '',         'Number without area: 0300, 0500, 0800, 0900'),
        ('0303XXXXXX!',        0, '',         'Number without area: 0303'),
        ('300[34]XXXX',        0, '',         'Short national number: 3003, 3004'),
        ('400[1-47]XXXX',      0, '',         'Short national number: 4001 to 4004, 4007'),
        ('4020XXXX',           0, '',         'Short national number: 4020'),
        ('ZZNXXXXXXX',         0, '55',       'Area code and number'),
        ('ZZ9XXXXXXXX',        0, '55',       'Area code and number, mobile'),
        ('NXXXXXXX',           0, '55{area}', 'Local number'),
        ('9XXXXXXXX',          0, '55{area}', 'Local number, mobile')
    ) AS rules (pattern, strip, prepend, description);

CREATE OR REPLACE FUNCTION public.number_rules_of(customer public.customers)
RETURNS TABLE (rank integer, pattern text, regex text, strip integer, prepend text, description text)
LANGUAGE sql STABLE AS $$
-- The rules that a customer's numbers are read by, in their order; none for a customer who sends E.164.
SELECT r.position, r.pattern, r.regex, r.strip, r.prepend, r.description
FROM public.brazilian_rules r WHERE customer.number_rules = 'brazil'
UNION ALL
SELECT r.position, r.pattern, r.regex, r.strip, r.prepend, r.description
FROM public.number_rules r
WHERE (customer.number_rules = 'company' AND r.customer_id IS NULL)
   OR (customer.number_rules = 'own' AND r.customer_id = customer.id)
$$;

CREATE OR REPLACE FUNCTION public.normalise_number(customer public.customers, dialled text)
RETURNS public.normalised_number
LANGUAGE plpgsql STABLE AS $$
DECLARE
    company public.settings;
    area text;
    rule record;
    meant text;
BEGIN
    IF dialled LIKE '+%' THEN
        meant := substr(dialled, 2);
        RETURN (meant, jsonb_build_array(jsonb_build_object(
            'rule', 'International number with +', 'pattern', '+', 'before', dialled, 'after', meant)));
    ELSIF customer.number_rules = 'e164' THEN
        RETURN (dialled, '[]'::jsonb);
    END IF;
    SELECT * INTO company FROM public.settings;
    area := coalesce(nullif(customer.area_code, ''), company.area_code);
    -- A rule that needs an area code does not fit where there is none.
    SELECT r.pattern, r.description, r.prepend, r.strip INTO rule
    FROM public.number_rules_of(customer) r
    WHERE dialled ~ r.regex AND length(dialled) > r.strip AND (area <> '' OR r.prepend NOT LIKE '%{area}%')
    ORDER BY r.rank LIMIT 1;
    IF NOT FOUND THEN
        RETURN (dialled, '[]'::jsonb);
    END IF;
    meant := replace(replace(rule.prepend, '{country}', company.country_code), '{area}', area)
             || substr(dialled, rule.strip + 1);
    RETURN (meant, jsonb_build_array(jsonb_build_object(
        'rule', rule.description, 'pattern', rule.pattern, 'before', dialled, 'after', meant)));
END $$;
