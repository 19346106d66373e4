-- CDRs that no call could be made of are tried again: what was wrong may have passed, or have been set right.

CREATE OR REPLACE FUNCTION public.reland(ids bigint[]) RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog SET timezone = 'UTC' AS $$
-- How many of these CDRs are calls now; the others keep the reason of this time. What somebody else is trying just now
-- is left to him.
DECLARE
    cdr asterisk.cdr;
    landed bigint := 0;
BEGIN
    DELETE FROM public.unrated_cdrs u
    WHERE u.cdr_id = ANY (ids) AND NOT EXISTS (SELECT FROM asterisk.cdr c WHERE c.id = u.cdr_id);
    FOR cdr IN
        SELECT c.* FROM public.unrated_cdrs u JOIN asterisk.cdr c ON c.id = u.cdr_id
        WHERE u.cdr_id = ANY (ids) ORDER BY u.cdr_id FOR UPDATE OF u SKIP LOCKED
    LOOP
        BEGIN
            BEGIN
                PERFORM public.land(cdr);
            EXCEPTION WHEN unique_violation THEN
                NULL;  -- It is there already.
            END;
            DELETE FROM public.unrated_cdrs WHERE cdr_id = cdr.id;
            landed := landed + 1;
        EXCEPTION WHEN OTHERS THEN
            UPDATE public.unrated_cdrs
            SET reason = SQLERRM, code = SQLSTATE, tries = tries + 1, tried_at = clock_timestamp()
            WHERE cdr_id = cdr.id;
        END;
    END LOOP;
    RETURN landed;
END $$;

CREATE OR REPLACE FUNCTION public.reland_what_may_pass() RETURNS bigint
LANGUAGE sql AS $$
-- Those that found a row locked or the database at its limits, or were cut short: for a day, and each time after a longer
-- pause. What else is wrong passes only if somebody sets it right.
SELECT public.reland(ARRAY(
    SELECT cdr_id FROM public.unrated_cdrs
    WHERE (code IN ('40001', '40P01', '55P03', '57014') OR code LIKE '53%')
      AND (tried_at IS NULL OR tried_at < now() - tries * interval '2 minutes') AND tries < 36
    ORDER BY cdr_id LIMIT 50)) $$;
