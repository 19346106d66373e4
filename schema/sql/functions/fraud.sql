-- Toll fraud: what the rules see in calls, live and in the past alike, and what a case stops.

CREATE OR REPLACE FUNCTION public.calling_country(number text) RETURNS text
LANGUAGE sql IMMUTABLE AS $$
-- The calling code that a number begins with (ITU-T E.164 as assigned). Countries that share 1 with the United States
-- are told by their area codes, for calls to them cost many times as much.
SELECT CASE
    WHEN number ~ '^1(242|246|26[48]|284|345|441|473|649|658|664|721|758|767|784|809|829|849|868|869|876)'
        THEN left(number, 4)
    WHEN number ~ '^[17]' THEN left(number, 1)
    WHEN number ~ '^(2[07]|3[0-469]|4[013-9]|5[1-8]|6[0-6]|8[1246]|9[0-58])' THEN left(number, 2)
    ELSE left(number, 3)
END $$;

CREATE OR REPLACE FUNCTION public.is_international(number text, country_code text) RETURNS boolean
LANGUAGE sql IMMUTABLE AS $$
-- Whether a number as route_call() understands it leads to another country. Those without an area (0800 and its like,
-- service codes, and Brazil's short national numbers, see normalise_number.sql) do not.
SELECT NOT starts_with(number, country_code) AND number !~ '^[0*#]' AND length(number) > 6
   AND NOT (country_code = '55' AND number ~ '^(300[34]|400[1-47]|4020)[0-9]{4}$') $$;

CREATE OR REPLACE FUNCTION public.is_stopped(customer_id uuid, number text, country_code text) RETURNS boolean
LANGUAGE plpgsql STABLE AS $$
-- Whether an open case keeps a customer from calling a number.
BEGIN
    RETURN EXISTS (
        SELECT FROM public.fraud_cases f
        WHERE f.customer_id = is_stopped.customer_id AND f.released_at IS NULL
          AND (f.action = 'block_all'
               OR f.action = 'block_international' AND public.is_international(number, country_code)));
END $$;

CREATE OR REPLACE FUNCTION public.is_over(rule public.fraud_rules, calls numeric, seconds numeric, amount numeric)
RETURNS boolean
LANGUAGE sql IMMUTABLE AS $$
SELECT coalesce(calls > rule.max_calls, false) OR coalesce(seconds > rule.max_minutes * 60, false)
    OR coalesce(amount > rule.max_amount, false) $$;

CREATE OR REPLACE FUNCTION public.fraud_calls(
    rule public.fraud_rules, since timestamptz, until timestamptz, is_live boolean
) RETURNS TABLE (
    customer_id uuid, number text, started_at timestamptz, answered_at timestamptz, ended_at timestamptz, price numeric,
    is_going_on boolean
)
LANGUAGE plpgsql STABLE SET plan_cache_mode = force_custom_plan AS $$
-- The calls out that a rule looks at and that went on at some time after `since` and up to `until`. The legs of a call
-- are one. Those that were refused or go to emergency numbers are none. `is_live`: with the calls that go on now at
-- what they have come to, and without those that somebody has released.
#variable_conflict use_column
DECLARE
    company public.settings;
BEGIN
    SELECT * INTO company FROM public.settings;
    RETURN QUERY
    WITH legs AS (
        SELECT c.customer_id, c.node, c.uniqueid, c.dst, c.started_at, c.answered_at,
               coalesce(c.ended_at, c.started_at + c.duration * interval '1 second') AS ended_at, c.price,
               false AS is_going_on
        FROM public.calls c
        WHERE c.started_at > since - (company.max_call_seconds + 300) * interval '1 second' AND c.started_at <= until
          AND c.direction = 'outbound' AND c.reason IN ('', 'cancelled')
          AND coalesce(c.ended_at, c.started_at + c.duration * interval '1 second') > since
          AND (rule.customer_id IS NULL OR c.customer_id = rule.customer_id)
        UNION ALL
        SELECT l.customer_id, l.node, l.uniqueid, l.dst, l.started_at, l.answered_at, until, 0, true
        FROM public.live_channels l
        WHERE is_live AND l.direction = 'outbound' AND l.started_at <= until
          AND l.node IN (SELECT n.node FROM public.live_nodes n WHERE n.looked_at > until - interval '15 seconds')
          AND (rule.customer_id IS NULL OR l.customer_id = rule.customer_id)
          -- It has ended since it was looked at.
          AND NOT EXISTS (
              SELECT FROM public.calls c
              WHERE c.node = l.node AND c.uniqueid = l.uniqueid AND c.answered_at IS NOT NULL
                AND c.started_at BETWEEN l.started_at - interval '1 minute' AND until)
    ), whole AS (
        SELECT l.customer_id, max(l.dst) AS number, min(l.started_at) AS started_at, min(l.answered_at) AS answered_at,
               max(l.ended_at) AS ended_at, sum(l.price) AS price, bool_or(l.is_going_on) AS is_going_on
        FROM legs l
        WHERE l.customer_id IS NOT NULL AND l.dst <> ALL (company.emergency_numbers)
          AND CASE rule.destinations
              WHEN 'all' THEN true
              WHEN 'international' THEN public.is_international(l.dst, company.country_code)
              ELSE l.dst ~ ('^(' || array_to_string(rule.prefixes, '|') || ')') END
        GROUP BY l.customer_id, l.node, l.uniqueid
    ), quiet AS (
        SELECT f.customer_id, greatest(max(f.released_at), max(f.exempt_until)) AS until
        FROM public.fraud_cases f WHERE is_live GROUP BY f.customer_id
    )
    SELECT w.customer_id, w.number, w.started_at, w.answered_at, w.ended_at,
           CASE WHEN w.is_going_on
               THEN coalesce(public.price_so_far('outbound', w.customer_id, w.number, w.started_at, w.answered_at), 0)
               ELSE w.price END,
           w.is_going_on
    FROM whole w
    LEFT JOIN quiet q ON q.customer_id = w.customer_id
    WHERE q.until IS NULL OR w.started_at > q.until;
END $$;

CREATE OR REPLACE FUNCTION public.fraud_counted(
    rule public.fraud_rules, since timestamptz, until timestamptz, is_live boolean
) RETURNS TABLE (
    customer_id uuid, number text, started_at timestamptz, answered_at timestamptz, ended_at timestamptz, price numeric
)
LANGUAGE plpgsql STABLE SET plan_cache_mode = force_custom_plan AS $$
-- Of the calls that a rule looks at, those that its kind counts.
--   spending:    all of them.
--   burst:       those that were answered, and over within short_seconds.
--   night:       those that began between two times of the company's day.
--   destination: those to a country where none was answered in the known_days before, but within the window.
#variable_conflict use_column
DECLARE
    zone text := (SELECT s.time_zone FROM public.settings s);
    reach interval := rule.window_minutes * interval '1 minute';
    memory interval := rule.known_days * interval '1 day';
BEGIN
    IF rule.kind = 'destination' THEN
        RETURN QUERY
        WITH calls AS MATERIALIZED (
            SELECT c.*, public.calling_country(c.number) AS country
            FROM public.fraud_calls(rule, since, until, is_live) AS c
        ), marked AS (
            SELECT c.*, count(c.answered_at) OVER (
                PARTITION BY c.customer_id, c.country ORDER BY c.started_at
                RANGE BETWEEN memory PRECEDING AND reach PRECEDING) AS answered_before
            FROM calls c
        ), suspects AS MATERIALIZED (
            -- Whoever would not be over the limits if all the countries were new need not be looked up.
            SELECT c.customer_id FROM calls c GROUP BY c.customer_id
            HAVING public.is_over(
                rule, count(*), coalesce(sum(extract(epoch FROM c.ended_at - c.answered_at)), 0) + count(*),
                sum(c.price))
        ), new AS MATERIALIZED (
            SELECT p.customer_id, p.country
            FROM (SELECT c.customer_id, c.country, min(c.started_at) AS first
                  FROM calls c JOIN suspects s ON s.customer_id = c.customer_id GROUP BY c.customer_id, c.country) AS p
            WHERE NOT EXISTS (
                SELECT FROM public.calls k
                WHERE k.customer_id = p.customer_id AND k.started_at BETWEEN p.first - memory AND p.first - reach
                  AND k.direction = 'outbound' AND k.answered_at IS NOT NULL AND starts_with(k.dst, p.country)
                  AND public.calling_country(k.dst) = p.country)
        )
        SELECT m.customer_id, m.number, m.started_at, m.answered_at, m.ended_at, m.price
        FROM marked m JOIN new n ON n.customer_id = m.customer_id AND n.country = m.country
        WHERE m.answered_before = 0;
    ELSE
        RETURN QUERY
        SELECT c.customer_id, c.number, c.started_at, c.answered_at, c.ended_at, c.price
        FROM public.fraud_calls(rule, since, until, is_live) AS c
        WHERE CASE rule.kind
            WHEN 'burst' THEN NOT c.is_going_on
                AND c.ended_at - c.answered_at <= rule.short_seconds * interval '1 second'
            WHEN 'night' THEN CASE WHEN rule.night_from < rule.night_until
                THEN to_char(c.started_at AT TIME ZONE zone, 'HH24:MI') >= rule.night_from
                     AND to_char(c.started_at AT TIME ZONE zone, 'HH24:MI') < rule.night_until
                ELSE to_char(c.started_at AT TIME ZONE zone, 'HH24:MI') >= rule.night_from
                     OR to_char(c.started_at AT TIME ZONE zone, 'HH24:MI') < rule.night_until END
            ELSE true END;
    END IF;
END $$;

CREATE OR REPLACE FUNCTION public.fraud_sums(
    rule public.fraud_rules, since timestamptz, until timestamptz, is_live boolean
) RETURNS TABLE (customer_id uuid, at timestamptz, calls numeric, seconds numeric, amount numeric)
LANGUAGE plpgsql STABLE SET plan_cache_mode = force_custom_plan AS $$
-- What the window of a rule holds of each customer, minute by minute from `since` to `until`, the last included: calls
-- that began in it, and what was talked in it with the part of the price that falls to that. So a call of an hour
-- weighs in each quarter of it. Minutes in which nothing happened are left out, but not the last.
#variable_conflict use_column
DECLARE
    reach interval := rule.window_minutes * interval '1 minute';
BEGIN
    RETURN QUERY
    -- In seconds before the end, as floating-point numbers: exact ones took twice as long.
    WITH counted AS MATERIALIZED (
        SELECT c.customer_id, date_part('epoch', until - c.started_at) AS began,
               date_part('epoch', until - coalesce(c.answered_at, c.started_at)) AS answered,
               CASE WHEN c.answered_at IS NULL THEN date_part('epoch', until - c.started_at)
                    -- What is charged though it took no time at all took a second.
                    ELSE date_part('epoch', until - greatest(c.ended_at, c.answered_at + interval '1 second'))
               END AS ended, c.price::double precision AS price
        FROM public.fraud_counted(rule, since - reach, until, is_live) AS c
    ), parts AS (
        SELECT c.customer_id, n, (floor(c.began / 60) = n)::integer AS begun, talked,
               CASE WHEN talked > 0 THEN c.price * talked / (c.answered - c.ended) ELSE 0 END AS amount
        FROM counted c
        CROSS JOIN LATERAL generate_series(
            greatest(floor(c.ended / 60), 0)::integer,
            least(floor(c.began / 60), floor(date_part('epoch', until - (since - reach)) / 60))::integer) AS n
        CROSS JOIN LATERAL (
            SELECT greatest(least(c.answered, (n + 1) * 60) - greatest(c.ended, n * 60), 0)
        ) AS part (talked)
        UNION ALL
        SELECT DISTINCT c.customer_id, 0, 0, 0, 0 FROM counted c
    ), minutes AS (
        -- Exact again, for only of such can a sum that moves on leave out what it has passed.
        SELECT p.customer_id, p.n, sum(p.begun)::numeric AS calls, sum(p.talked)::numeric AS seconds,
               sum(p.amount)::numeric AS amount
        FROM parts p GROUP BY p.customer_id, p.n
    ), sums AS (
        SELECT m.customer_id, m.n, sum(m.calls) OVER w AS calls, sum(m.seconds) OVER w AS seconds,
               sum(m.amount) OVER w AS amount
        FROM minutes m
        WINDOW w AS (PARTITION BY m.customer_id ORDER BY m.n
                     RANGE BETWEEN CURRENT ROW AND rule.window_minutes - 1 FOLLOWING)
    )
    SELECT s.customer_id, until - s.n * interval '1 minute', s.calls, round(s.seconds), round(s.amount, 8)
    FROM sums s WHERE until - s.n * interval '1 minute' > since;
END $$;

CREATE OR REPLACE FUNCTION public.fraud_hits(rule public.fraud_rules, at timestamptz, is_live boolean)
RETURNS TABLE (customer_id uuid, calls numeric, seconds numeric, amount numeric)
LANGUAGE sql STABLE AS $$
-- Whom a rule hits at a moment, and what its window holds then.
SELECT s.customer_id, s.calls, s.seconds, s.amount
FROM public.fraud_sums(rule, $2 - interval '1 minute', $2, is_live) AS s
WHERE s.at = $2 AND public.is_over(rule, s.calls, s.seconds, s.amount) $$;

CREATE OR REPLACE FUNCTION public.fraud_evidence(
    rule public.fraud_rules, customer_id uuid, at timestamptz, is_live boolean
) RETURNS jsonb
LANGUAGE plpgsql STABLE AS $$
-- The last calls of a customer that a rule counted at a moment, in their order, as they were then.
BEGIN
    rule.customer_id := fraud_evidence.customer_id;
    RETURN (
        SELECT coalesce(jsonb_agg(jsonb_build_object(
            'started_at', c.started_at, 'number', c.number,
            'seconds', coalesce(
                greatest(round(extract(epoch FROM least(c.ended_at, fraud_evidence.at) - c.answered_at)), 0), 0),
            'price', round(c.price, 8)::text) ORDER BY c.started_at), '[]')
        FROM (SELECT * FROM public.fraud_counted(
                  rule, fraud_evidence.at - rule.window_minutes * interval '1 minute', fraud_evidence.at, is_live) AS f
              ORDER BY f.started_at DESC LIMIT 10) AS c);
END $$;

CREATE OR REPLACE FUNCTION public.open_fraud_cases(rule_id uuid) RETURNS SETOF public.fraud_cases
LANGUAGE plpgsql AS $$
-- Look by an armed rule now. Each customer that it hits gets a case, unless there is an open one of the rule.
DECLARE
    rule public.fraud_rules;
BEGIN
    SELECT * INTO rule FROM public.fraud_rules r WHERE r.id = open_fraud_cases.rule_id AND r.state = 'armed' FOR SHARE;
    RETURN QUERY
    INSERT INTO public.fraud_cases (rule_id, rule_name, customer_id, action, calls, seconds, amount, evidence)
    SELECT rule.id, rule.name, h.customer_id, rule.action, h.calls, h.seconds, h.amount,
           public.fraud_evidence(rule, h.customer_id, now(), true)
    FROM public.fraud_hits(rule, now(), true) AS h
    JOIN public.customers c ON c.id = h.customer_id
    WHERE rule.id IS NOT NULL AND NOT EXISTS (
        SELECT FROM public.fraud_cases f
        WHERE f.rule_id = rule.id AND f.customer_id = h.customer_id AND f.released_at IS NULL)
    ON CONFLICT DO NOTHING
    RETURNING *;
END $$;

CREATE OR REPLACE FUNCTION public.fraud_backtest(rule public.fraud_rules, since timestamptz, until timestamptz)
RETURNS TABLE (
    customer_id uuid, at timestamptz, calls numeric, seconds numeric, amount numeric, stopped_calls bigint,
    stopped_amount numeric, known_calls bigint
)
LANGUAGE plpgsql STABLE SET plan_cache_mode = force_custom_plan AS $$
-- Whom a rule would have hit in the past, when first, and what its action would have kept from being called from then
-- on if nobody had released it: answered calls, their price, and how many of them went to numbers that the customer had
-- called in the month before, as honest people do.
#variable_conflict use_column
DECLARE
    company public.settings;
BEGIN
    SELECT * INTO company FROM public.settings;
    RETURN QUERY
    WITH hits AS MATERIALIZED (
        SELECT DISTINCT ON (s.customer_id) s.*
        FROM public.fraud_sums(rule, since, until, false) AS s
        WHERE public.is_over(rule, s.calls, s.seconds, s.amount)
        ORDER BY s.customer_id, s.at
    ), stopped AS MATERIALIZED (
        SELECT h.customer_id, c.dst, c.price
        FROM hits h
        JOIN public.calls c ON c.customer_id = h.customer_id AND c.started_at > h.at AND c.started_at <= until
        WHERE c.direction = 'outbound' AND c.answered_at IS NOT NULL AND c.dst <> ALL (company.emergency_numbers)
          AND (rule.action = 'block_all'
               OR rule.action = 'block_international' AND public.is_international(c.dst, company.country_code))
    ), known AS MATERIALIZED (
        SELECT DISTINCT h.customer_id, c.dst
        FROM hits h
        JOIN public.calls c ON c.customer_id = h.customer_id
         AND c.started_at BETWEEN h.at - interval '30 days' AND h.at - rule.window_minutes * interval '1 minute'
        WHERE rule.action <> 'alert' AND c.direction = 'outbound' AND c.answered_at IS NOT NULL
    ), sums AS (
        SELECT s.customer_id, count(*) AS calls, sum(s.price) AS amount, count(k.dst) AS known
        FROM stopped s LEFT JOIN known k ON k.customer_id = s.customer_id AND k.dst = s.dst
        GROUP BY s.customer_id
    )
    SELECT h.customer_id, h.at, h.calls, h.seconds, h.amount, coalesce(s.calls, 0), coalesce(s.amount, 0),
           coalesce(s.known, 0)
    FROM hits h LEFT JOIN sums s ON s.customer_id = h.customer_id;
END $$;
