-- What keeps strangers out and losses small: where customers' phones may be, and what new customers begin with.

ALTER TABLE public.customers ADD COLUMN phone_networks text[] DEFAULT '{}' NOT NULL;

ALTER TABLE public.settings
    ADD COLUMN default_max_channels integer DEFAULT 0 NOT NULL,
    ADD COLUMN default_calls_per_second integer DEFAULT 0 NOT NULL,
    ADD COLUMN default_max_price_per_minute numeric(16, 8),
    ADD COLUMN default_daily_limit numeric(16, 8),
    ADD COLUMN default_blocked_list_id uuid,
    ADD COLUMN default_allowed_list_id uuid,
    ADD CONSTRAINT ck_settings_default_max_channels CHECK (default_max_channels BETWEEN 0 AND 10000),
    ADD CONSTRAINT ck_settings_default_calls_per_second CHECK (default_calls_per_second BETWEEN 0 AND 1000),
    ADD CONSTRAINT ck_settings_default_amounts CHECK (default_max_price_per_minute >= 0 AND default_daily_limit >= 0),
    ADD CONSTRAINT fk_settings_default_blocked_list_id_destination_lists FOREIGN KEY (default_blocked_list_id)
        REFERENCES public.destination_lists (id),
    ADD CONSTRAINT fk_settings_default_allowed_list_id_destination_lists FOREIGN KEY (default_allowed_list_id)
        REFERENCES public.destination_lists (id);

-- The lists that come with the system are the operator's from here on. docs/sip-edge.md says where each prefix is from.
INSERT INTO public.destination_lists (name, prefixes) VALUES
    ('Destinos de alto risco e de tarifa especial',
     -- Codes of no country: shared cost, satellites, personal and international networks, premium rate, trials.
     '{808,870,871,872,873,874,878,881,882,883,888,979,991}'::text[]
     -- Countries that are called for a share of the money, Africa first ...
     || '{216,218,220,222,224,225,231,232,235,236,239,240,242,243,245,246,247,248,252,253,257,261,263,266,269,290,291}'
     -- ... Europe ...
     || '{355,370,371,372,373,375,376,377,378,381,382,383,386,387,389,423}'
     -- ... the Atlantic, the Caribbean and Cuba, the islands of the Pacific ...
     || '{500,508,53,670,672,674,675,676,677,678,679,681,682,683,685,686,687,688,689,690,691,692}'
     -- ... Asia ...
     || '{850,93,960,970,992,993,994,998}'
     -- ... and islands that look like numbers in the United States.
     || '{1242,1246,1264,1268,1284,1345,1441,1473,1649,1658,1664,1721,1758,1767,1784,1809,1829,1849,1868,1869,1876}'
     -- Premium rate in other countries, and the personal numbers of the United Kingdom.
     || '{1900,1976,31900,31906,31909,3290,3389,34803,34806,34807,34905,351760,351761,351762,35315,358600,358700}'
     || '{39892,39895,39899,41900,41901,41906,43900,43901,43930,43931,4470,44871,44872,44873,449,4590,46900,46939,46944}'
     || '{4782,4870,49900,61190,64900}'
     -- Premium rate and donations in Brazil, as they are dialled, and with the country code before them.
     || '{0900,0500,550900,550500,55900,55500}'),
    -- For who may call Brazil and nothing else: with area code, without one (0300, 0303, 0800), short (3003, 4004 ...).
    ('Só Brasil', '{55,0300,0303,0800,3003,3004,4001,4002,4003,4004,4007,4020}')
ON CONFLICT (name) DO NOTHING;

-- Customers who are there already stay as they are: these are for new ones. Amounts are of the company's currency.
UPDATE public.settings SET
    default_max_channels = 10,
    default_calls_per_second = 5,
    default_max_price_per_minute = 3,
    default_daily_limit = 200,
    default_blocked_list_id = (SELECT id FROM public.destination_lists WHERE name = 'Destinos de alto risco e de tarifa especial');
