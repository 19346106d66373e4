DROP FUNCTION IF EXISTS
    public.receive_call, public.put_by, public.give_back, public.allowance, public.affordable_seconds, public.balance_of;
ALTER TYPE public.call_answer DROP ATTRIBUTE IF EXISTS reserved;
ALTER TABLE asterisk.call_requests DROP COLUMN direction;
DELETE FROM public.call_totals WHERE period = 'ever' OR dimension = 'gateway' AND period = 'day';
DROP TABLE public.reservations;
DROP TABLE public.payments;
ALTER TABLE public.settings DROP COLUMN prepaid_call_seconds;
ALTER TABLE public.customers DROP COLUMN prepaid, DROP COLUMN credit_limit;
