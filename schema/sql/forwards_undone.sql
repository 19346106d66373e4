DROP FUNCTION IF EXISTS public.status_of_cause;
ALTER TABLE asterisk.call_requests DROP COLUMN forwards;
ALTER TABLE asterisk.cdr DROP COLUMN cause;
