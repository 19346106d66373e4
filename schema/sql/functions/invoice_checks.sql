-- A provider's bill held against our calls: which line is for which call, and what differs (docs/invoice-check.md).

-- The digits of a number in whatever spelling: +55 (11) 4000-1234, sip:5511...@host.
CREATE OR REPLACE FUNCTION public.number_digits(written text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT regexp_replace(split_part(written, '@', 1), '[^0-9]', '', 'g')
$$;

-- What all spellings of a number have in common, to find it by.
CREATE OR REPLACE FUNCTION public.number_tail(digits text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT right(digits, 8)
$$;

-- Whether digits are those of our number, whose last eight they share. They may lack its beginning, be longer by a
-- prefix, or have something else (0 and a carrier's code) in place of the company's country code.
CREATE OR REPLACE FUNCTION public.same_number(theirs text, ours text, country_code text) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT theirs = ours
        OR length(theirs) >= 8 AND length(ours) >= 8 AND (
            right(ours, length(theirs)) = theirs
            OR right(theirs, length(ours)) = ours
            OR left(ours, length(country_code)) = country_code AND length(ours) >= length(country_code) + 8
                AND right(theirs, length(ours) - length(country_code)) = substr(ours, length(country_code) + 1))
$$;

CREATE OR REPLACE FUNCTION public.clock_ahead(tolerance integer, country_code text) RETURNS integer
LANGUAGE plpgsql SET search_path = pg_catalog AS $$
-- By how many seconds the clock of a bill is ahead of ours, where nearly all lines say the same; else 0. (Of
-- invoice_theirs and invoice_ours, which check_invoice() makes.)
DECLARE
    width integer := greatest(tolerance, 30);
    asked bigint;
    agree bigint;
    first_step integer;
    found integer;
BEGIN
    -- A few lines of each number, and how far apart from them each call of that number began.
    DROP TABLE IF EXISTS pg_temp.invoice_apart;
    CREATE TEMP TABLE invoice_apart ON COMMIT DROP AS
        SELECT t.position, a.apart, floor(a.apart::numeric / width)::integer AS step
        FROM (
            SELECT * FROM pg_temp.invoice_theirs WHERE nth <= 3 AND seconds > 0 ORDER BY hashint4(position) LIMIT 2000
        ) t
        JOIN pg_temp.invoice_ours o ON o.tail = t.tail AND o.answered
            AND o.begins BETWEEN t.at - interval '15 hours' AND t.at + interval '15 hours'
            AND public.same_number(t.digits, o.digits, country_code),
        LATERAL (SELECT extract(epoch FROM t.at - o.begins)::integer AS apart) a;

    SELECT count(DISTINCT position) INTO asked FROM pg_temp.invoice_apart;
    -- It rings for longer or shorter, so what is alike may lie on both sides of a border.
    SELECT s.step, count(DISTINCT a.position) INTO first_step, agree
    FROM (SELECT DISTINCT step FROM pg_temp.invoice_apart) s
    JOIN pg_temp.invoice_apart a ON a.step IN (s.step, s.step + 1)
    GROUP BY s.step ORDER BY 2 DESC, abs(s.step), s.step LIMIT 1;
    IF asked < 3 OR agree < 0.8 * asked THEN
        RETURN 0;
    END IF;
    SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY a.apart) INTO found
    FROM pg_temp.invoice_apart a WHERE a.step IN (first_step, first_step + 1);
    IF abs(found) <= width THEN
        RETURN 0;
    END IF;
    -- Another time zone is a matter of quarters of an hour.
    RETURN CASE WHEN abs(found - round(found / 900.0) * 900) <= width THEN round(found / 900.0) * 900 ELSE found END;
END $$;

CREATE OR REPLACE FUNCTION public.check_invoice(id uuid) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog AS $$
-- Find the call of each line, say what differs, and add the calls that no line is for. What pairs are best is said where
-- they are ordered; the best of all goes first, as a pair that is the best for its line and for its call always is.
DECLARE
    bill public.invoice_checks;
    country_code text := (SELECT s.country_code FROM public.settings s);
    near interval;
    grain interval := interval '0';
    longest_ring interval;
    first_at timestamptz;
    last_at timestamptz;
    lines integer;
BEGIN
    SELECT * INTO STRICT bill FROM public.invoice_checks c WHERE c.id = check_invoice.id;
    near := make_interval(secs => bill.tolerance_seconds);

    DROP TABLE IF EXISTS pg_temp.invoice_theirs, pg_temp.invoice_ours, pg_temp.invoice_pairs;
    CREATE TEMP TABLE invoice_theirs ON COMMIT DROP AS
        SELECT l.position, l.started_at AS at, l.seconds, d.digits, public.number_tail(d.digits) AS tail,
            public.number_tail(public.number_digits(l.caller)) AS caller, NULL::bigint AS call_id, true AS open,
            row_number() OVER (
                PARTITION BY public.number_tail(d.digits), l.seconds > 0 ORDER BY l.started_at, l.position
            ) AS nth
        FROM public.invoice_lines l, LATERAL (SELECT public.number_digits(l.number) AS digits) d
        WHERE l.check_id = bill.id AND l.errors IS NULL;
    SELECT min(t.at), max(t.at) INTO first_at, last_at FROM pg_temp.invoice_theirs t;
    -- Many bills leave the seconds out: a call may then have begun at any of them.
    IF NOT EXISTS (SELECT FROM pg_temp.invoice_theirs t WHERE extract(second FROM t.at) > 0) THEN
        grain := interval '59 seconds';
    END IF;

    -- A call of theirs may begin when it is dialled, and when it is answered.
    CREATE TEMP TABLE invoice_ours ON COMMIT DROP AS
        SELECT c.id, c.started_at AS begins, greatest(c.answered_at, c.started_at) AS answered_at,
            c.answered_at IS NOT NULL AS answered, d.digits, public.number_tail(d.digits) AS tail,
            public.number_tail(public.number_digits(c.src)) AS caller, c.billsec, c.cost_billed_seconds, false AS taken,
            row_number() OVER (
                PARTITION BY public.number_tail(d.digits), c.answered_at IS NOT NULL ORDER BY c.started_at, c.id
            ) AS nth
        FROM public.calls c, LATERAL (SELECT public.number_digits(c.dst) AS digits) d
        WHERE c.provider_id = bill.provider_id AND c.direction = 'outbound'
            AND c.started_at BETWEEN first_at - interval '16 hours' AND last_at + interval '16 hours';
    CREATE INDEX ON pg_temp.invoice_ours (tail, begins);
    ANALYZE pg_temp.invoice_theirs;
    ANALYZE pg_temp.invoice_ours;

    bill.clock_ahead := public.clock_ahead(bill.tolerance_seconds, country_code);
    UPDATE pg_temp.invoice_theirs SET at = at - make_interval(secs => bill.clock_ahead) WHERE bill.clock_ahead <> 0;
    bill.since := first_at - make_interval(secs => bill.clock_ahead) - near;
    bill.until := last_at - make_interval(secs => bill.clock_ahead) + grain + near;
    SELECT coalesce(least(max(o.answered_at - o.begins), interval '10 minutes'), '0') INTO longest_ring
    FROM pg_temp.invoice_ours o;

    CREATE TEMP TABLE invoice_pairs (position integer, call_id bigint, of_line bigint, of_call bigint) ON COMMIT DROP;
    LOOP
        TRUNCATE pg_temp.invoice_pairs;
        INSERT INTO pg_temp.invoice_pairs
        SELECT p.position, p.call_id, row_number() OVER (PARTITION BY p.position ORDER BY p.rank, p.call_id),
            row_number() OVER (PARTITION BY p.call_id ORDER BY p.rank, p.position)
        FROM (
            SELECT t.position, o.id AS call_id, o.rank
            FROM pg_temp.invoice_theirs t CROSS JOIN LATERAL (
                SELECT o.id, r.rank
                FROM pg_temp.invoice_ours o,
                    LATERAL (SELECT ARRAY[
                        -- What they bill was answered, and what was not, they may list but not bill.
                        ((t.seconds > 0) <> o.answered)::integer,
                        -- Providers often see another caller than we do; where it is the same, it decides.
                        (coalesce(t.caller, '') = '' OR t.caller <> o.caller)::integer,
                        (d.longer > bill.tolerance_duration)::integer,
                        extract(epoch FROM greatest(
                            o.begins - t.at - grain, t.at - coalesce(o.answered_at, o.begins), interval '0'
                        ))::integer + d.longer,
                        abs(t.nth - o.nth)::integer
                    ] AS rank
                    FROM (
                        SELECT least(abs(t.seconds - o.billsec), abs(t.seconds - o.cost_billed_seconds)) AS longer
                    ) d) r
                WHERE o.tail = t.tail AND NOT o.taken
                    AND o.begins BETWEEN t.at - near - longest_ring AND t.at + grain + near
                    AND coalesce(o.answered_at, o.begins) >= t.at - near
                    AND public.same_number(t.digits, o.digits, country_code)
                ORDER BY r.rank, o.id LIMIT 10
            ) o
            WHERE t.open
        ) p;
        EXIT WHEN NOT FOUND;
        UPDATE pg_temp.invoice_theirs t SET open = EXISTS (
            SELECT FROM pg_temp.invoice_pairs p WHERE p.position = t.position
        ) WHERE t.open;
        WITH best AS (
            SELECT p.position, p.call_id FROM pg_temp.invoice_pairs p WHERE p.of_line = 1 AND p.of_call = 1
        ), matched AS (
            UPDATE pg_temp.invoice_theirs t SET call_id = b.call_id, open = false
            FROM best b WHERE b.position = t.position
        )
        UPDATE pg_temp.invoice_ours o SET taken = true FROM best b WHERE b.call_id = o.id;
    END LOOP;

    UPDATE public.invoice_lines l SET kind = 'unread' WHERE l.check_id = bill.id AND l.errors IS NOT NULL;
    UPDATE public.invoice_lines l SET
        kind = CASE
            WHEN c.id IS NULL OR c.answered_at IS NULL AND (l.seconds > 0 OR l.amount <> 0) THEN 'extra'
            WHEN least(abs(l.seconds - c.billsec), abs(l.seconds - c.cost_billed_seconds)) > bill.tolerance_duration
                THEN 'duration'
            WHEN abs(l.amount - c.cost) > bill.tolerance_amount THEN 'price'
            ELSE 'equal'
        END,
        call_id = c.id, call_started_at = c.started_at, call_number = c.dst, call_caller = c.src,
        call_seconds = c.billsec, call_billed_seconds = c.cost_billed_seconds,
        call_minimum_seconds = c.cost_minimum_seconds, call_increment_seconds = c.cost_increment_seconds, cost = c.cost
    FROM pg_temp.invoice_theirs t
    LEFT JOIN pg_temp.invoice_ours o ON o.id = t.call_id
    LEFT JOIN public.calls c ON c.started_at = o.begins AND c.id = o.id
    WHERE l.check_id = bill.id AND l.position = t.position;

    SELECT coalesce(max(l.position), 0) INTO lines FROM public.invoice_lines l WHERE l.check_id = bill.id;
    INSERT INTO public.invoice_lines (check_id, position, kind, call_id, call_started_at, call_number, call_caller,
        call_seconds, call_billed_seconds, call_minimum_seconds, call_increment_seconds, cost)
    SELECT bill.id, lines + row_number() OVER (ORDER BY c.started_at, c.id), 'missing', c.id, c.started_at, c.dst, c.src,
        c.billsec, c.cost_billed_seconds, c.cost_minimum_seconds, c.cost_increment_seconds, c.cost
    FROM pg_temp.invoice_ours o JOIN public.calls c ON c.started_at = o.begins AND c.id = o.id
    WHERE NOT o.taken AND o.answered AND o.begins BETWEEN bill.since AND bill.until;

    -- One rule of rounding that explains nearly all durations that differ, beside the one that most of these calls have.
    SELECT r.rule, mode() WITHIN GROUP (ORDER BY l.call_minimum_seconds || '/' || l.call_increment_seconds)
    INTO bill.their_rounding, bill.our_rounding
    FROM public.invoice_lines l,
        (VALUES ('1/6', 1, 6), ('6/6', 6, 6), ('30/6', 30, 6), ('30/30', 30, 30), ('60/1', 60, 1), ('60/6', 60, 6),
            ('60/60', 60, 60)) r (rule, minimum, increment),
        LATERAL (SELECT l.seconds = public.billed_seconds(l.call_seconds, r.minimum, r.increment) AS explained) e
    WHERE l.check_id = bill.id AND l.kind = 'duration'
    GROUP BY r.rule
    HAVING count(*) >= 3 AND count(*) FILTER (WHERE e.explained) >= 0.9 * count(*)
    ORDER BY count(*) FILTER (WHERE e.explained) DESC, r.rule
    LIMIT 1;

    UPDATE public.invoice_checks c SET
        since = bill.since, until = bill.until, clock_ahead = bill.clock_ahead,
        their_rounding = coalesce(bill.their_rounding, ''), our_rounding = coalesce(bill.our_rounding, ''),
        sums = found.sums, differing = found.differing, billed = found.billed, cost = found.cost
    FROM (
        SELECT coalesce(jsonb_object_agg(k.kind, jsonb_build_object('lines', k.lines, 'seconds', k.seconds,
                'call_seconds', k.call_seconds, 'billed', k.billed::text, 'cost', k.cost::text)), '{}') AS sums,
            coalesce(sum(k.lines) FILTER (WHERE k.kind IN ('missing', 'extra', 'duration', 'price')), 0) AS differing,
            coalesce(sum(k.billed), 0) AS billed, coalesce(sum(k.cost), 0) AS cost
        FROM (
            SELECT l.kind, count(*) AS lines, coalesce(sum(l.seconds), 0) AS seconds,
                coalesce(sum(l.call_billed_seconds), 0) AS call_seconds, coalesce(sum(l.amount), 0) AS billed,
                coalesce(sum(l.cost), 0) AS cost
            FROM public.invoice_lines l WHERE l.check_id = bill.id GROUP BY l.kind
        ) k
    ) found
    WHERE c.id = bill.id;
END $$;
