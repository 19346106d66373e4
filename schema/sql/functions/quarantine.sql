-- Numbers that have rested long enough are free again. The agents' housekeeping calls it every hour.
CREATE OR REPLACE FUNCTION public.release_quarantine() RETURNS void LANGUAGE sql
SET search_path = pg_catalog, pg_temp AS $$
    UPDATE public.dids
    SET status = 'available', quarantine_until = NULL, version = version + 1, updated_at = now()
    WHERE quarantine_until <= now()
$$;
