-- What the calls of a gateway come to in a day, which its hours tell of as well.
LOCK TABLE public.calls IN SHARE MODE;
INSERT INTO public.call_totals
SELECT 'gateway', 'day', day, provider_id || ' ' || gateway_id, direction, count(*), count(answered_at),
       count(answered_at) FILTER (WHERE billsec <= 6), sum(billsec), sum(billed_seconds), count(pdd), coalesce(sum(pdd), 0),
       sum(cost), sum(price)
FROM public.calls
WHERE provider_id IS NOT NULL AND gateway_id IS NOT NULL
GROUP BY day, provider_id, gateway_id, direction;
