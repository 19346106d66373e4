-- The lists stay: customers may have them.
ALTER TABLE public.settings
    DROP COLUMN default_max_channels,
    DROP COLUMN default_calls_per_second,
    DROP COLUMN default_max_price_per_minute,
    DROP COLUMN default_daily_limit,
    DROP COLUMN default_blocked_list_id,
    DROP COLUMN default_allowed_list_id;
ALTER TABLE public.customers DROP COLUMN phone_networks;
