use super::with_backend;

#[test]
fn what_belongs_to_no_label_with_a_url_is_ignored_and_listed() {
    let variables = [
        ("BACKEND_", "x"),
        ("BACKEND_URL", "x"),
        ("BACKEND__URL", "x"),
        ("backend_priority", "x"),
        ("BACKEND_10_PRIORTY", "x"),
        ("BACKEND_11", "x"),
        ("BACKEND_EMPTY", " "),
        ("BACKENDS_1_PRIORTY", "x"),
        ("MY_BACKEND_1_PRIORTY", "x"),
    ];
    let config = with_backend(&[], &variables).unwrap();
    assert_eq!(
        config.ignored,
        [
            "BACKEND_",
            "BACKEND_10_PRIORTY",
            "BACKEND_11",
            "BACKEND__URL",
            "backend_priority",
            "BACKEND_URL",
        ]
    );
}

#[test]
fn service_links_of_kubernetes_are_ignored_even_on_a_label() {
    let suffixes = [
        "SERVICE_HOST",
        "SERVICE_PORT",
        "SERVICE_PORT_HTTP",
        "SERVICE_PORT_GRPC_WEB",
        "PORT",
        "PORT_80_TCP",
        "PORT_80_TCP_PROTO",
        "PORT_80_TCP_PORT",
        "PORT_80_TCP_ADDR",
        "PORT_53_UDP",
        "PORT_53_UDP_ADDR",
        "PORT_9_SCTP",
        "port_9_sctp_proto",
    ];
    for service in ["BACKEND", "BACKEND_1", "BACKEND_1_CANARY", "BACKEND_2"] {
        for suffix in suffixes {
            let name = format!("{service}_{suffix}");
            let config = with_backend(&[], &[(&name, "tcp://10.0.0.1:80")]).unwrap();
            assert_eq!(config.ignored, [name]);
        }
    }
}

#[test]
fn what_only_resembles_a_service_link_is_not_ignored() {
    for suffix in [
        "HOST",
        "SERVICE",
        "SERVICE_HOSTS",
        "PORTS",
        "PORT_80",
        "PORT_80_HTTP",
        "PORT_X_TCP",
        "PORT__TCP",
        "PORT_80_TCP_NAME",
        "80_TCP_ADDR",
        "XSERVICE_PORT_HTTP",
    ] {
        let name = format!("BACKEND_1_{suffix}");
        let error = with_backend(&[], &[(&name, "x")]).expect_err(suffix);
        assert_eq!(error.problems()[0].place(), name);
    }
}
