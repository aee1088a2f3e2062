use std::{fmt::Write, io, time::Duration};

use spillover_core::{Backend, BackendKind, Pool};
use spillover_testing::{
    limit::{Limit, Payg, Ptu},
    upstream::{MockUpstream, Provider, Stats},
};

/// Three mocks of Azure OpenAI in two tiers. The last one has capacity for all traffic of the demo, so that no request fails.
pub(super) struct Fleet {
    members: Vec<Member>,
}

struct Member {
    label: &'static str,
    priority: u32,
    about: &'static str,
    upstream: MockUpstream,
}

impl Fleet {
    pub(super) async fn start() -> io::Result<Self> {
        let two_seconds = Duration::from_secs(2);
        let sweden = Payg::new(600_000).rpm(480).request_window(two_seconds);
        Ok(Self {
            members: vec![
                Member::start(
                    "ptu",
                    1,
                    "paid for in advance: to be used first",
                    Ptu::new(1_500).capacity(1_500),
                )
                .await?,
                Member::start("sweden", 2, "pay as you go, 480 requests a minute", sweden).await?,
                Member::start(
                    "france",
                    2,
                    "pay as you go, 12,000 requests a minute",
                    Payg::new(2_000_000),
                )
                .await?,
            ],
        })
    }

    pub(super) fn pool(&self) -> Result<Pool, Box<dyn std::error::Error + Send + Sync>> {
        let backend = |member: &Member| {
            Backend::builder(member.label)
                .url(member.upstream.url())
                .kind(BackendKind::Azure)
                .priority(member.priority)
                .build()
        };
        let backends: Vec<_> = self.members.iter().map(backend).collect::<Result<_, _>>()?;
        Ok(Pool::new(backends)?)
    }

    pub(super) fn stats(&self) -> impl Iterator<Item = Stats> {
        self.members
            .iter()
            .map(|member| member.upstream.handle().stats())
    }

    pub(super) fn introduction(&self) -> String {
        let mut text = String::from("Spillover in front of three mocks of Azure OpenAI:\n\n");
        for Member {
            label,
            priority,
            about,
            ..
        } in &self.members
        {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "  {label:<8} tier {priority}   {about}");
        }
        text
    }

    /// Returns the variables with which another gateway serves from these backends.
    pub(super) fn variables(&self) -> String {
        let mut text = String::from(
            "Its backends serve another gateway, too, such as the example of axum:\n\n",
        );
        for member in &self.members {
            let name = format!("BACKEND_{}", member.label.to_ascii_uppercase());
            let (url, priority) = (member.upstream.url(), member.priority);
            let _ = writeln!(
                text,
                "  export {name}_URL={url}/openai {name}_PRIORITY={priority} {name}_AUTH=passthrough"
            );
        }
        text + "  LISTEN=127.0.0.1:8081 cargo run -p spillover-examples --bin gateway\n"
    }
}

impl Member {
    async fn start(
        label: &'static str,
        priority: u32,
        about: &'static str,
        limit: impl Into<Limit>,
    ) -> io::Result<Self> {
        let upstream = MockUpstream::builder()
            .provider(Provider::Azure)
            .name(label)
            .limit(limit)
            .latency(Duration::from_millis(40))
            .token_interval(Duration::from_millis(10))
            .reply("Whatever you ask, a mock always has the same answer for you.")
            .start()
            .await?;
        Ok(Self {
            label,
            priority,
            about,
            upstream,
        })
    }
}
