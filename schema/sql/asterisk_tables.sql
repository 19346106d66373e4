-- The tables Asterisk reads and writes through res_config_pgsql: every column of Asterisk 22.10 (20.20 knows
-- all of them but ps_registrations.user_agent). Text stands where Asterisk's own schema has an enum or a short
-- varchar: a value that does not fit would lose the whole row, and what is valid is checked before it gets here.
-- `owner` is ours; Asterisk ignores it. It names the thing a row was made for (`gateway:<uuid>`); rows without
-- an owner were made by hand and are left alone.

CREATE SCHEMA asterisk;


CREATE TABLE asterisk.extensions (
    id bigserial CONSTRAINT pk_asterisk_extensions PRIMARY KEY,
    context text NOT NULL,
    exten text COLLATE "C" NOT NULL,
    priority integer NOT NULL,
    app text NOT NULL,
    appdata text NOT NULL,
    owner text,
    CONSTRAINT uq_asterisk_extensions_step UNIQUE (context, exten, priority)
);

CREATE TABLE asterisk.ps_aors (
    id text CONSTRAINT pk_ps_aors PRIMARY KEY,
    contact text,
    default_expiration integer,
    mailboxes text,
    max_contacts integer,
    minimum_expiration integer,
    remove_existing text,
    qualify_frequency integer,
    authenticate_qualify text,
    maximum_expiration integer,
    outbound_proxy text,
    support_path text,
    qualify_timeout double precision,
    voicemail_extension text,
    remove_unavailable text,
    qualify_2xx_only text,
    owner text
);

CREATE TABLE asterisk.ps_asterisk_publications (
    id text CONSTRAINT pk_ps_asterisk_publications PRIMARY KEY,
    devicestate_publish text,
    mailboxstate_publish text,
    device_state text,
    device_state_filter text,
    mailbox_state text,
    mailbox_state_filter text,
    owner text
);

CREATE TABLE asterisk.ps_auths (
    id text CONSTRAINT pk_ps_auths PRIMARY KEY,
    auth_type text,
    nonce_lifetime integer,
    md5_cred text,
    password text,
    realm text,
    username text,
    refresh_token text,
    oauth_clientid text,
    oauth_secret text,
    password_digest text,
    supported_algorithms_uas text,
    supported_algorithms_uac text,
    owner text
);

CREATE TABLE asterisk.ps_contacts (
    id text CONSTRAINT pk_ps_contacts PRIMARY KEY,
    uri text,
    expiration_time bigint,
    qualify_frequency integer,
    outbound_proxy text,
    path text,
    user_agent text,
    qualify_timeout double precision,
    reg_server text,
    authenticate_qualify text,
    via_addr text,
    via_port integer,
    call_id text,
    endpoint text,
    prune_on_boot text,
    qualify_2xx_only text,
    owner text
);

CREATE TABLE asterisk.ps_domain_aliases (
    id text CONSTRAINT pk_ps_domain_aliases PRIMARY KEY,
    domain text,
    owner text
);

CREATE TABLE asterisk.ps_endpoint_id_ips (
    id text CONSTRAINT pk_ps_endpoint_id_ips PRIMARY KEY,
    endpoint text,
    match text,
    srv_lookups text,
    match_header text,
    match_request_uri text,
    owner text
);

