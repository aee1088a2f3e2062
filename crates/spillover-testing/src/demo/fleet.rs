use std::{io, time::Duration};

use crate::{
    limit::{Limit, Payg, Ptu},
    upstream::{MockUpstream, Provider, Stats},
};

/// Three mocks of Azure OpenAI in two tiers. The last one has capacity for all traffic of a demo, so that no request fails.
#[derive(Debug)]
pub struct Fleet {
    members: Vec<Member>,
}

/// A mock of a [`Fleet`].
#[derive(Debug)]
pub struct Member {
    label: &'static str,
    priority: u32,
    about: &'static str,
    upstream: MockUpstream,
}

impl Fleet {
    /// Starts the mocks on free ports of 127.0.0.1.
    ///
    /// # Errors
    ///
    /// Returns an error if no port is free.
    pub async fn start() -> io::Result<Self> {
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

    /// Returns the mocks, in the order of their priority.
    pub fn members(&self) -> &[Member] {
        &self.members
    }

    /// Returns the counts of each mock, in the same order.
    pub fn stats(&self) -> impl Iterator<Item = Stats> {
        let members = self.members.iter();
        members.map(|member| member.upstream.handle().stats())
    }
}

impl Member {
    /// Returns the name.
    pub fn label(&self) -> &'static str {
        self.label
    }

    /// Returns the priority: backends with a lower number are used first.
    pub fn priority(&self) -> u32 {
        self.priority
    }

    /// Returns a description for people.
    pub fn about(&self) -> &'static str {
        self.about
    }

    /// Returns the base URL.
    pub fn url(&self) -> String {
        self.upstream.url()
    }

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
