"""Asterisk's own columns of the tables that res_config_pgsql reads and writes: those of Asterisk 22.10.1.

Its migration tree (contrib/ast-db-manage/config, head e89e30cee53f) makes exactly these.
"""

from __future__ import annotations

COLUMNS = {
    "extensions": "id context exten priority app appdata",
    "ps_aors": """
        id contact default_expiration mailboxes max_contacts minimum_expiration remove_existing
        qualify_frequency authenticate_qualify maximum_expiration outbound_proxy support_path qualify_timeout
        voicemail_extension remove_unavailable qualify_2xx_only
    """,
    "ps_asterisk_publications": """
        id devicestate_publish mailboxstate_publish device_state device_state_filter mailbox_state
        mailbox_state_filter
    """,
    "ps_auths": """
        id auth_type nonce_lifetime md5_cred password realm username refresh_token oauth_clientid oauth_secret
        password_digest supported_algorithms_uas supported_algorithms_uac
    """,
    "ps_contacts": """
        id uri expiration_time qualify_frequency outbound_proxy path user_agent qualify_timeout reg_server
        authenticate_qualify via_addr via_port call_id endpoint prune_on_boot qualify_2xx_only
    """,
    "ps_domain_aliases": "id domain",
    "ps_endpoint_id_ips": "id endpoint match srv_lookups match_header match_request_uri",
    "ps_endpoints": """
        id transport aors auth context disallow allow direct_media connected_line_method direct_media_method
        direct_media_glare_mitigation disable_direct_media_on_nat dtmf_mode external_media_address force_rport
        ice_support identify_by mailboxes moh_suggest outbound_auth outbound_proxy rewrite_contact rtp_ipv6
        rtp_symmetric send_diversion send_pai send_rpid timers_min_se timers timers_sess_expires callerid
        callerid_privacy callerid_tag 100rel aggregate_mwi trust_id_inbound trust_id_outbound use_ptime
        use_avpf media_encryption inband_progress call_group pickup_group named_call_group named_pickup_group
        device_state_busy_at fax_detect t38_udptl t38_udptl_ec t38_udptl_maxdatagram t38_udptl_nat
        t38_udptl_ipv6 tone_zone language one_touch_recording record_on_feature record_off_feature rtp_engine
        allow_transfer allow_subscribe sdp_owner sdp_session tos_audio tos_video sub_min_expiry from_domain
        from_user mwi_from_user dtls_verify dtls_rekey dtls_cert_file dtls_private_key dtls_cipher
        dtls_ca_file dtls_ca_path dtls_setup srtp_tag_32 media_address redirect_method set_var cos_audio
        cos_video message_context force_avp media_use_received_transport accountcode user_eq_phone
        moh_passthrough media_encryption_optimistic rpid_immediate g726_non_standard rtp_keepalive rtp_timeout
        rtp_timeout_hold bind_rtp_to_media_address voicemail_extension mwi_subscribe_replaces_unsolicited deny
        permit acl contact_deny contact_permit contact_acl subscribe_context fax_detect_timeout contact_user
        preferred_codec_only asymmetric_rtp_codec rtcp_mux allow_overlap refer_blind_progress
        notify_early_inuse_ringing max_audio_streams max_video_streams webrtc dtls_fingerprint
        incoming_mwi_mailbox bundle dtls_auto_generate_cert follow_early_media_fork
        accept_multiple_sdp_answers suppress_q850_reason_headers trust_connected_line send_connected_line
        ignore_183_without_sdp codec_prefs_incoming_offer codec_prefs_outgoing_offer
        codec_prefs_incoming_answer codec_prefs_outgoing_answer stir_shaken send_history_info
        allow_unauthenticated_options t38_bind_udptl_to_media_address geoloc_incoming_call_profile
        geoloc_outgoing_call_profile incoming_call_offer_pref outgoing_call_offer_pref stir_shaken_profile
        security_negotiation security_mechanisms send_aoc overlap_context tenantid suppress_moh_on_sendonly
        follow_redirect_methods rtp_port_start rtp_port_end
    """,
    "ps_globals": """
        id max_forwards user_agent default_outbound_endpoint debug endpoint_identifier_order
        max_initial_qualify_time default_from_user keep_alive_interval regcontext
        contact_expiration_check_interval default_voicemail_extension disable_multi_domain
        unidentified_request_count unidentified_request_period unidentified_request_prune_interval
        default_realm mwi_tps_queue_high mwi_tps_queue_low mwi_disable_initial_unsolicited
        ignore_uri_user_options use_callerid_contact send_contact_status_on_update_registration
        taskprocessor_overload_trigger norefersub allow_sending_180_after_183 all_codecs_on_empty_reinvite
        default_auth_algorithms_uas default_auth_algorithms_uac
    """,
    "ps_inbound_publications": "id endpoint event_asterisk-devicestate event_asterisk-mwi",
    "ps_outbound_publishes": """
        id expiration outbound_auth outbound_proxy server_uri from_uri to_uri event max_auth_attempts
        transport multi_user @body @context @exten
    """,
    "ps_registrations": """
        id auth_rejection_permanent client_uri contact_user expiration max_retries outbound_auth
        outbound_proxy retry_interval forbidden_retry_interval server_uri transport support_path
        fatal_retry_interval line endpoint support_outbound contact_header_params max_random_initial_delay
        security_negotiation security_mechanisms user_agent
    """,
    "ps_resource_list": "id list_item event full_state notification_batch_interval resource_display_name",
    "ps_subscription_persistence": """
        id packet src_name src_port transport_key local_name local_port cseq tag endpoint expires contact_uri
        prune_on_boot generator_data
    """,
    "ps_systems": """
        id timer_t1 timer_b compact_headers threadpool_initial_size threadpool_auto_increment
        threadpool_idle_timeout threadpool_max_size disable_tcp_switch follow_early_media_fork
        accept_multiple_sdp_answers disable_rport taskpool_minimum_size taskpool_initial_size
        taskpool_auto_increment taskpool_idle_timeout taskpool_max_size
    """,
    "ps_transports": """
        id async_operations bind ca_list_file cert_file cipher domain external_media_address
        external_signaling_address external_signaling_port method local_net password priv_key_file protocol
        require_client_cert verify_client verify_server tos cos allow_reload symmetric_transport
        allow_wildcard_certs tcp_keepalive_enable tcp_keepalive_idle_time tcp_keepalive_interval_time
        tcp_keepalive_probe_count
    """,
}
