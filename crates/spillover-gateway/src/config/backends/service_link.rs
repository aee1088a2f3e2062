/// Whether Kubernetes sets such a variable for a service: `<SERVICE>_SERVICE_HOST`, `<SERVICE>_PORT_80_TCP` and the like.
/// The name is in upper case.
///
/// See <https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables>.
pub(super) fn is_service_link(name: &str) -> bool {
    let parts: Vec<_> = name.split('_').collect();
    match *parts {
        [.., "SERVICE", "HOST"] | [.., "PORT"] => true,
        [.., "PORT", port, protocol] | [.., "PORT", port, protocol, "PROTO" | "ADDR"]
            if is_number(port) && matches!(protocol, "TCP" | "UDP" | "SCTP") =>
        {
            true
        }
        _ => parts
            .windows(2)
            .rev()
            .skip(1)
            .any(|pair| pair == ["SERVICE", "PORT"]),
    }
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}
