-- One more total: what all calls to a destination come to in a week, for there are thousands of them a day. Calls that
-- end meanwhile wait, and are counted by the new functions.
LOCK TABLE public.calls IN SHARE MODE;
INSERT INTO public.call_totals
SELECT dimension, 'week', date_bin('7 days', starts_at, '1970-01-01 00:00+00'), thing, direction, sum(calls), sum(answered),
       sum(short), sum(seconds), sum(billed_seconds), sum(pdd_calls), sum(pdd), sum(cost), sum(price)
FROM public.call_totals
WHERE dimension = 'destination' AND period = 'day'
GROUP BY 1, 3, 4, 5;
