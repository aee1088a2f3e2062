use std::fmt;

use http::HeaderMap;

use crate::{
    Dimension, Quota, Source, When,
    body::rate_limits,
    headers::{Head, Key},
    slots::Slots,
};

/// The rate-limit counters of a response. They show how loaded a backend is before it refuses.
///
/// ```
/// use http::HeaderMap;
/// use spillover_hint::{Dimension, Quotas};
///
/// let mut headers = HeaderMap::new();
/// headers.insert("x-ratelimit-limit-tokens", "200000".parse()?);
/// headers.insert("x-ratelimit-remaining-tokens", "199000".parse()?);
/// headers.insert("x-ratelimit-remaining-requests", "-1".parse()?); // Azure OpenAI: not known
///
/// let quotas = Quotas::from_headers(&headers);
/// let tokens = quotas.get(Dimension::Tokens).expect("tokens");
/// assert_eq!(tokens.limit(), Some(200_000));
/// assert_eq!(tokens.remaining(), Some(199_000));
/// assert_eq!(tokens.reset(), None);
/// assert!(quotas.get(Dimension::Requests).is_none());
/// # Ok::<_, http::header::InvalidHeaderValue>(())
/// ```
#[derive(Clone, Default)]
pub struct Quotas {
    quotas: [Option<Quota>; CAPACITY],
    len: usize,
    utilization: Option<f32>,
}

impl Quotas {
    /// Reads the counters of any response.
    pub fn from_headers(headers: &HeaderMap) -> Self {
        let mut head = Head::default();
        head.wants_limits = true;
        head.read(headers, &mut Slots::default());
        let mut quotas = Self {
            utilization: head.signals.utilization(),
            ..Self::default()
        };
        for limit in head.limits.iter() {
            quotas.push(Quota {
                key: Key {
                    period: head.limits.period(limit.key),
                    ..limit.key
                },
                limit: limit.limit,
                remaining: limit.remaining,
                reset: limit.reset(),
            });
        }
        for item in head.ietf_items() {
            quotas.push(Quota {
                key: Key {
                    source: Source::RateLimit,
                    dimension: item.dimension,
                    period: item.period,
                },
                limit: item.limit,
                remaining: item.remaining,
                reset: item.reset.map(When::After),
            });
        }
        quotas
    }

    /// Reads the event `rate_limits.updated` of OpenAI's [Realtime
    /// API](https://platform.openai.com/docs/api-reference/realtime-server-events/rate_limits/updated), which sends no
    /// header fields. Returns `None` for other events.
    pub fn from_event(data: &[u8]) -> Option<Self> {
        rate_limits::read(data)
    }

    /// Returns the limits of the response.
    pub fn iter(&self) -> impl Iterator<Item = &Quota> {
        self.quotas[..self.len].iter().flatten()
    }

    /// Returns the limit of one dimension; among several, the one with the shortest period.
    pub fn get(&self, dimension: Dimension) -> Option<&Quota> {
        let same = self.iter().filter(|quota| quota.dimension() == dimension);
        same.min_by_key(|quota| quota.key)
    }

    /// Returns the utilization of a provisioned-throughput deployment in percent, from
    /// `azure-openai-deployment-utilization`.
    ///
    /// The value may exceed 100. [Azure's benchmark](https://github.com/Azure/azure-openai-benchmark) reads the same
    /// field.
    pub fn utilization(&self) -> Option<f32> {
        self.utilization
    }

    /// Returns true if the response has no counters.
    pub fn is_empty(&self) -> bool {
        self.len == 0 && self.utilization.is_none()
    }

    pub(crate) fn push(&mut self, quota: Quota) {
        if quota.is_empty() {
            return;
        }
        if let Some(slot) = self.quotas.get_mut(self.len) {
            *slot = Some(quota);
            self.len += 1;
        }
    }
}

impl fmt::Debug for Quotas {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Quotas")
            .field("quotas", &self.iter().collect::<Vec<_>>())
            .field("utilization", &self.utilization)
            .finish()
    }
}

/// The number of limits that are read from the fields.
const CAPACITY: usize = 12;