CREATE TABLE asterisk.ps_endpoints (
    id text CONSTRAINT pk_ps_endpoints PRIMARY KEY,
    transport text,
    aors text,
    auth text,
    context text,
    disallow text,
    allow text,
    direct_media text,
    connected_line_method text,
    direct_media_method text,
    direct_media_glare_mitigation text,
    disable_direct_media_on_nat text,
    dtmf_mode text,
    external_media_address text,
    force_rport text,
    ice_support text,
    identify_by text,
    mailboxes text,
    moh_suggest text,
    outbound_auth text,
    outbound_proxy text,
    rewrite_contact text,
    rtp_ipv6 text,
    rtp_symmetric text,
    send_diversion text,
    send_pai text,
    send_rpid text,
    timers_min_se integer,
    timers text,
    timers_sess_expires integer,
    callerid text,
    callerid_privacy text,
    callerid_tag text,
    "100rel" text,
    aggregate_mwi text,
    trust_id_inbound text,
    trust_id_outbound text,
    use_ptime text,
    use_avpf text,
    media_encryption text,
    inband_progress text,
    call_group text,
    pickup_group text,
    named_call_group text,
    named_pickup_group text,
    device_state_busy_at integer,
    fax_detect text,
    t38_udptl text,
    t38_udptl_ec text,
    t38_udptl_maxdatagram integer,
    t38_udptl_nat text,
    t38_udptl_ipv6 text,
    tone_zone text,
    language text,
    one_touch_recording text,
    record_on_feature text,
    record_off_feature text,
    rtp_engine text,
    allow_transfer text,
    allow_subscribe text,
    sdp_owner text,
    sdp_session text,
    tos_audio text,
    tos_video text,
    sub_min_expiry integer,
    from_domain text,
    from_user text,
    mwi_from_user text,
    dtls_verify text,
    dtls_rekey text,
    dtls_cert_file text,
    dtls_private_key text,
    dtls_cipher text,
    dtls_ca_file text,
    dtls_ca_path text,
    dtls_setup text,
    srtp_tag_32 text,
    media_address text,
    redirect_method text,
    set_var text,
    cos_audio integer,
    cos_video integer,
    message_context text,
    force_avp text,
    media_use_received_transport text,
    accountcode text,
    user_eq_phone text,
    moh_passthrough text,
    media_encryption_optimistic text,
    rpid_immediate text,
    g726_non_standard text,
    rtp_keepalive integer,
    rtp_timeout integer,
    rtp_timeout_hold integer,
    bind_rtp_to_media_address text,
    voicemail_extension text,
    mwi_subscribe_replaces_unsolicited text,
    deny text,
    permit text,
    acl text,
    contact_deny text,
    contact_permit text,
    contact_acl text,
    subscribe_context text,
    fax_detect_timeout integer,
    contact_user text,
    preferred_codec_only text,
    asymmetric_rtp_codec text,
    rtcp_mux text,
    allow_overlap text,
    refer_blind_progress text,
    notify_early_inuse_ringing text,
    max_audio_streams integer,
    max_video_streams integer,
    webrtc text,
    dtls_fingerprint text,
    incoming_mwi_mailbox text,
    bundle text,
    dtls_auto_generate_cert text,
    follow_early_media_fork text,
    accept_multiple_sdp_answers text,
    suppress_q850_reason_headers text,
    trust_connected_line text,
    send_connected_line text,
    ignore_183_without_sdp text,
    codec_prefs_incoming_offer text,
    codec_prefs_outgoing_offer text,
    codec_prefs_incoming_answer text,
    codec_prefs_outgoing_answer text,
    stir_shaken text,
    send_history_info text,
    allow_unauthenticated_options text,
    t38_bind_udptl_to_media_address text,
    geoloc_incoming_call_profile text,
    geoloc_outgoing_call_profile text,
    incoming_call_offer_pref text,
    outgoing_call_offer_pref text,
    stir_shaken_profile text,
    security_negotiation text,
    security_mechanisms text,
    send_aoc text,
    overlap_context text,
    tenantid text,
    suppress_moh_on_sendonly text,
    follow_redirect_methods text,
    rtp_port_start integer,
    rtp_port_end integer,
    owner text
);

CREATE TABLE asterisk.ps_globals (
    id text CONSTRAINT pk_ps_globals PRIMARY KEY,
    max_forwards integer,
    user_agent text,
    default_outbound_endpoint text,
    debug text,
    endpoint_identifier_order text,
    max_initial_qualify_time integer,
    default_from_user text,
    keep_alive_interval integer,
    regcontext text,
    contact_expiration_check_interval integer,
    default_voicemail_extension text,
    disable_multi_domain text,
    unidentified_request_count integer,
    unidentified_request_period integer,
    unidentified_request_prune_interval integer,
    default_realm text,
    mwi_tps_queue_high integer,
    mwi_tps_queue_low integer,
    mwi_disable_initial_unsolicited text,
    ignore_uri_user_options text,
    use_callerid_contact text,
    send_contact_status_on_update_registration text,
    taskprocessor_overload_trigger text,
    norefersub text,
    allow_sending_180_after_183 text,
    all_codecs_on_empty_reinvite text,
    default_auth_algorithms_uas text,
    default_auth_algorithms_uac text,
    owner text
);

CREATE TABLE asterisk.ps_inbound_publications (
    id text CONSTRAINT pk_ps_inbound_publications PRIMARY KEY,
    endpoint text,
    "event_asterisk-devicestate" text,
    "event_asterisk-mwi" text,
    owner text
);

