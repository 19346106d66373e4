ALTER TABLE public.settings DROP COLUMN max_call_seconds;
ALTER TABLE public.gateways DROP COLUMN max_channels, DROP COLUMN caller_id_format;
ALTER TABLE public.customers
    DROP COLUMN max_channels,
    DROP COLUMN calls_per_second,
    DROP COLUMN max_price_per_minute,
    DROP COLUMN refuse_below_cost,
    DROP COLUMN daily_limit,
    DROP COLUMN allowed_caller_ids,
    DROP COLUMN blocked_list_id,
    DROP COLUMN allowed_list_id;
DROP TABLE public.destination_lists;
