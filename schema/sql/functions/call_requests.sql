-- The dialplan's questions: answered as they are inserted, read back by id, dropped by the day.

CREATE OR REPLACE FUNCTION asterisk.answer_call_request() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    answer public.call_answer;
    customer uuid := CASE WHEN NEW.customer_id ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' THEN NEW.customer_id::uuid END;
    forwards integer := CASE WHEN NEW.forwards ~ '^[0-9]{1,6}$' THEN NEW.forwards::integer ELSE 0 END;
BEGIN
    -- One prepaid customer's calls after each other, on whatever node they begin: what is put by for one, the next sees.
    PERFORM pg_advisory_xact_lock(hashtext('asterisk-admin prepaid'), hashtext(c.id::text))
    FROM public.customers c WHERE c.id = customer AND c.prepaid;
    IF forwards > 3 THEN
        answer := public.refused('forwards', 21);  -- Two who send their calls on to each other would never end.
    ELSIF forwards > 0 AND public.is_emergency(regexp_replace(NEW.dialed, '^\+', '')) THEN
        answer := public.refused('forward_emergency', 21);  -- Who calls for help dials it himself.
    ELSIF NEW.direction = 'inbound' THEN
        answer := public.receive_call(customer, NEW.dialed);
    ELSE
        answer := public.route_call(
            customer, NEW.dialed, NEW.caller, NEW.endpoint,
            CASE WHEN NEW.channels ~ '^[0-9]{1,6}$' THEN NEW.channels::integer ELSE 0 END);
    END IF;
    IF answer.reserved > 0 THEN
        PERFORM public.put_by(NEW.id, customer, answer);
    END IF;
    NEW.verdict := answer.verdict;
    NEW.reason := answer.reason;
    NEW.cause := answer.cause;
    NEW.number := answer.number;
    NEW.caller_id := answer.caller_id;
    NEW.legs := answer.legs;
    NEW.max_seconds := answer.max_seconds;
    RETURN NEW;
END $$;

CREATE OR REPLACE TRIGGER answer_call_request
    BEFORE INSERT ON asterisk.call_requests
    FOR EACH ROW EXECUTE FUNCTION asterisk.answer_call_request();

CREATE OR REPLACE FUNCTION asterisk.from_now(away interval) RETURNS timestamptz
LANGUAGE sql IMMUTABLE AS $$
-- A moment so far from now, for statements that are planned each time they are run, as all of Asterisk's are. That it is
-- said to be immutable is not true: it makes the planner look at the clock, and then at the partitions of that time alone.
-- With now() it opens those of all days that are kept, which takes longer than all else that a call asks.
SELECT now() + away $$;

-- The answers a dialplan may still be waiting for.
CREATE OR REPLACE VIEW asterisk.call_answers AS
    SELECT id, verdict, reason, cause, number, caller_id, legs, max_seconds
    FROM asterisk.call_requests
    WHERE requested_at BETWEEN asterisk.from_now('-1 minute') AND asterisk.from_now('1 minute');

CREATE OR REPLACE FUNCTION public.keep_partitions(days_kept integer DEFAULT NULL) RETURNS void
LANGUAGE plpgsql SET timezone = 'UTC' SET lock_timeout = '200ms' AS $$
-- Make the partitions of the next days, and of calls those of the next months, and drop the call requests older than
-- `days_kept` days, which are else those of the settings, and what is put by for calls that are over. The agents call this at their start and every hour; without it
-- rows go to the default partition, and nothing is lost. A day is the same for all agents. Calls queue behind whoever
-- waits for the lock this takes (a backup holds one), so it is not waited for.
DECLARE
    day date;
    month date;
    partition text;
BEGIN
    IF NOT pg_try_advisory_xact_lock(hashtext('keep_partitions')) THEN
        RETURN;  -- Another agent is at it.
    END IF;
    days_kept := coalesce(days_kept, (SELECT call_requests_days FROM public.settings));
    FOR day IN SELECT current_date + n FROM generate_series(0, 7) AS n LOOP
        partition := 'call_requests_' || to_char(day, 'YYYYMMDD');
        CONTINUE WHEN to_regclass('asterisk.' || partition) IS NOT NULL
            OR EXISTS (SELECT FROM asterisk.call_requests_default
                       WHERE requested_at >= day AND requested_at < day + 1);
        EXECUTE format('CREATE TABLE asterisk.%I PARTITION OF asterisk.call_requests FOR VALUES FROM (%L) TO (%L)',
                       partition, day::timestamptz, (day + 1)::timestamptz);
    END LOOP;
    FOR month IN SELECT date_trunc('month', current_date) + n * interval '1 month' FROM generate_series(0, 3) AS n LOOP
        partition := 'calls_' || to_char(month, 'YYYYMM');
        CONTINUE WHEN to_regclass('public.' || partition) IS NOT NULL
            OR EXISTS (SELECT FROM public.calls_default
                       WHERE started_at >= month AND started_at < month + interval '1 month');
        EXECUTE format('CREATE TABLE public.%I PARTITION OF public.calls FOR VALUES FROM (%L) TO (%L)',
                       partition, month::timestamptz, (month + interval '1 month')::timestamptz);
    END LOOP;
    FOR partition IN
        SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
        WHERE i.inhparent = 'asterisk.call_requests'::regclass AND c.relname ~ '^call_requests_[0-9]{8}$'
          AND right(c.relname, 8)::date < current_date - days_kept
    LOOP
        EXECUTE format('DROP TABLE asterisk.%I', partition);
    END LOOP;
    DELETE FROM public.reservations WHERE until < now() - interval '1 day';
    DELETE FROM asterisk.call_requests_default WHERE requested_at < current_date - days_kept;
END $$;