CREATE TABLE asterisk.ps_outbound_publishes (
    id text CONSTRAINT pk_ps_outbound_publishes PRIMARY KEY,
    expiration integer,
    outbound_auth text,
    outbound_proxy text,
    server_uri text,
    from_uri text,
    to_uri text,
    event text,
    max_auth_attempts integer,
    transport text,
    multi_user text,
    "@body" text,
    "@context" text,
    "@exten" text,
    owner text
);

CREATE TABLE asterisk.ps_registrations (
    id text CONSTRAINT pk_ps_registrations PRIMARY KEY,
    auth_rejection_permanent text,
    client_uri text,
    contact_user text,
    expiration integer,
    max_retries integer,
    outbound_auth text,
    outbound_proxy text,
    retry_interval integer,
    forbidden_retry_interval integer,
    server_uri text,
    transport text,
    support_path text,
    fatal_retry_interval integer,
    line text,
    endpoint text,
    support_outbound text,
    contact_header_params text,
    max_random_initial_delay integer,
    security_negotiation text,
    security_mechanisms text,
    user_agent text,
    owner text
);

CREATE TABLE asterisk.ps_resource_list (
    id text CONSTRAINT pk_ps_resource_list PRIMARY KEY,
    list_item text,
    event text,
    full_state text,
    notification_batch_interval integer,
    resource_display_name text,
    owner text
);

CREATE TABLE asterisk.ps_subscription_persistence (
    id text CONSTRAINT pk_ps_subscription_persistence PRIMARY KEY,
    packet text,
    src_name text,
    src_port integer,
    transport_key text,
    local_name text,
    local_port integer,
    cseq integer,
    tag text,
    endpoint text,
    expires integer,
    contact_uri text,
    prune_on_boot text,
    generator_data text,
    owner text
);

CREATE TABLE asterisk.ps_systems (
    id text CONSTRAINT pk_ps_systems PRIMARY KEY,
    timer_t1 integer,
    timer_b integer,
    compact_headers text,
    threadpool_initial_size integer,
    threadpool_auto_increment integer,
    threadpool_idle_timeout integer,
    threadpool_max_size integer,
    disable_tcp_switch text,
    follow_early_media_fork text,
    accept_multiple_sdp_answers text,
    disable_rport text,
    taskpool_minimum_size integer,
    taskpool_initial_size integer,
    taskpool_auto_increment integer,
    taskpool_idle_timeout integer,
    taskpool_max_size integer,
    owner text
);

CREATE TABLE asterisk.ps_transports (
    id text CONSTRAINT pk_ps_transports PRIMARY KEY,
    async_operations integer,
    bind text,
    ca_list_file text,
    cert_file text,
    cipher text,
    domain text,
    external_media_address text,
    external_signaling_address text,
    external_signaling_port integer,
    method text,
    local_net text,
    password text,
    priv_key_file text,
    protocol text,
    require_client_cert text,
    verify_client text,
    verify_server text,
    tos text,
    cos integer,
    allow_reload text,
    symmetric_transport text,
    allow_wildcard_certs text,
    tcp_keepalive_enable text,
    tcp_keepalive_idle_time integer,
    tcp_keepalive_interval_time integer,
    tcp_keepalive_probe_count integer,
    owner text
);

CREATE INDEX ix_asterisk_extensions_owner ON asterisk.extensions (owner);
CREATE INDEX ix_asterisk_ps_aors_owner ON asterisk.ps_aors (owner);
CREATE INDEX ix_asterisk_ps_asterisk_publications_owner ON asterisk.ps_asterisk_publications (owner);
CREATE INDEX ix_asterisk_ps_auths_owner ON asterisk.ps_auths (owner);
CREATE INDEX ix_asterisk_ps_contacts_owner ON asterisk.ps_contacts (owner);
CREATE INDEX ix_asterisk_ps_domain_aliases_owner ON asterisk.ps_domain_aliases (owner);
CREATE INDEX ix_asterisk_ps_endpoint_id_ips_owner ON asterisk.ps_endpoint_id_ips (owner);
CREATE INDEX ix_asterisk_ps_endpoints_owner ON asterisk.ps_endpoints (owner);
CREATE INDEX ix_asterisk_ps_globals_owner ON asterisk.ps_globals (owner);
CREATE INDEX ix_asterisk_ps_inbound_publications_owner ON asterisk.ps_inbound_publications (owner);
CREATE INDEX ix_asterisk_ps_outbound_publishes_owner ON asterisk.ps_outbound_publishes (owner);
CREATE INDEX ix_asterisk_ps_registrations_owner ON asterisk.ps_registrations (owner);
CREATE INDEX ix_asterisk_ps_resource_list_owner ON asterisk.ps_resource_list (owner);
CREATE INDEX ix_asterisk_ps_subscription_persistence_owner ON asterisk.ps_subscription_persistence (owner);
CREATE INDEX ix_asterisk_ps_systems_owner ON asterisk.ps_systems (owner);
CREATE INDEX ix_asterisk_ps_transports_owner ON asterisk.ps_transports (owner);

