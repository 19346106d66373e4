-- Dialling patterns. Immutable, for routes.regex is generated with it; a change needs a migration that rewrites routes.

CREATE FUNCTION public.pattern_regex(pattern text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
-- The regular expression of a dialling pattern: X is any digit, Z 1-9, N 2-9, [..] a set; a final dot is one or
-- more further characters, a final ! none or more.
RETURN '^' || replace(replace(replace(replace(replace(replace(replace(
    pattern, '+', '\+'), '*', '\*'), 'X', '[0-9]'), 'Z', '[1-9]'), 'N', '[2-9]'), '.', '.+'), '!', '.*') || '$';
