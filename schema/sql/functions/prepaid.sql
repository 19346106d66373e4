-- What a prepaid customer's calls may come to. The money for a call is put by when it begins and given back when it is
-- known what it came to, so that no two calls spend the same.

CREATE OR REPLACE FUNCTION public.balance_of(
    customer_id uuid, OUT paid numeric, OUT spent numeric, OUT reserved numeric, OUT balance numeric
)
LANGUAGE sql STABLE AS $$
-- Of what has been paid, what the calls have left; `reserved` of that is put by for calls that are going on.
SELECT paid, spent, reserved, paid - spent
FROM (SELECT coalesce(sum(p.amount), 0) FROM public.payments p WHERE p.customer_id = $1) AS p (paid),
     (SELECT coalesce(sum(t.price), 0) FROM public.call_totals t
      WHERE t.dimension = 'customer' AND t.period = 'ever' AND t.starts_at = '1970-01-01 00:00+00'
        AND t.thing = $1::text) AS t (spent),
     (SELECT coalesce(sum(r.amount), 0) FROM public.reservations r
      WHERE r.customer_id = $1 AND r.until > now()) AS r (reserved) $$;

CREATE OR REPLACE FUNCTION public.affordable_seconds(budget numeric, tariff public.tariffs, most integer, places integer)
RETURNS integer
LANGUAGE plpgsql IMMUTABLE AS $$
-- How many seconds can be charged for without exceeding the budget, `most` of them at the most; 0 if not even the first.
DECLARE
    below numeric;
BEGIN
    IF budget >= public.amount(public.billed_seconds(most, tariff.minimum_seconds, tariff.increment_seconds),
                               tariff.price_per_minute, tariff.connect_fee, places) THEN
        RETURN most;
    ELSIF budget < public.amount(public.billed_seconds(1, tariff.minimum_seconds, tariff.increment_seconds),
                                 tariff.price_per_minute, tariff.connect_fee, places) THEN
        RETURN 0;
    END IF;
    -- Amounts are rounded half up: what stays below this many charged seconds is rounded to the budget at the most.
    below := (trunc(budget, places) + 0.5 / 10::numeric ^ places - tariff.connect_fee) * 60 / tariff.price_per_minute;
    RETURN tariff.minimum_seconds
        + (ceil((below - tariff.minimum_seconds) / tariff.increment_seconds) - 1) * tariff.increment_seconds;
END $$;

CREATE OR REPLACE FUNCTION public.allowance(
    customer public.customers, settings public.settings, tariff public.tariffs, OUT max_seconds integer, OUT reserved numeric
)
LANGUAGE plpgsql STABLE AS $$
-- How long a prepaid customer may talk by this tariff, 0 if not at all, and what is to be put by for that. A second that
-- has begun is charged, so the call is ended one earlier.
DECLARE
    account record;
    seconds integer;
BEGIN
    SELECT * INTO account FROM public.balance_of(customer.id);
    seconds := public.affordable_seconds(
        account.balance - account.reserved + customer.credit_limit, tariff,
        least(settings.prepaid_call_seconds, settings.max_call_seconds) + 1, settings.price_places);
    max_seconds := greatest(seconds - 1, 0);
    reserved := public.amount(public.billed_seconds(seconds, tariff.minimum_seconds, tariff.increment_seconds),
                              tariff.price_per_minute, tariff.connect_fee, settings.price_places);
END $$;

CREATE OR REPLACE FUNCTION public.receive_call(customer_id uuid, number text) RETURNS public.call_answer
LANGUAGE plpgsql STABLE AS $$
-- Whether a prepaid customer may take a call to one of its numbers, and for how long. Charged as rate_call() has it.
DECLARE
    customer public.customers;
    settings public.settings;
    tariff public.tariffs;
    allowed record;
BEGIN
    SELECT * INTO settings FROM public.settings;
    SELECT * INTO customer FROM public.customers c WHERE c.id = receive_call.customer_id;
    SELECT t.* INTO tariff FROM public.price_plans p, public.tariff_for(p.inbound_plan_id, number) AS t
    WHERE p.id = customer.price_plan_id;
    IF NOT customer.prepaid OR tariff.id IS NULL OR tariff.price_per_minute + tariff.connect_fee = 0 THEN
        RETURN ROW('did', '', 0, number, '', '', 0, 0)::public.call_answer;
    END IF;
    SELECT * INTO allowed FROM public.allowance(customer, settings, tariff);
    IF allowed.max_seconds = 0 THEN
        RETURN public.refused('no_balance', 21);
    END IF;
    RETURN ROW('did', '', 0, number, '', '', allowed.max_seconds, allowed.reserved)::public.call_answer;
END $$;

CREATE OR REPLACE FUNCTION public.put_by(request text, customer_id uuid, answer public.call_answer) RETURNS void
LANGUAGE plpgsql AS $$
-- Reserve what a call may come to. Its record gives it back. Where none ever comes, because Asterisk crashed, the call
-- is over when it would have been ended at the latest; it may have rung for a while before.
BEGIN
    INSERT INTO public.reservations AS r (request, customer_id, amount, until)
    VALUES (put_by.request, put_by.customer_id, answer.reserved,
            clock_timestamp() + answer.max_seconds * interval '1 second' + interval '15 minutes')
    ON CONFLICT ON CONSTRAINT pk_reservations DO UPDATE SET amount = excluded.amount, until = excluded.until;
END $$;

CREATE OR REPLACE FUNCTION public.give_back(request text, is_answered boolean) RETURNS void
LANGUAGE plpgsql AS $$
-- What was put by for a call, now that a leg of it is charged. One that was not answered is no reason yet, for the
-- records of a call come one after the other, but they come together.
BEGIN
    IF is_answered THEN
        DELETE FROM public.reservations r WHERE r.request = give_back.request;
    ELSE
        UPDATE public.reservations r SET until = clock_timestamp() + interval '2 seconds'
        WHERE r.request = give_back.request AND r.until > clock_timestamp() + interval '2 seconds';
    END IF;
END $$;