-- Contacts live in the local database of each node; these two serve whoever shares them instead.
CREATE INDEX ix_ps_contacts_prefix ON asterisk.ps_contacts (id text_pattern_ops);
CREATE INDEX ix_ps_contacts_expiration_time ON asterisk.ps_contacts (expiration_time);

-- Rows that are always there. The canary tells "the database does not answer" from "there is no such row", which
-- look alike through res_config_pgsql; the identify keeps its cache from being empty, for an empty one is read again
-- and again (192.0.2.255 is a documentation address that no packet comes from).
CREATE TABLE asterisk.canary (id integer CONSTRAINT pk_canary PRIMARY KEY);
INSERT INTO asterisk.canary VALUES (1);
INSERT INTO asterisk.ps_endpoint_id_ips (id, endpoint, match, owner) VALUES ('canary', 'canary', '192.0.2.255', 'system');

-- The landing table of call records: every field of a CDR and ours, all text, so that nothing is ever refused.
-- Asterisk learns the columns when cdr_pgsql loads; after a change here the module must be refreshed.
-- (bigserial, not an identity: cdr_pgsql sends '' for a NOT NULL column in whose default it cannot see.)
CREATE TABLE asterisk.cdr (
    id bigserial CONSTRAINT pk_cdr PRIMARY KEY,
    node text DEFAULT current_setting('application_name', true),
    received_at timestamptz DEFAULT clock_timestamp(),
    accountcode text,
    src text,
    dst text,
    dcontext text,
    clid text,
    channel text,
    dstchannel text,
    lastapp text,
    lastdata text,
    start text,
    answer text,
    "end" text,
    duration text,
    billsec text,
    disposition text,
    amaflags text,
    peeraccount text,
    uniqueid text,
    linkedid text,
    tenantid text,
    peertenantid text,
    userfield text,
    sequence text,
    -- What the dialplan knows of the call (see extensions.conf).
    direction text,
    customer_id text,
    provider_id text,
    gateway_id text,
    did text,
    number text,
    request text
);
CREATE INDEX ix_cdr_uniqueid ON asterisk.cdr USING hash (uniqueid);  -- A btree would refuse a text of 3 kB.
CREATE INDEX ix_cdr_received_at ON asterisk.cdr (received_at);

-- Questions the dialplan asks before an outbound call, with the answers filled in by a trigger as they are inserted:
-- the answer is read back through call_answers, and stays as evidence of why a call went where it went. No answer
-- column may be NULL, for the dialplan would then keep the value of an earlier read.
CREATE TABLE asterisk.call_requests (
    id text NOT NULL,
    requested_at timestamptz NOT NULL DEFAULT now(),
    node text DEFAULT current_setting('application_name', true),
    endpoint text NOT NULL DEFAULT '',
    customer_id text NOT NULL DEFAULT '',
    dialed text NOT NULL DEFAULT '',
    caller text NOT NULL DEFAULT '',
    verdict text NOT NULL DEFAULT '',
    reason text NOT NULL DEFAULT '',
    cause integer NOT NULL DEFAULT 0,
    number text NOT NULL DEFAULT '',
    caller_id text NOT NULL DEFAULT '',
    legs text NOT NULL DEFAULT '',
    max_seconds integer NOT NULL DEFAULT 0
) PARTITION BY RANGE (requested_at);
CREATE INDEX ix_call_requests_id ON asterisk.call_requests (id);
CREATE TABLE asterisk.call_requests_default PARTITION OF asterisk.call_requests DEFAULT;
