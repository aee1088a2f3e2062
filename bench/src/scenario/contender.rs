use crate::{
    backend::FINE,
    peer::{EXAMPLE_GATEWAY, GATEWAY, PROFILED_GATEWAY, Peer, Setup, Upstream, sibling},
};

/// A row of a table: a proxy with its setup.
#[derive(Clone, Debug)]
pub(crate) struct Contender {
    pub(crate) name: String,
    pub(crate) peer: Peer,
    pub(crate) setup: Setup,
    pub(crate) path: &'static str,
    pub(crate) note: Option<&'static str>,
    /// False if the contender cannot do what the scenario needs.
    pub(crate) is_able: bool,
}

impl Contender {
    /// Returns a proxy in front of one backend that succeeds.
    pub(super) fn new(peer: Peer) -> Self {
        Self {
            name: peer.name().to_owned(),
            peer,
            setup: Setup {
                gateway: GATEWAY,
                backends: vec![upstream(FINE, 1)],
                is_http2: false,
                is_tls: false,
                is_reloaded: false,
                workers: None,
            },
            path: MODEL_IN_BODY,
            note: None,
            is_able: true,
        }
    }

    /// Uses these backends, one per priority.
    pub(super) fn tiers(mut self, ports: &[u16]) -> Self {
        let tier = |(&port, priority)| upstream(port, priority);
        self.setup.backends = ports.iter().zip(1..).map(tier).collect();
        self
    }

    /// Uses several backends of one priority.
    pub(super) fn backends(mut self, count: u16) -> Self {
        let upstreams = (FINE..FINE + count).map(|port| upstream(port, 1));
        self.setup.backends = upstreams.collect();
        self
    }

    pub(super) fn http2(mut self) -> Self {
        self.setup.is_http2 = true;
        self
    }

    pub(super) fn tls(mut self) -> Self {
        self.setup.is_tls = true;
        self
    }

    pub(super) fn reloaded(mut self) -> Self {
        self.setup.is_reloaded = true;
        self
    }

    pub(super) fn workers(mut self, workers: usize) -> Self {
        self.setup.workers = Some(workers);
        self
    }

    pub(super) fn deployment_in_path(mut self) -> Self {
        self.path = DEPLOYMENT_IN_PATH;
        self
    }

    /// Uses the gateway that `bench/pgo` built.
    pub(super) fn profiled(mut self) -> Self {
        self.setup.gateway = PROFILED_GATEWAY;
        self.name.push_str(", built by `bench/pgo`");
        self.note = None;
        if sibling(PROFILED_GATEWAY).is_ok_and(|program| program.exists()) {
            return self;
        }
        self.unable("Not built: `bench/pgo` does.")
    }

    /// Uses the example gateway instead of the production gateway.
    pub(super) fn example(mut self) -> Self {
        self.setup.gateway = EXAMPLE_GATEWAY;
        self.named("`examples/gateway.rs`".to_owned())
            .note("Built of axum and tower-http, with the layers of the gateway.")
    }

    pub(super) fn named(mut self, name: String) -> Self {
        self.name = name;
        self
    }

    pub(super) fn note(mut self, note: &'static str) -> Self {
        self.note = Some(note);
        self
    }

    /// Skips the contender. The note states the reason.
    pub(super) fn unable(mut self, reason: &'static str) -> Self {
        self.is_able = false;
        self.note(reason)
    }
}

fn upstream(port: u16, priority: u32) -> Upstream {
    Upstream {
        port,
        priority,
        weight: 1,
    }
}

/// A path for which the gateway reads the model from the body.
const MODEL_IN_BODY: &str = "/v1/chat/completions";

/// A path with a deployment, for which the gateway streams the body.
const DEPLOYMENT_IN_PATH: &str =
    "/openai/deployments/gpt-4o/chat/completions?api-version=2024-10-21";
